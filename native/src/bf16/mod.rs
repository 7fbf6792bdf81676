//! Products in bfloat16: operands are rounded as they are packed, products are exact, and sums are float32. One of four
//! microkernels computes a tile, by what the processor has; the others take its place where it is missing, with the same
//! rounding of operands. Sums differ in their last bits between microkernels, never between numbers of threads.
//!
//! Both operands are packed in pairs along the inner dimension, a pair of bfloat16 in 32 bits. `Lines` are rows of the left
//! operand or columns of the right one, in groups: [group][pair][line of the group], missing lines and pairs zero. AMX wants
//! rows of the left one to be whole: [group][block of 16 pairs][line][pair].

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
pub use amx::emulated;
mod portable;

use crate::element::Number;
use crate::matrix::{Matrix, part};
use crate::simd::vectorised;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::OnceLock;

/// Columns in a group of the right operand: a vector of 512 bits, or a tile's.
pub const COLUMNS: usize = 16;
/// Pairs in a block of AMX.
const BLOCK: usize = 16;
/// Parts of operands begin at multiples of this: rows of two tiles, and places of a block, of every microkernel.
pub const PART: usize = 96;

/// What computes a tile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Microkernel {
    /// Tiles of the Advanced Matrix Extensions.
    #[cfg(target_arch = "x86_64")]
    Amx,
    /// `vdpbf16ps`.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Widened to float32, with 32 vector registers of 512 bits.
    Wide,
    /// Widened to float32, with 16 registers of 256 bits or 32 of 128.
    Narrow,
}

impl Microkernel {
    /// Of this machine.
    pub fn here() -> Self {
        static HERE: OnceLock<Microkernel> = OnceLock::new();
        *HERE.get_or_init(|| Self::all()[0])
    }

    /// Those that this machine can run, the fastest first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if amx::is_available() {
                all.push(Self::Amx);
            }
            if avx512::is_available() {
                all.push(Self::Avx512);
            }
        }
        if crate::simd::instruction_set() == "AVX-512" {
            all.push(Self::Wide);
        }
        all.push(Self::Narrow);
        all
    }

    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => "AMX",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512-BF16",
            Self::Wide | Self::Narrow => "widened to float32",
        }
    }

    /// Rows in a group of the left operand.
    fn rows(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => 16,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 12,
            Self::Wide => 12,
            Self::Narrow => 4,
        }
    }

    /// Pairs that hold an inner dimension of `depth`.
    fn pairs(self, depth: usize) -> usize {
        let pairs = depth.div_ceil(2);
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => pairs.next_multiple_of(BLOCK),
            _ => pairs,
        }
    }
}

/// Memory for packed numbers, aligned to cache lines, reused from call to call.
#[derive(Default)]
pub struct Buffer(Vec<Line>);

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

impl Buffer {
    /// Room for `count` words; what was there before stays.
    pub fn words(&mut self, count: usize) -> &mut [u32] {
        let lines = count.div_ceil(16);
        if self.0.len() < lines {
            self.0.resize(lines, Line([0; 16]));
        }
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), count) }
    }

    pub fn floats(&mut self, count: usize) -> &mut [f32] {
        let words = self.words(count);
        unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), count) }
    }
}

/// A thread's buffers.
#[derive(Default)]
pub struct Buffers {
    pub left: Buffer,
    pub right: Buffer,
    pub forward: Buffer,
    pub transposed: Buffer,
    pub tile: Buffer,
}

/// Runs `body` with the buffers of this thread.
pub fn with_buffers<R>(body: impl FnOnce(&mut Buffers) -> R) -> R {
    thread_local!(static BUFFERS: RefCell<Buffers> = RefCell::default());
    BUFFERS.with(|buffers| body(&mut buffers.borrow_mut()))
}

/// Which numbers of a matrix are packed: line l, place k of the inner dimension is at (l, k), or (k, l) where lines are columns.
#[derive(Clone, Copy)]
pub struct Lines<T> {
    of: Matrix<T>,
    across: bool,
}

impl<T: Number> Lines<T> {
    /// The lines are the matrix's rows.
    pub fn rows(of: Matrix<T>) -> Self {
        Self { of, across: false }
    }

    /// The lines are the matrix's columns.
    pub fn columns(of: Matrix<T>) -> Self {
        Self { of, across: true }
    }

    pub fn count(&self) -> usize {
        if self.across { self.of.columns } else { self.of.rows }
    }

    pub fn depth(&self) -> usize {
        if self.across { self.of.rows } else { self.of.columns }
    }

    /// Lines [first, first + count), places [from, from + depth).
    pub fn part(&self, first: usize, count: usize, from: usize, depth: usize) -> Self {
        let of = if self.across {
            part(self.of, from, first, depth, count)
        } else {
            part(self.of, first, from, count, depth)
        };
        Self { of, across: self.across }
    }
}

