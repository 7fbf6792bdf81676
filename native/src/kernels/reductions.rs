//! Sums. The assignment of elements to partial sums depends only on the shape, and the partial sums are added in order, in float64.

use crate::matrix::{Matrix, PIECE, flatten, for_each_task};
use crate::simd::vectorised;
use crate::table::kernels;
use rayon::prelude::*;

kernels! {
    Kernel addSumOfRows(out: matrix a: matrix) sum_rows(out, a);
    Kernel addSum(out: matrix a: matrix factor: number) sum(out, a, factor);
    Kernel addSumOfSquares(out: matrix a: matrix factor: number) sum_of_squares(out, a, factor);
}

/// Columns per task: the float64 sums stay in the L1 cache.
const COLUMNS: usize = 256;

/// out[0, c] += sum over r of a[r, c]
pub fn sum_rows(out: Matrix, a: Matrix) {
    for_each_task(a.columns.div_ceil(COLUMNS), |task| {
        let first = task * COLUMNS;
        let count = COLUMNS.min(a.columns - first);
        let out = out.get_mut(0, first, count);
        vectorised(
            #[inline(always)]
            || {
                let mut sums = [0.0f64; COLUMNS];
                for r in 0..a.rows {
                    for (sum, &x) in sums.iter_mut().zip(a.get(r, first, count)) {
                        *sum += x as f64;
                    }
                }
                for (o, &sum) in out.iter_mut().zip(&sums) {
                    *o = (*o as f64 + sum) as f32;
                }
            },
        )
    });
}

/// out[0, 0] += factor * sum of a
pub fn sum(out: Matrix, a: Matrix, factor: f64) {
    add_total(
        out,
        a,
        factor,
        #[inline(always)]
        |x| x,
    );
}

/// out[0, 0] += factor * sum of a^2
pub fn sum_of_squares(out: Matrix, a: Matrix, factor: f64) {
    add_total(
        out,
        a,
        factor,
        #[inline(always)]
        |x| x * x,
    );
}

fn add_total(out: Matrix, a: Matrix, factor: f64, f: impl Fn(f64) -> f64 + Sync) {
    let [a] = flatten([a]);
    let per_row = a.columns.div_ceil(PIECE);
    let partial = |piece: usize| {
        let first = piece % per_row * PIECE;
        let piece = a.get(piece / per_row, first, PIECE.min(a.columns - first));
        vectorised(
            #[inline(always)]
            || {
                let mut lanes = [0.0f64; 8];
                let whole = piece.chunks_exact(8);
                for (lane, &x) in lanes.iter_mut().zip(whole.remainder()) {
                    *lane = f(x as f64);
                }
                for chunk in whole {
                    for (lane, &x) in lanes.iter_mut().zip(chunk) {
                        *lane += f(x as f64);
                    }
                }
                lanes.iter().sum::<f64>()
            },
        )
    };
    let partials: Vec<f64> = (0..a.rows * per_row).into_par_iter().map(partial).collect();
    let total: f64 = partials.iter().sum();
    let out = &mut out.row_mut(0)[0];
    *out = (*out as f64 + factor * total) as f32;
}
