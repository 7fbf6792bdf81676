//! Which entries to keep of many: those of the largest magnitude, found by two counts of their bits without sorting or copying them.

/// The entries that are kept: those above a magnitude, and the first `equal` ones of exactly this magnitude.
pub struct Cut {
    bits: u32,
    equal: usize,
}

impl Cut {
    /// The cut that keeps `count` entries of the given ones.
    pub fn of<'a>(slices: impl Iterator<Item = &'a [f32]> + Clone, count: usize) -> Self {
        let high = |bits: u32| Some((bits >> 16) as usize);
        let (top, above) = bin_of(slices.clone(), count, high);
        let Some(top) = top else { return Self { bits: 0, equal: usize::MAX } };
        let low = |bits: u32| (bits >> 16 == top as u32).then_some((bits & 0xffff) as usize);
        let (bottom, more) = bin_of(slices, count - above, low);
        let bits = (top as u32) << 16 | bottom.unwrap_or(0) as u32;
        Self { bits, equal: count - above - more }
    }

    /// Whether the next entry is kept; entries must be asked about in the order of the slices.
    #[inline(always)]
    pub fn keeps(&mut self, value: f32) -> bool {
        let bits = magnitude(value);
        if bits == self.bits && self.equal > 0 {
            self.equal -= 1;
            return true;
        }
        bits > self.bits
    }
}

#[inline(always)]
fn magnitude(value: f32) -> u32 {
    value.to_bits() & 0x7fff_ffff
}

/// The bin that has the `count`-th largest entry, and the number of entries in larger bins; no bin if all entries are fewer.
fn bin_of<'a>(
    slices: impl Iterator<Item = &'a [f32]>,
    count: usize,
    bin: impl Fn(u32) -> Option<usize>,
) -> (Option<usize>, usize) {
    let mut counts = vec![0usize; 1 << 16];
    for slice in slices {
        for &value in slice {
            if let Some(bin) = bin(magnitude(value)) {
                counts[bin] += 1;
            }
        }
    }
    let mut above = 0;
    for (bin, &here) in counts.iter().enumerate().rev() {
        if above + here >= count {
            return (Some(bin), above);
        }
        above += here;
    }
    (None, above)
}
