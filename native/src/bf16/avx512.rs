//! AVX-512-BF16: `vdpbf16ps` adds the products of sixteen pairs to sixteen sums, and `vcvtne2ps2bf16` rounds 32 numbers as they are
//! packed. Both read subnormal numbers as zero.

use super::{BLOCK, COLUMNS, Lines, Packed, store};
use crate::element::{Element, Number};
use crate::matrix::{Matrix, part};
use std::arch::x86_64::*;
use std::ops::Range;

const ROWS: usize = 12;

pub fn is_available() -> bool {
    is_x86_feature_detected!("avx512bf16") && is_x86_feature_detected!("avx512bw")
}

/// Tiles of 12 rows and two vectors: 24 sums, which with two of the right operand and one of the left fill the registers.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn multiply(out: Matrix, left: Packed, right: Packed, accumulate: bool) {
    let pairs = left.pairs;
    for column in (0..out.columns).step_by(2 * COLUMNS) {
        let right = right.words[column * pairs..][..2 * COLUMNS * pairs].as_ptr();
        let columns = (2 * COLUMNS).min(out.columns - column);
        for row in (0..out.rows).step_by(ROWS) {
            let left = left.words[row * pairs..][..ROWS * pairs].as_ptr();
            let rows = ROWS.min(out.rows - row);
            let whole = rows == ROWS && columns == 2 * COLUMNS;
            // Where they lie in `out`, or aside.
            let mut aside = [0.0f32; ROWS * 2 * COLUMNS];
            let (into, stride) =
                if whole { (out.at(row, column), out.stride) } else { (aside.as_mut_ptr(), 2 * COLUMNS) };
            unsafe { tile(left, right, right.add(COLUMNS * pairs), pairs, into, stride, whole && accumulate) };
            if !whole {
                store(part(out, row, column, rows, columns), &aside, 2 * COLUMNS, accumulate);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
unsafe fn tile(
    left: *const u32,
    first: *const u32,
    second: *const u32,
    pairs: usize,
    out: *mut f32,
    stride: usize,
    accumulate: bool,
) {
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
        for p in 0..pairs {
            let vector = |of: *const u32| {
                std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(of.add(p * COLUMNS).cast()))
            };
            let (first, second) = (vector(first), vector(second));
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(*left.add(p * ROWS + r) as i32));
                sums[0] = _mm512_dpbf16_ps(sums[0], x, first);
                sums[1] = _mm512_dpbf16_ps(sums[1], x, second);
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                let at = out.add(r * stride + v * COLUMNS);
                _mm512_storeu_ps(at, if accumulate { _mm512_add_ps(_mm512_loadu_ps(at), sum) } else { sum });
            }
        }
    }
}

/// Pairs that are packed for all groups before the next ones, where lines are columns: rows are then read as they lie.
const AT_ONCE: usize = 8;

/// [group][pair][W lines], as `super::pack_groups`.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn pack_groups<const W: usize, T: Number>(lines: Lines<T>, pairs: usize, range: Range<usize>, into: &mut [u32]) {
    if pairs == 0 {
        return;
    }
    let every = first_lanes(W);
    if lines.across {
        for from in range.clone().step_by(AT_ONCE) {
            for (g, group) in into.chunks_exact_mut(W * pairs).enumerate() {
                for p in from..range.end.min(from + AT_ONCE) {
                    let vector = across(&lines, g * W, W, p - range.start);
                    unsafe { _mm512_mask_storeu_epi32(group[p * W..][..W].as_mut_ptr().cast(), every, vector) };
                }
            }
        }
        return;
    }
    for (g, group) in into.chunks_exact_mut(W * pairs).enumerate() {
        for (b, block) in group[range.start * W..range.end * W].chunks_mut(BLOCK * W).enumerate() {
            let vectors = transposed(std::array::from_fn(|l| along(&lines, g * W, W, l, b)));
            for (into, vector) in block.as_chunks_mut::<W>().0.iter_mut().zip(vectors) {
                unsafe { _mm512_mask_storeu_epi32(into.as_mut_ptr().cast(), every, vector) };
            }
        }
    }
}

/// [group][block][16 lines][16 pairs], as `super::pack_blocks`.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub fn pack_blocks<T: Number>(lines: Lines<T>, pairs: usize, range: Range<usize>, into: &mut [u32]) {
    for (g, group) in into.chunks_exact_mut((BLOCK * pairs).max(1)).enumerate() {
        let group = &mut group[BLOCK * range.start..BLOCK * range.end];
        for (b, block) in group.as_chunks_mut::<{ BLOCK * BLOCK }>().0.iter_mut().enumerate() {
            let vectors: [__m512i; BLOCK] = if lines.across {
                transposed(std::array::from_fn(|p| across(&lines, g * BLOCK, BLOCK, b * BLOCK + p)))
            } else {
                std::array::from_fn(|l| along(&lines, g * BLOCK, BLOCK, l, b))
            };
            for (into, vector) in block.as_chunks_mut::<BLOCK>().0.iter_mut().zip(vectors) {
                unsafe { _mm512_storeu_si512(into.as_mut_ptr().cast(), vector) };
            }
        }
    }
}

