//! The multinomial log-likelihood over items (Liang et al. 2018, equation 2) and its gradient, row by row while the row
//! is in cache. The forward pass leaves exp(logit + bias - max) in `logits` and [their sum, n] in `statistics`.

use crate::matrix::{Matrix, for_each_row};
use crate::simd::{LANES, exp, ln, sum_by_blocks, vectorised};
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
            || {
                sum_by_blocks(
                    row.len(),
                    #[inline(always)]
                    |i| {
                        let e = exp((row[i] + bias[i]) - largest);
                        row[i] = e;
                        e
                    },
                )
            },
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
    let whole = row.len() / LANES * LANES;
    for first in (0..whole).step_by(LANES) {
        for l in 0..LANES {
            let x = row[first + l] + bias[first + l];
            lanes[l] = if x > lanes[l] { x } else { lanes[l] };
        }
    }
    let mut largest = f32::NEG_INFINITY;
    for i in whole..row.len() {
        let x = row[i] + bias[i];
        largest = if x > largest { x } else { largest };
    }
    lanes.iter().fold(largest, |a, &b| if b > a { b } else { a })
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
