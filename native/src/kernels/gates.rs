//! Gates, clamps, and rows that are added or scaled: what gated layers, pseudo-inputs and mixtures need.

use crate::matrix::{Matrix, flatten, for_each_piece};
use crate::simd::{sigmoid, vectorised};

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

/// out = min(max(a, low), high), a NaN let through; out may be a
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
                    *o += if a > low && a < high { g } else { 0.0 };
                }
            },
        )
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