/// A packed operand.
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    pub words: &'a [u32],
    pub lines: usize,
    pub pairs: usize,
}

/// Words of a left operand.
pub fn left_words(kernel: Microkernel, lines: usize, depth: usize) -> usize {
    lines.next_multiple_of(kernel.rows() * 2) * kernel.pairs(depth)
}

/// Words of a right operand.
pub fn right_words(kernel: Microkernel, lines: usize, depth: usize) -> usize {
    lines.next_multiple_of(COLUMNS * 2) * kernel.pairs(depth)
}

/// Packs a left operand into the beginning of `into`.
pub fn pack_left<'a, T: Number>(kernel: Microkernel, lines: Lines<T>, into: &'a mut [u32]) -> Packed<'a> {
    let depth = lines.depth();
    let words = &mut into[..left_words(kernel, lines.count(), depth)];
    pack_left_part(kernel, lines, words, depth, 0);
    left(kernel, words, lines.count(), depth)
}

/// Packs the places from `first` on of a left operand of `depth` places, which `into` holds: all that `lines` has of them. Parts
/// begin at multiples of `PART`.
pub fn pack_left_part<T: Number>(kernel: Microkernel, lines: Lines<T>, into: &mut [u32], depth: usize, first: usize) {
    let range = pairs_of(kernel, depth, first, lines.depth());
    let pairs = kernel.pairs(depth);
    match kernel {
        #[cfg(target_arch = "x86_64")]
        Microkernel::Amx => pack_blocks(lines, pairs, range, into),
        #[cfg(target_arch = "x86_64")]
        Microkernel::Avx512 => pack_groups::<12, T>(lines, pairs, range, into),
        Microkernel::Wide => pack_groups::<12, T>(lines, pairs, range, into),
        Microkernel::Narrow => pack_groups::<4, T>(lines, pairs, range, into),
    }
}

/// A left operand whose parts are packed.
pub fn left(kernel: Microkernel, words: &[u32], lines: usize, depth: usize) -> Packed<'_> {
    Packed { words, lines, pairs: kernel.pairs(depth) }
}

/// Packs a right operand into the beginning of `into`.
pub fn pack_right<'a, T: Number>(kernel: Microkernel, lines: Lines<T>, into: &'a mut [u32]) -> Packed<'a> {
    let (count, depth) = (lines.count(), lines.depth());
    let words = &mut into[..right_words(kernel, count, depth)];
    let pairs = kernel.pairs(depth);
    pack_groups::<COLUMNS, T>(lines, pairs, 0..pairs, words);
    Packed { words, lines: count, pairs }
}

impl<'a> Packed<'a> {
    /// The lines from `first` on, a multiple of `PART`, of a left operand.
    pub fn from(self, first: usize) -> Packed<'a> {
        Packed { words: &self.words[first * self.pairs..], lines: self.lines - first, pairs: self.pairs }
    }
}

/// The pairs of the places [first, first + count) of `depth`; those of the end include what pads them.
fn pairs_of(kernel: Microkernel, depth: usize, first: usize, count: usize) -> Range<usize> {
    debug_assert!(first.is_multiple_of(PART) && (count.is_multiple_of(PART) || first + count == depth));
    let end = if first + count == depth { kernel.pairs(depth) } else { (first + count) / 2 };
    first / 2..end
}

#[inline(always)]
fn pair(low: u32, high: u32) -> u32 {
    low | high << 16
}

#[inline(always)]
fn bits<T: Number>(x: T) -> u32 {
    x.bfloat16().bits() as u32
}

/// [group][pair][W lines]
fn pack_groups<const W: usize, T: Number>(lines: Lines<T>, pairs: usize, range: Range<usize>, into: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    if avx512::is_available() {
        return unsafe { avx512::pack_groups::<W, T>(lines, pairs, range, into) };
    }
    pack_groups_plainly::<W, T>(lines, pairs, range, into)
}

/// The same, with what every processor has.
fn pack_groups_plainly<const W: usize, T: Number>(
    lines: Lines<T>,
    pairs: usize,
    range: Range<usize>,
    into: &mut [u32],
) {
    let (count, depth) = (lines.count(), lines.depth());
    for (g, group) in into.chunks_exact_mut((W * pairs).max(1)).enumerate() {
        let group = &mut group[range.start * W..range.end * W];
        let first = g * W;
        let whole = count.saturating_sub(first).min(W);
        if whole == 0 {
            group.fill(0);
            continue;
        }
        vectorised(
            #[inline(always)]
            || {
                if lines.across {
                    pack_across::<W, T>(lines.of, first, whole, depth, group);
                } else {
                    pack_along::<W, T>(lines.of, first, whole, depth, group);
                }
            },
        );
        group[depth.div_ceil(2) * W..].fill(0);
    }
}

