//! AVX-512-BF16: `vdpbf16ps` adds the products of sixteen pairs to sixteen sums.

use super::{COLUMNS, Packed, store};
use crate::matrix::{Matrix, part};
use std::arch::x86_64::*;

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
