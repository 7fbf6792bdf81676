//! The sparse first layer: the product of (scaled, dropped-out) histories with the weights, at the cost of the entries.

use crate::matrix::{Matrix, for_each_row};
use crate::philox::{Dropout, for_words};
use crate::simd::vectorised;
use crate::sparse::Sparse;

/// Rows that one task sums up.
const ROWS_PER_TASK: usize = 8;

#[derive(Clone, Copy)]
pub struct Options {
    /// Divide every row by max(its L2 norm, 1e-12), the norm taken before dropout.
    pub unit_rows: bool,
    pub dropout: Option<Dropout>,
}

/// What each entry counts for; 0 where it is dropped.
fn factors(input: &Sparse, options: Options) -> Vec<f32> {
    let mut factors = vec![0.0f32; input.indices.len()];
    for row in 0..input.rows {
        let entries = input.entries(row);
        let scale = if options.unit_rows {
            let squares: f64 = match &input.values {
                None => entries.len() as f64,
                Some(values) => values[entries.clone()].iter().map(|&x| x as f64 * x as f64).sum(),
            };
            1.0 / squares.sqrt().max(1e-12)
        } else {
            1.0
        };
        for entry in entries {
            factors[entry] = (input.value(entry) as f64 * scale) as f32;
        }
    }
    if let Some(dropout) = options.dropout {
        let scale = dropout.scale as f32;
        vectorised(
            #[inline(always)]
            || {
                for_words(
                    dropout.key,
                    0,
                    factors.len(),
                    #[inline(always)]
                    |from, words| {
                        for (factor, &word) in factors[from..from + words.len()].iter_mut().zip(words) {
                            *factor = if word >= dropout.threshold { *factor * scale } else { 0.0 };
                        }
                    },
                )
            },
        )
    }
    factors
}

/// out += factor * a
#[inline(always)]
fn add(out: &mut [f32], a: &[f32], factor: f32) {
    for (o, &a) in out.iter_mut().zip(a) {
        *o = a.mul_add(factor, *o);
    }
}

/// out[r] = sum over the entries of row r of factor * weights[column]
pub fn sparse_row_sum(out: Matrix, input: &Sparse, weights: Matrix, options: Options) {
    let factors = factors(input, options);
    for_each_row(input.rows, ROWS_PER_TASK, |row| {
        let out = out.row_mut(row);
        vectorised(
            #[inline(always)]
            || {
                out.fill(0.0);
                for entry in input.entries(row) {
                    let factor = factors[entry];
                    if factor != 0.0 {
                        add(out, weights.row(input.indices[entry] as usize), factor);
                    }
                }
            },
        )
    });
}

/// out[t] = sum over the entries of touched column t of factor * g[row], in ascending order of the rows
pub fn sparse_row_sum_gradient(out: Matrix, input: &Sparse, g: Matrix, options: Options) {
    let factors = factors(input, options);
    let transposed = input.transposed();
    for_each_row(input.touched.len(), ROWS_PER_TASK, |touched| {
        let out = out.row_mut(touched);
        let entries = transposed.offsets[touched] as usize..transposed.offsets[touched + 1] as usize;
        vectorised(
            #[inline(always)]
            || {
                out.fill(0.0);
                for entry in entries {
                    let factor = factors[transposed.positions[entry] as usize];
                    if factor != 0.0 {
                        add(out, g.row(transposed.rows[entry] as usize), factor);
                    }
                }
            },
        )
    });
}