fn first_lanes(count: usize) -> __mmask16 {
    if count >= 16 { !0 } else { (1 << count) - 1 }
}

/// The pairs of block `block` of one line of a group of `width` lines; lines are rows. Zero where there are none.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn along<T: Number>(lines: &Lines<T>, first: usize, width: usize, line: usize, block: usize) -> __m512i {
    let row = first + line;
    let count = lines.depth().saturating_sub(2 * BLOCK * block).min(2 * BLOCK);
    if line >= width || row >= lines.count() || count == 0 {
        return _mm512_setzero_si512();
    }
    let at = lines.of.at(row, 2 * BLOCK * block);
    unsafe {
        match T::ELEMENT {
            Element::Float32 => {
                let at: *const f32 = at.cast();
                let low = _mm512_maskz_loadu_ps(first_lanes(count), at);
                let high = _mm512_maskz_loadu_ps(first_lanes(count.saturating_sub(16)), at.wrapping_add(16));
                std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
            }
            Element::Bfloat16 => _mm512_maskz_loadu_epi16((!0u32) >> (32 - count), at.cast()),
            _ => unreachable!("operands of bf16 products are float32 or bfloat16"),
        }
    }
}

/// Pair `pair` of the lines of a group of `width`; lines are columns. Zero where there are none.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn across<T: Number>(lines: &Lines<T>, first: usize, width: usize, pair: usize) -> __m512i {
    let (depth, k) = (lines.depth(), 2 * pair);
    let lanes = first_lanes(lines.count().saturating_sub(first).min(width));
    if k >= depth || lanes == 0 {
        return _mm512_setzero_si512();
    }
    let second = if k + 1 < depth { lanes } else { 0 };
    let (low, high) = (lines.of.at(k, first), lines.of.at(k, first).wrapping_add(lines.of.stride));
    // Words 0 to 15 are the first place's, 16 to 31 the second's.
    let words = unsafe {
        match T::ELEMENT {
            Element::Float32 => {
                let (low, high) =
                    (_mm512_maskz_loadu_ps(lanes, low.cast()), _mm512_maskz_loadu_ps(second, high.cast()));
                std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
            }
            Element::Bfloat16 => {
                let low = _mm512_maskz_loadu_epi16(lanes as u32, low.cast());
                let high = _mm512_maskz_loadu_epi16(second as u32, high.cast());
                _mm512_inserti64x4(low, _mm512_castsi512_si256(high), 1)
            }
            _ => unreachable!("operands of bf16 products are float32 or bfloat16"),
        }
    };
    let order: [u16; 32] = std::array::from_fn(|w| (w / 2 + w % 2 * 16) as u16);
    unsafe { _mm512_permutexvar_epi16(_mm512_loadu_si512(order.as_ptr().cast()), words) }
}

/// Sixteen vectors of sixteen words, transposed.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
#[inline]
fn transposed(rows: [__m512i; BLOCK]) -> [__m512i; BLOCK] {
    let zero = _mm512_setzero_si512();
    let (mut pairs, mut fours, mut columns) = ([zero; BLOCK], [zero; BLOCK], [zero; BLOCK]);
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // fours[4 i + j]: in part q of 128 bits, rows 4 i to 4 i + 3 of column 4 q + j.
    for i in 0..4 {
        for half in 0..2 {
            let (a, b) = (pairs[4 * i + half], pairs[4 * i + half + 2]);
            fours[4 * i + 2 * half] = _mm512_unpacklo_epi64(a, b);
            fours[4 * i + 2 * half + 1] = _mm512_unpackhi_epi64(a, b);
        }
    }
    for j in 0..4 {
        let even = _mm512_shuffle_i32x4(fours[j], fours[4 + j], 0x88);
        let odd = _mm512_shuffle_i32x4(fours[j], fours[4 + j], 0xdd);
        let even_below = _mm512_shuffle_i32x4(fours[8 + j], fours[12 + j], 0x88);
        let odd_below = _mm512_shuffle_i32x4(fours[8 + j], fours[12 + j], 0xdd);
        columns[j] = _mm512_shuffle_i32x4(even, even_below, 0x88);
        columns[4 + j] = _mm512_shuffle_i32x4(odd, odd_below, 0x88);
        columns[8 + j] = _mm512_shuffle_i32x4(even, even_below, 0xdd);
        columns[12 + j] = _mm512_shuffle_i32x4(odd, odd_below, 0xdd);
    }
    columns
}
