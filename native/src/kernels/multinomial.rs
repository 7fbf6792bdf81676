//! The multinomial log-likelihood over items (Liang et al. 2018, equation 2) and its gradient, row by row while the row
//! is in cache. The forward pass leaves exp(logit + bias - max) in `logits` and [their sum, n] in `statistics`.

use crate::matrix::{Matrix, for_each_row};
use crate::simd::{LANES, SUM_BLOCK, exp, ln, sum_block, vectorised};
use crate::sparse::Sparse;

const ROWS_PER_TASK: usize = 4;

pub fn multinomial_loss(loss: Matrix, logits: Matrix, bias: Matrix, target: &Sparse, statistics: Matrix) {
    let bias = bias.row(0);
    for_each_row(logits.rows, ROWS_PER_TASK, |r| {
        let row = logits.row_mut(r);
        let largest = vectorised(
            #[inline(always)]
            || largest_sum(row, bias),
        );
        let mut n = 0.0f64;
        let mut chosen = 0.0f64;
        for entry in target.entries(r) {
            let x = target.value(entry) as f64;
            let item = target.indices[entry] as usize;
            n += x;
            chosen += x * ((row[item] + bias[item]) - largest) as f64;
        }
        let sum = vectorised(
            #[inline(always)]
            || exponentials(row, bias, largest),
        );
        loss.row_mut(r)[0] = if sum.is_finite() { (n * ln(sum) - chosen) as f32 } else { f32::NAN };
        let statistics = statistics.row_mut(r);
        statistics[0] = sum as f32;
        statistics[1] = n as f32;
    });
}

/// max over i of row[i] + bias[i]; NaNs are passed over.
#[inline(always)]
fn largest_sum(row: &[f32], bias: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (row, bias) = (row.chunks_exact(LANES), bias.chunks_exact(LANES));
    let mut largest = f32::NEG_INFINITY;
    for (&x, &bias) in row.remainder().iter().zip(bias.remainder()) {
        largest = if x + bias > largest { x + bias } else { largest };
    }
    for (row, bias) in row.zip(bias) {
        for ((lane, &x), &bias) in lanes.iter_mut().zip(row).zip(bias) {
            *lane = if x + bias > *lane { x + bias } else { *lane };
        }
    }
    lanes.iter().fold(largest, |a, &b| if b > a { b } else { a })
}

/// row = exp(row + bias - largest); returns the sum, block by block.
#[inline(always)]
fn exponentials(row: &mut [f32], bias: &[f32], largest: f32) -> f64 {
    let mut sum = 0.0;
    for (row, bias) in row.chunks_mut(SUM_BLOCK).zip(bias.chunks(SUM_BLOCK)) {
        for (x, &bias) in row.iter_mut().zip(bias) {
            *x = exp((*x + bias) - largest);
        }
        sum += sum_block(row);
    }
    sum
}

/// logits = g_r (n_r softmax - x)
pub fn multinomial_loss_gradient(logits: Matrix, target: &Sparse, statistics: Matrix, g: Matrix) {
    for_each_row(logits.rows, ROWS_PER_TASK, |r| {
        let row = logits.row_mut(r);
        let statistics = statistics.row(r);
        let upstream = g.row(r)[0];
        let factor = (upstream as f64 * statistics[1] as f64 / statistics[0] as f64) as f32;
        vectorised(
            #[inline(always)]
            || {
                for x in row.iter_mut() {
                    *x *= factor;
                }
            },
        );
        for entry in target.entries(r) {
            row[target.indices[entry] as usize] -= upstream * target.value(entry);
        }
    });
}
