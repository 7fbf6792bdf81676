//! Element-wise kernels. Those whose destination may be their input copy each piece first and work in place.

use crate::matrix::{Matrix, flatten, for_each_piece};
use crate::philox::{Dropout, Position, for_words};
use crate::simd::{self, vectorised};

pub fn fill(out: Matrix, value: f32) {
    let [out] = flatten([out]);
    for_each_piece(out.rows, out.columns, |r, c, n| out.get_mut(r, c, n).fill(value));
}

/// out = values, row-major and dense
pub fn write(out: Matrix, values: &[f32]) {
    let columns = out.columns;
    for_each_piece(out.rows, columns, |r, c, n| {
        let from = r * columns + c;
        out.get_mut(r, c, n).copy_from_slice(&values[from..from + n]);
    });
}

pub fn copy(out: Matrix, a: Matrix) {
    let [out, a] = flatten([out, a]);
    for_each_piece(out.rows, out.columns, |r, c, n| copy_piece(out, a, r, c, n));
}

/// Copies a piece unless it is the same memory.
fn copy_piece(out: Matrix, a: Matrix, row: usize, column: usize, count: usize) {
    if out.data != a.data || out.stride != a.stride {
        out.get_mut(row, column, count).copy_from_slice(a.get(row, column, count));
    }
}

/// out += factor * a
pub fn add_scaled(out: Matrix, a: Matrix, factor: f64) {
    let [out, a] = flatten([out, a]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, a) = (out.get_mut(r, c, n), a.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for (o, &a) in out.iter_mut().zip(a) {
                    *o = (*o as f64 + factor * a as f64) as f32;
                }
            },
        )
    });
}

/// out[r, c] += row[0, c]
pub fn add_row(out: Matrix, row: Matrix) {
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, row) = (out.get_mut(r, c, n), row.get(0, c, n));
        vectorised(
            #[inline(always)]
            || {
                for (o, &a) in out.iter_mut().zip(row) {
                    *o += a;
                }
            },
        )
    });
}

/// out = tanh(a); out may be a
pub fn tanh(out: Matrix, a: Matrix) {
    let [out, a] = flatten([out, a]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        copy_piece(out, a, r, c, n);
        let out = out.get_mut(r, c, n);
        vectorised(
            #[inline(always)]
            || {
                for o in out {
                    *o = simd::tanh(*o);
                }
            },
        )
    });
}

/// out = g (1 - y^2), or += with `accumulate`
pub fn tanh_gradient(out: Matrix, y: Matrix, g: Matrix, accumulate: bool) {
    let [out, y, g] = flatten([out, y, g]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, y, g) = (out.get_mut(r, c, n), y.get(r, c, n), g.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for ((o, &y), &g) in out.iter_mut().zip(y).zip(g) {
                    let former = if accumulate { *o } else { 0.0 };
                    *o = g.mul_add(1.0 - y * y, former);
                }
            },
        )
    });
}

/// out = max(a, 0); out may be a
pub fn relu(out: Matrix, a: Matrix) {
    let [out, a] = flatten([out, a]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        copy_piece(out, a, r, c, n);
        let out = out.get_mut(r, c, n);
        vectorised(
            #[inline(always)]
            || {
                for o in out {
                    *o = if *o < 0.0 { 0.0 } else { *o };
                }
            },
        )
    });
}

/// out += g where y > 0
pub fn relu_gradient(out: Matrix, y: Matrix, g: Matrix) {
    let [out, y, g] = flatten([out, y, g]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, y, g) = (out.get_mut(r, c, n), y.get(r, c, n), g.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for ((o, &y), &g) in out.iter_mut().zip(y).zip(g) {
                    *o += if y > 0.0 { g } else { 0.0 };
                }
            },
        )
    });
}

/// out = 1 / (1 + e^-a); out may be a
pub fn sigmoid(out: Matrix, a: Matrix) {
    let [out, a] = flatten([out, a]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        copy_piece(out, a, r, c, n);
        let out = out.get_mut(r, c, n);
        vectorised(
            #[inline(always)]
            || {
                for o in out {
                    *o = simd::sigmoid(*o);
                }
            },
        )
    });
}

/// out += g y (1 - y)
pub fn sigmoid_gradient(out: Matrix, y: Matrix, g: Matrix) {
    let [out, y, g] = flatten([out, y, g]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, y, g) = (out.get_mut(r, c, n), y.get(r, c, n), g.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for ((o, &y), &g) in out.iter_mut().zip(y).zip(g) {
                    *o = (g * y).mul_add(1.0 - y, *o);
                }
            },
        )
    });
}

/// out = a sigmoid(a); out may be a
pub fn swish(out: Matrix, a: Matrix) {
    let [out, a] = flatten([out, a]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        copy_piece(out, a, r, c, n);
        let out = out.get_mut(r, c, n);
        vectorised(
            #[inline(always)]
            || {
                for o in out {
                    *o *= simd::sigmoid(*o);
                }
            },
        )
    });
}

/// out += g s (1 + a (1 - s)) with s = sigmoid(a)
pub fn swish_gradient(out: Matrix, a: Matrix, g: Matrix) {
    let [out, a, g] = flatten([out, a, g]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, a, g) = (out.get_mut(r, c, n), a.get(r, c, n), g.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for ((o, &a), &g) in out.iter_mut().zip(a).zip(g) {
                    let s = simd::sigmoid(a);
                    *o = (g * s).mul_add(a.mul_add(1.0 - s, 1.0), *o);
                }
            },
        )
    });
}

/// out += a b, element by element
pub fn add_product(out: Matrix, a: Matrix, b: Matrix) {
    let [out, a, b] = flatten([out, a, b]);
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let (out, a, b) = (out.get_mut(r, c, n), a.get(r, c, n), b.get(r, c, n));
        vectorised(
            #[inline(always)]
            || {
                for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    *o = a.mul_add(b, *o);
                }
            },
        )
    });
}

/// out = a with entries dropped; out may be a.
pub fn dropout(out: Matrix, a: Matrix, dropout: Dropout, position: Position) {
    let ([out, a], stride) = position.flatten([out, a]);
    let scale = dropout.scale as f32;
    for_each_piece(out.rows, out.columns, |r, c, n| {
        copy_piece(out, a, r, c, n);
        let first = position.first + r * stride + c;
        let out = out.get_mut(r, c, n);
        vectorised(
            #[inline(always)]
            || {
                for_words(
                    dropout.key,
                    first,
                    n,
                    #[inline(always)]
                    |from, words| {
                        for (o, &word) in out[from..from + words.len()].iter_mut().zip(words) {
                            *o = if word >= dropout.threshold { *o * scale } else { 0.0 };
                        }
                    },
                )
            },
        )
    });
}

/// out[r] = a[rows[r]]
pub fn take_rows(out: Matrix, a: Matrix, rows: &[u32]) {
    for_each_piece(out.rows, out.columns, |r, c, n| {
        out.get_mut(r, c, n).copy_from_slice(a.get(rows[r] as usize, c, n));
    });
}

/// out[r, k] = a[r, columns[k]]
pub fn take_columns(out: Matrix, a: Matrix, columns: &[u32]) {
    for_each_piece(out.rows, out.columns, |r, c, n| {
        let row = a.row(r);
        for (o, &column) in out.get_mut(r, c, n).iter_mut().zip(&columns[c..c + n]) {
            *o = row[column as usize];
        }
    });
}
