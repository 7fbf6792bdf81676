//! The loss of ELSA, per row, from products of width k; see linearCosine in src/compute/kernels.ts.

use crate::matrix::{Matrix, for_each_row};
use crate::simd::vectorised;
use crate::table::kernels;

kernels! {
    Kernel linearCosine(loss: matrix slopes: matrix z: matrix products: matrix squares: matrix)
        linear_cosine(loss, slopes, z, products, squares);
    Kernel linearCosineGradient(z_gradient: matrix weighted: matrix z: matrix products: matrix slopes: matrix g: matrix)
        linear_cosine_gradient(z_gradient, weighted, z, products, slopes, g);
}

const ROWS_PER_TASK: usize = 4;
/// A prediction whose square is at most this share of that of its target counts as 0: it is rounding error.
const LEAST_SHARE: f64 = 1e-6;
const LANES: usize = 16;

pub fn linear_cosine(loss: Matrix, slopes: Matrix, z: Matrix, products: Matrix, squares: Matrix) {
    for_each_row(z.rows, ROWS_PER_TASK, |r| {
        let a = inner(z.row(r), z.row(r));
        let s = squares.row(r)[0] as f64;
        let q = inner(z.row(r), products.row(r)) - 2.0 * a + s;
        let (value, by_a, by_q) = if s == 0.0 {
            (0.0, 0.0, 0.0)
        } else if q <= LEAST_SHARE * s {
            (1.0, 0.0, 0.0)
        } else {
            let (y, x) = (q.sqrt(), s.sqrt());
            let cosine = (a - s) / (y * x);
            (2.0 - 2.0 * cosine, -4.0 * (1.0 / (y * x) + cosine / q), 2.0 * cosine / q)
        };
        loss.row_mut(r)[0] = value as f32;
        slopes.row_mut(r).copy_from_slice(&[by_a as f32, by_q as f32]);
    });
}

pub fn linear_cosine_gradient(
    z_gradient: Matrix,
    weighted: Matrix,
    z: Matrix,
    products: Matrix,
    slopes: Matrix,
    g: Matrix,
) {
    for_each_row(z.rows, ROWS_PER_TASK, |r| {
        let (to, weighted, z, products) = (z_gradient.row_mut(r), weighted.row_mut(r), z.row(r), products.row(r));
        let [by_a, by_q] = [slopes.row(r)[0], slopes.row(r)[1]].map(|slope| slope * g.row(r)[0]);
        vectorised(
            #[inline(always)]
            || {
                for (((to, w), &z), &p) in to.iter_mut().zip(weighted).zip(z).zip(products) {
                    *to += by_a.mul_add(z, by_q * p);
                    *w = by_q * z;
                }
            },
        );
    });
}

fn inner(a: &[f32], b: &[f32]) -> f64 {
    vectorised(
        #[inline(always)]
        || {
            let mut lanes = [0.0f64; LANES];
            let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
            let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(&a, &b)| a as f64 * b as f64).sum();
            for (a, b) in a.zip(b) {
                for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
                    *lane = (a as f64).mul_add(b as f64, *lane);
                }
            }
            lanes.iter().sum::<f64>() + rest
        },
    )
}
