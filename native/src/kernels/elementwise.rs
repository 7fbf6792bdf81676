//! Element-wise kernels. Kernels whose output may be their input first copy each piece and then work in place.

use crate::calls;
use crate::element::Number;
use crate::matrix::{Floats, Matrix, Numbers, flatten, for_each_piece};
use crate::philox::{Dropout, Position, for_words};
use crate::simd::{self, vectorised};
use crate::table::kernels;

kernels! {
    Kernel fill(out: float32_or_bfloat16_or_int8 value: number) fill(out, value as f32);
    Kernel copy(out: matrix a: matrix) copy(out, a);
    Kernel convert(out: float32_or_bfloat16 a: float32_or_bfloat16) convert(out, a);
    Kernel addScaled(out: matrix a: matrix factor: number) add_scaled(out, a, factor);
    Kernel addRow(out: matrix row: matrix) add_row(out, row);
    Kernel tanh(out: matrix a: matrix) tanh(out, a);
    Kernel tanhGradient(out: matrix y: matrix g: matrix accumulate: maybe_number)
        tanh_gradient(out, y, g, calls::is_set(accumulate));
    Kernel relu(out: matrix a: matrix) relu(out, a);
    Kernel reluGradient(out: matrix y: matrix g: matrix) relu_gradient(out, y, g);
    Kernel sigmoid(out: matrix a: matrix) sigmoid(out, a);
    Kernel sigmoidGradient(out: matrix y: matrix g: matrix) sigmoid_gradient(out, y, g);
    Kernel swish(out: matrix a: matrix) swish(out, a);
    Kernel swishGradient(out: matrix a: matrix g: matrix) swish_gradient(out, a, g);
    Kernel addProduct(out: matrix a: matrix b: matrix) add_product(out, a, b);
    Kernel dropout(out: matrix a: matrix rate: number key_seed: number key_step: number key_stream: number
        first: maybe_number row_stride: maybe_number)
        dropout(out, a, calls::dropout(rate, calls::key(key_seed, key_step, key_stream)), calls::position(first, row_stride));
    Kernel takeRows(out: matrix a: matrix rows: list) take_rows(out, a, &rows);
    Kernel takeColumns(out: matrix a: matrix columns: list) take_columns(out, a, &columns);
}

pub fn fill(out: Numbers, value: f32) {
    fn fill<T: Number>(out: Matrix<T>, value: f32) {
        let [out] = flatten([out]);
        for_each_piece(out.rows, out.columns, |r, c, n| out.get_mut(r, c, n).fill(T::round(value)));
    }
    match out {
        Numbers::Float32(out) => fill(out, value),
        Numbers::Bfloat16(out) => fill(out, value),
        Numbers::Int8(out) => fill(out, value),
    }
}

/// out = values, row-major and dense
pub fn write(out: Numbers, values: &[f32]) {
    fn write<T: Number>(out: Matrix<T>, values: &[f32]) {
        let columns = out.columns;
        for_each_piece(out.rows, columns, |r, c, n| {
            let from = r * columns + c;
            convert_slice(out.get_mut(r, c, n), &values[from..from + n]);
        });
    }
    match out {
        Numbers::Float32(out) => write(out, values),
        Numbers::Bfloat16(out) => write(out, values),
        Numbers::Int8(out) => write(out, values),
    }
}

/// The elements, row-major and dense.
pub fn read(a: Numbers) -> Vec<f32> {
    match a {
        Numbers::Float32(a) => a.to_vec(),
        Numbers::Bfloat16(a) => a.to_vec(),
        Numbers::Int8(a) => a.to_vec(),
    }
}

pub fn convert(out: Floats, a: Floats) {
    fn convert<T: Number, U: Number>(out: Matrix<T>, a: Matrix<U>) {
        for_each_piece(out.rows, out.columns, |r, c, n| convert_slice(out.get_mut(r, c, n), a.get(r, c, n)));
    }
    match (out, a) {
        (Floats::Float32(out), Floats::Float32(a)) => copy(out, a),
        (Floats::Float32(out), Floats::Bfloat16(a)) => convert(out, a),
        (Floats::Bfloat16(out), Floats::Float32(a)) => convert(out, a),
        (Floats::Bfloat16(out), Floats::Bfloat16(a)) => convert(out, a),
    }
}

fn convert_slice<T: Number, U: Number>(out: &mut [T], a: &[U]) {
    vectorised(
        #[inline(always)]
        || {
            for (out, a) in out.iter_mut().zip(a) {
                *out = T::round(a.widen());
            }
        },
    );
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
                    *o += simd::keep_if(y > 0.0, g);
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
                            *o = simd::keep_if(word >= dropout.threshold, *o * scale);
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