/// Of lines that are columns: a pair of rows at a time.
#[inline(always)]
fn pack_across<const W: usize, T: Number>(of: Matrix<T>, first: usize, count: usize, depth: usize, into: &mut [u32]) {
    let mut done = 0;
    if W < COLUMNS && first + COLUMNS <= of.columns {
        // Whole vectors: what is beyond the group is overwritten by the pair that follows.
        while 2 * done + 1 < depth && done * W + COLUMNS <= into.len() {
            let low: &[T; COLUMNS] = of.get(2 * done, first, COLUMNS).try_into().expect("a vector");
            let high: &[T; COLUMNS] = of.get(2 * done + 1, first, COLUMNS).try_into().expect("a vector");
            let into: &mut [u32; COLUMNS] = (&mut into[done * W..][..COLUMNS]).try_into().expect("a vector");
            for l in 0..COLUMNS {
                into[l] = pair(bits(low[l]), bits(high[l]));
            }
            done += 1;
        }
    }
    for (p, into) in into.as_chunks_mut::<W>().0.iter_mut().enumerate().take(depth.div_ceil(2)).skip(done) {
        let low = of.get(2 * p, first, count);
        if 2 * p + 1 < depth {
            let high = of.get(2 * p + 1, first, count);
            match (<&[T; W]>::try_from(low), <&[T; W]>::try_from(high)) {
                (Ok(low), Ok(high)) => {
                    for l in 0..W {
                        into[l] = pair(bits(low[l]), bits(high[l]));
                    }
                }
                _ => {
                    into.fill(0);
                    for l in 0..count {
                        into[l] = pair(bits(low[l]), bits(high[l]));
                    }
                }
            }
        } else {
            into.fill(0);
            for l in 0..count {
                into[l] = bits(low[l]);
            }
        }
    }
}

/// Pairs whose rounding is done before they are spread over a group: they stay in the first cache.
const ROUNDED: usize = 64;

/// Of lines that are rows: some pairs of every line are rounded, and then put where they belong.
#[inline(always)]
fn pack_along<const W: usize, T: Number>(of: Matrix<T>, first: usize, count: usize, depth: usize, into: &mut [u32]) {
    let pairs = depth.div_ceil(2);
    let mut rounded = [[0u32; ROUNDED]; W];
    for from in (0..pairs).step_by(ROUNDED) {
        let to = pairs.min(from + ROUNDED);
        for (l, rounded) in rounded.iter_mut().enumerate().take(count) {
            round_pairs(of.get(first + l, 2 * from, depth.min(2 * to) - 2 * from), rounded);
        }
        for (p, into) in into[from * W..to * W].as_chunks_mut::<W>().0.iter_mut().enumerate() {
            for l in 0..W {
                into[l] = rounded[l][p];
            }
        }
    }
}

/// Numbers that follow one another, in pairs; the last pair's second is zero where there is none.
#[inline(always)]
fn round_pairs<T: Number>(numbers: &[T], into: &mut [u32]) {
    let (whole, rest) = numbers.as_chunks::<2>();
    for (into, &[low, high]) in into.iter_mut().zip(whole) {
        *into = pair(bits(low), bits(high));
    }
    if let &[last] = rest {
        into[whole.len()] = bits(last);
    }
}

/// [group][block][16 lines][16 pairs]
#[cfg(target_arch = "x86_64")]
fn pack_blocks<T: Number>(lines: Lines<T>, pairs: usize, range: Range<usize>, into: &mut [u32]) {
    if avx512::is_available() {
        return unsafe { avx512::pack_blocks(lines, pairs, range, into) };
    }
    pack_blocks_plainly(lines, pairs, range, into)
}

/// The same, with what every processor has.
#[cfg(target_arch = "x86_64")]
fn pack_blocks_plainly<T: Number>(lines: Lines<T>, pairs: usize, range: Range<usize>, into: &mut [u32]) {
    let (count, depth) = (lines.count(), lines.depth());
    for (g, group) in into.chunks_exact_mut((16 * pairs).max(1)).enumerate() {
        let group = &mut group[16 * range.start..16 * range.end];
        let first = g * 16;
        group.fill(0);
        let whole = count.saturating_sub(first).min(16);
        if whole == 0 {
            continue;
        }
        vectorised(
            #[inline(always)]
            || {
                for (b, block) in group.as_chunks_mut::<256>().0.iter_mut().enumerate() {
                    let from = b * 2 * BLOCK;
                    if from >= depth {
                        break;
                    }
                    let to = depth.min(from + 2 * BLOCK);
                    if lines.across {
                        for k in from..to {
                            let row = lines.of.get(k, first, whole);
                            let (p, shift) = ((k - from) / 2, (k - from) % 2 * 16);
                            for (l, &x) in row.iter().enumerate() {
                                block[l * BLOCK + p] |= bits(x) << shift;
                            }
                        }
                    } else {
                        for (l, line) in block.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate().take(whole) {
                            round_pairs(lines.of.get(first + l, from, to - from), line);
                        }
                    }
                }
            },
        );
    }
}

