//! Element types of tensors: their representation in memory, and the conversion to the float32 that kernels compute with.

/// In the order of their numbers in src/compute/engines/native.ts.
pub const ELEMENTS: [Element; 3] = [Element::Float32, Element::Bfloat16, Element::Int8];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Element {
    Float32,
    Bfloat16,
    Int8,
}

impl Element {
    pub fn bytes(self) -> usize {
        match self {
            Element::Float32 => 4,
            Element::Bfloat16 => 2,
            Element::Int8 => 1,
        }
    }
}

pub trait Number: Copy + Send + Sync + 'static {
    const ELEMENT: Element;
    /// Exactly.
    fn widen(self) -> f32;
    fn round(x: f32) -> Self;
    #[inline(always)]
    fn bfloat16(self) -> Bfloat16 {
        Bfloat16::round(self.widen())
    }
}

impl Number for f32 {
    const ELEMENT: Element = Element::Float32;
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
    #[inline(always)]
    fn round(x: f32) -> Self {
        x
    }
}

/// The upper half of a float32.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Bfloat16(u16);

impl Bfloat16 {
    #[inline(always)]
    pub fn bits(self) -> u16 {
        self.0
    }
}

impl Number for Bfloat16 {
    const ELEMENT: Element = Element::Bfloat16;
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits((self.0 as u32) << 16)
    }
    #[inline(always)]
    fn bfloat16(self) -> Self {
        self
    }
    /// To the nearest, ties to an even last bit. A NaN becomes a quiet one: its low half may be all that makes it a NaN.
    #[inline(always)]
    fn round(x: f32) -> Self {
        let bits = x.to_bits();
        let upper = bits >> 16;
        let rounded = bits.wrapping_add(0x7fff + (upper & 1)) >> 16;
        Self(if x.is_nan() { upper | 0x40 } else { rounded } as u16)
    }
}

impl Number for i8 {
    const ELEMENT: Element = Element::Int8;
    #[inline(always)]
    fn widen(self) -> f32 {
        self as f32
    }
    /// From an integer within the range, which native.ts has checked.
    #[inline(always)]
    fn round(x: f32) -> Self {
        x as i8
    }
}
