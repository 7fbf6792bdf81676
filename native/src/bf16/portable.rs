//! Without instructions for bfloat16: pairs are widened to float32 in registers. A product of two bfloat16 is exact there.

use super::{COLUMNS, Packed, store};
use crate::matrix::{Matrix, part};

/// Inside `vectorised` only. `R`: rows of a tile, whose sums stay in registers.
#[inline(always)]
pub fn multiply<const R: usize>(out: Matrix, left: Packed, right: Packed, accumulate: bool) {
    let pairs = left.pairs;
    for column in (0..out.columns).step_by(COLUMNS) {
        let right = right.words[column * pairs..][..COLUMNS * pairs].as_chunks::<COLUMNS>().0;
        let columns = COLUMNS.min(out.columns - column);
        for row in (0..out.rows).step_by(R) {
            let left = left.words[row * pairs..][..R * pairs].as_chunks::<R>().0;
            let sums = tile::<R>(left, right);
            let rows = R.min(out.rows - row);
            store(part(out, row, column, rows, columns), sums.as_flattened(), COLUMNS, accumulate);
        }
    }
}

#[inline(always)]
fn tile<const R: usize>(left: &[[u32; R]], right: &[[u32; COLUMNS]]) -> [[f32; COLUMNS]; R] {
    let mut sums = [[0.0f32; COLUMNS]; R];
    for (left, right) in left.iter().zip(right) {
        let low: [f32; COLUMNS] = std::array::from_fn(|c| f32::from_bits(right[c] << 16));
        let high: [f32; COLUMNS] = std::array::from_fn(|c| f32::from_bits(right[c] & 0xffff_0000));
        for r in 0..R {
            let (a, b) = (f32::from_bits(left[r] << 16), f32::from_bits(left[r] & 0xffff_0000));
            for c in 0..COLUMNS {
                sums[r][c] = b.mul_add(high[c], a.mul_add(low[c], sums[r][c]));
            }
        }
    }
    sums
}
