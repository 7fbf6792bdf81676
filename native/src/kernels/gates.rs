//! Gates, clamps, and adding or scaling of rows, for gated layers, pseudo-inputs and mixtures.

use crate::calls;
use crate::matrix::{Matrix, flatten, for_each_piece, for_each_row};
use crate::philox::{Dropout, Position, for_words};
use crate::simd::{SUM_BLOCK, keep_if, sigmoid, sum_block, vectorised};
use crate::table::kernels;

kernels! {
    Kernel gate(out: matrix a: matrix b: matrix) gate(out, a, b);
    Kernel gateGradient(a_gradient: matrix b_gradient: matrix a: matrix b: matrix g: matrix)
        gate_gradient(a_gradient, b_gradient, a, b, g);
    Kernel clamp(out: matrix a: matrix low: number high: number) clamp(out, a, low as f32, high as f32);
    Kernel clampGradient(out: matrix a: matrix g: matrix low: number high: number)
        clamp_gradient(out, a, g, low as f32, high as f32);
    Kernel dropClamped(out: matrix a: matrix rate: number key_seed: number key_step: number key_stream: number
        first: maybe_number row_stride: maybe_number)
        drop_clamped(out, a, calls::dropout(rate, calls::key(key_seed, key_step, key_stream)), calls::position(first, row_stride));
    Kernel dropClampedGradient(out: matrix a: matrix y: matrix g: matrix rate: number accumulate: maybe_number)
        drop_clamped_gradient(out, a, y, g, (1.0 / (1.0 - rate)) as f32, calls::is_set(accumulate));
    Kernel unitRows(out: matrix a: matrix) unit_rows(out, a);
    Kernel unitRowsGradient(out: matrix a: matrix g: matrix) unit_rows_gradient(out, a, g);
    Kernel addRows(out: matrix a: matrix rows: list) add_rows(out, a, &rows);
    Kernel scaleRows(out: matrix a: matrix factor: matrix) scale_rows(out, a, factor);
}

/// out = a sigmoid(b)
pub fn gate(out: Matrix, a: Matrix, b: Matrix) {
    let [out, a, b] = flatten([out, a, b]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, a, b) = (out.get_mut(r, c, n), a.get(r, c, n), b.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    *o = a * sigmoid(b);
                }
            },
        )
    });
}

/// a_gradient += g sigmoid(b); b_gradient += g a sigmoid(b) (1 - sigmoid(b))
pub fn gate_gradient(a_gradient: Matrix, b_gradient: Matrix, a: Matrix, b: Matrix, g: Matrix) {
    let [a_gradient, b_gradient, a, b, g] = flatten([a_gradient, b_gradient, a, b, g]);
    for_each_piece(g.rows, g.columns, |r, c, n| {
        let (da, db) = (a_gradient.get_mut(r, c, n), b_gradient.get_mut(r, c, n));
        let (a, b, g) = (a.get(r, c, n), b.get(r, c, n), g.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for ((((da, db), &a), &b), &g) in da.iter_mut().zip(db).zip(a).zip(b).zip(g) {
                    let open = sigmoid(b);
                    let upstream = g * open;
                    *da += upstream;
                    *db = (upstream * a).mul_add(1.0 - open, *db);
                }
            },
        )
    });
}

/// out = min(max(a, low), high), preserving NaN; out may be a
pub fn clamp(out: Matrix, a: Matrix, low: f32, high: f32) {
    let [out, a] = flatten([out, a]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        // Element by element through pointers: out may be a.
        let (to, from) = (out.at(r, c), a.at(r, c));
        vectorised(
            #[inline(always)]
            || {
                for i in 0..n {
                    let x = unsafe { *from.add(i) };
                    let x = if x < low { low } else { x };
                    unsafe { *to.add(i) = if x > high { high } else { x } };
                }
            },
        )
    });
}

/// out += g where low < a < high
pub fn clamp_gradient(out: Matrix, a: Matrix, g: Matrix, low: f32, high: f32) {
    let [out, a, g] = flatten([out, a, g]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, a, g) = (out.get_mut(r, c, n), a.get(r, c, n), g.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for ((o, &a), &g) in out.iter_mut().zip(a).zip(g) {
                    *o += keep_if((a > low) & (a < high), g);
                }
            },
        )
    });
}