/// out = left right, or += with `accumulate`; `out` has as many rows as `left` has lines, and columns as `right`.
pub fn multiply(kernel: Microkernel, out: Matrix, left: Packed, right: Packed, accumulate: bool) {
    debug_assert!(left.pairs == right.pairs && left.lines >= out.rows && right.lines >= out.columns);
    if left.pairs == 0 {
        if !accumulate {
            (0..out.rows).for_each(|r| out.row_mut(r).fill(0.0));
        }
        return;
    }
    match kernel {
        #[cfg(target_arch = "x86_64")]
        Microkernel::Amx => amx::multiply(out, left, right, accumulate),
        #[cfg(target_arch = "x86_64")]
        Microkernel::Avx512 => unsafe { avx512::multiply(out, left, right, accumulate) },
        Microkernel::Wide => vectorised(
            #[inline(always)]
            || portable::multiply::<12>(out, left, right, accumulate),
        ),
        Microkernel::Narrow => vectorised(
            #[inline(always)]
            || portable::multiply::<4>(out, left, right, accumulate),
        ),
    }
}

/// Stores the part of a tile that lies in `out`, or adds it there; the tile's rows have `width` numbers.
#[inline(always)]
fn store(out: Matrix, tile: &[f32], width: usize, accumulate: bool) {
    for r in 0..out.rows {
        let into = out.row_mut(r);
        let tile = &tile[r * width..][..out.columns];
        if accumulate {
            into.iter_mut().zip(tile).for_each(|(into, &x)| *into += x);
        } else {
            into.copy_from_slice(tile);
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::element::Bfloat16;

    /// What both ways of packing write, for a group width, parts of the inner dimension and both orientations.
    fn agree<T: Number>(of: Matrix<T>) {
        for lines in [Lines::rows(of), Lines::columns(of)] {
            let (count, depth) = (lines.count(), lines.depth());
            for width in [4, 12, 16] {
                let pairs = depth.div_ceil(2).next_multiple_of(BLOCK);
                for first in (0..depth).step_by(PART) {
                    let here = if first == 0 { depth } else { depth - first };
                    let part = lines.part(0, count, first, here);
                    let range = first / 2..pairs;
                    let size = count.next_multiple_of(2 * width) * pairs;
                    let (mut fast, mut plain) = (vec![7u32; size], vec![7u32; size]);
                    let (into, wanted) = (&mut fast[..], &mut plain[..]);
                    match width {
                        4 => {
                            unsafe { avx512::pack_groups::<4, T>(part, pairs, range.clone(), into) };
                            pack_groups_plainly::<4, T>(part, pairs, range, wanted);
                        }
                        12 => {
                            unsafe { avx512::pack_groups::<12, T>(part, pairs, range.clone(), into) };
                            pack_groups_plainly::<12, T>(part, pairs, range, wanted);
                        }
                        _ => {
                            unsafe { avx512::pack_groups::<16, T>(part, pairs, range.clone(), into) };
                            pack_groups_plainly::<16, T>(part, pairs, range.clone(), wanted);
                            assert!(fast == plain, "groups of 16, {count} lines of {depth} from {first}");
                            unsafe { avx512::pack_blocks(part, pairs, range.clone(), &mut fast) };
                            pack_blocks_plainly(part, pairs, range, &mut plain);
                        }
                    }
                    assert!(fast == plain, "width {width}, {count} lines of {depth} from {first}");
                }
            }
        }
    }

    #[test]
    fn both_ways_of_packing_write_the_same_words() {
        if !avx512::is_available() {
            return;
        }
        for (rows, columns) in [(1, 1), (3, 5), (16, 32), (13, 31), (25, 200), (40, 97), (130, 33)] {
            let mut numbers: Vec<f32> =
                (0..rows * columns).map(|i| (i as f32 - 40.0) * 1.0173f32.powi(i as i32 % 90)).collect();
            numbers[0] = f32::INFINITY;
            let mut halves: Vec<Bfloat16> = numbers.iter().map(|&x| Bfloat16::round(x)).collect();
            agree(Matrix { data: numbers.as_mut_ptr(), rows, columns, stride: columns });
            agree(Matrix { data: halves.as_mut_ptr(), rows, columns, stride: columns });
        }
    }
}