/// out = min(max(a, 0), 1) with entries dropped, preserving NaN.
pub fn drop_clamped(out: Matrix, a: Matrix, dropout: Dropout, position: Position) {
    let ([out, a], stride) = position.flatten([out, a]);
    let scale = dropout.scale as f32;
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let first = position.first + r * stride + c;
        let (out, a) = (out.get_mut(r, c, n), a.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for_words(
                    dropout.key,
                    first,
                    n,
                    #[inline(always)]
                    |from, words| {
                        let to = from + words.len();
                        for ((o, &x), &word) in out[from..to].iter_mut().zip(&a[from..to]).zip(words) {
                            let x = if x < 0.0 { 0.0 } else { x };
                            let x = if x > 1.0 { 1.0 } else { x };
                            *o = keep_if(word >= dropout.threshold, x * scale);
                        }
                    },
                )
            },
        )
    });
}

/// out = or += scale g where a < 1 and y > 0, with y = drop_clamped(a)
pub fn drop_clamped_gradient(out: Matrix, a: Matrix, y: Matrix, g: Matrix, scale: f32, accumulate: bool) {
    let [out, a, y, g] = flatten([out, a, y, g]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, a) = (out.get_mut(r, c, n), a.get(r, c, n));
        let (y, g) = (y.get(r, c, n), g.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                let gradients = a.iter().zip(y).zip(g).map(
                    #[inline(always)]
                    |((&a, &y), &g)| keep_if((a < 1.0) & (y > 0.0), scale * g),
                );
                if accumulate {
                    out.iter_mut().zip(gradients).for_each(|(o, gradient)| *o += gradient);
                } else {
                    out.iter_mut().zip(gradients).for_each(|(o, gradient)| *o = gradient);
                }
            },
        )
    });
}

const LEAST_NORM: f64 = 1e-12;

/// The sum of the products of two rows, in blocks.
#[inline(always)]
fn inner_product(a: &[f32], b: &[f32]) -> f64 {
    let mut sum = 0.0;
    let mut products = [0.0f32; SUM_BLOCK];
    for (a, b) in a.chunks(SUM_BLOCK).zip(b.chunks(SUM_BLOCK)) {
        for ((product, &a), &b) in products.iter_mut().zip(a).zip(b) {
            *product = a * b;
        }
        sum += sum_block(&products[..a.len()]);
    }
    sum
}

/// out[r] = a[r] / max(its norm, 1e-12)
pub fn unit_rows(out: Matrix, a: Matrix) {
    for_each_row(a.rows, 1, |r| {
        let (out, a) = (out.row_mut(r), a.row(r));
        vectorised(
            #[inline(always)]
            || {
                let factor = (1.0 / inner_product(a, a).sqrt().max(LEAST_NORM)) as f32;
                for (o, &a) in out.iter_mut().zip(a) {
                    *o = factor * a;
                }
            },
        );
    });
}

/// out[r] += (g - y (y . g)) / norm with y = a / norm; out += g / 1e-12 where the norm is below that
pub fn unit_rows_gradient(out: Matrix, a: Matrix, g: Matrix) {
    for_each_row(a.rows, 1, |r| {
        let (out, a, g) = (out.row_mut(r), a.row(r), g.row(r));
        vectorised(
            #[inline(always)]
            || {
                let norm = inner_product(a, a).sqrt();
                let factor = 1.0 / norm.max(LEAST_NORM);
                let along = if norm < LEAST_NORM { 0.0 } else { inner_product(a, g) * factor.powi(3) };
                let (factor, along) = (factor as f32, along as f32);
                for ((o, &a), &g) in out.iter_mut().zip(a).zip(g) {
                    *o += (-along).mul_add(a, factor * g);
                }
            },
        );
    });
}

/// out[rows[r]] += a[r]; the rows are distinct
pub fn add_rows(out: Matrix, a: Matrix, rows: &[u32]) {
    for_each_piece(a.rows, a.columns, |r, c, n| {
        let (out, a) = (out.get_mut(rows[r] as usize, c, n), a.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for (o, &a) in out.iter_mut().zip(a) {
                    *o += a;
                }
            },
        )
    });
}

/// out[r, c] = factor[r, 0] a[r, c]; out may be a
pub fn scale_rows(out: Matrix, a: Matrix, factor: Matrix) {
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let factor = factor.row(r)[0];
        let (to, from) = (out.at(r, c), a.at(r, c));
        vectorised(
            #[inline(always)]
            || {
                for i in 0..n {
                    unsafe { *to.add(i) = factor * *from.add(i) };
                }
            },
        )
    });
}
