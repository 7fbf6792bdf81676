//! The Bernoulli log-likelihood over items from logits and its gradient, row by row while the row is in cache:
//! with l = logit + bias, -log p = max(l, 0) - l x + log(1 + e^-|l|), which overflows nowhere. The forward pass leaves
//! sigmoid(l) in `logits`. The logarithms of a block are one: that of the product of their arguments, each in [1, 2].

use crate::matrix::{Matrix, for_each_row};
use crate::simd::{LANES, SUM_BLOCK, exp, ln, vectorised};
use crate::sparse::Sparse;

const ROWS_PER_TASK: usize = 4;

pub fn bernoulli_loss(loss: Matrix, logits: Matrix, bias: Matrix, target: &Sparse) {
    let bias = bias.row(0);
    for_each_row(logits.rows, ROWS_PER_TASK, |r| {
        let row = logits.row_mut(r);
        let mut chosen = 0.0f64;
        for entry in target.entries(r) {
            let item = target.indices[entry] as usize;
            chosen += (target.value(entry) * (row[item] + bias[item])) as f64;
        }
        let mut sum = 0.0f64;
        for (row, bias) in row.chunks_mut(SUM_BLOCK).zip(bias.chunks(SUM_BLOCK)) {
            let (positive, product) = vectorised(
                #[inline(always)]
                || sigmoids(row, bias),
            );
            // ln is for finite numbers: a NaN among the logits is a NaN here.
            sum += if product.is_finite() { positive + ln(product) } else { f64::NAN };
        }
        loss.row_mut(r)[0] = (sum - chosen) as f32;
    });
}

/// row = sigmoid(row + bias) for at most `SUM_BLOCK` elements; returns the sum of max(l, 0) and the product of 1 + e^-|l|,
/// at most 2^`SUM_BLOCK`.
#[inline(always)]
fn sigmoids(row: &mut [f32], bias: &[f32]) -> (f64, f64) {
    let mut positive = [0.0f32; LANES];
    let mut product = [1.0f64; LANES];
    let mut row = row.chunks_exact_mut(LANES);
    let bias = bias.chunks_exact(LANES);
    let last_bias = bias.remainder();
    for (row, bias) in row.by_ref().zip(bias) {
        for (((x, &bias), positive), product) in row.iter_mut().zip(bias).zip(&mut positive).zip(&mut product) {
            let (value, above, factor) = sigmoid(*x + bias);
            *x = value;
            *positive += above;
            *product *= factor as f64;
        }
    }
    for (((x, &bias), positive), product) in
        row.into_remainder().iter_mut().zip(last_bias).zip(&mut positive).zip(&mut product)
    {
        let (value, above, factor) = sigmoid(*x + bias);
        *x = value;
        *positive += above;
        *product *= factor as f64;
    }
    (positive.iter().map(|&lane| lane as f64).sum(), product.iter().product())
}

/// sigmoid(l), max(l, 0), 1 + e^-|l|; NaN gives NaN.
#[inline(always)]
fn sigmoid(l: f32) -> (f32, f32, f32) {
    let e = exp(-l.abs());
    let factor = 1.0 + e;
    let value = if l < 0.0 { e } else { 1.0 } / factor;
    (value, if l < 0.0 { 0.0 } else { l }, factor)
}

/// logits = g_r (sigmoid - x)
pub fn bernoulli_loss_gradient(logits: Matrix, target: &Sparse, g: Matrix) {
    for_each_row(logits.rows, ROWS_PER_TASK, |r| {
        let row = logits.row_mut(r);
        let upstream = g.row(r)[0];
        vectorised(
            #[inline(always)]
            || {
                for x in row.iter_mut() {
                    *x *= upstream;
                }
            },
        );
        for entry in target.entries(r) {
            row[target.indices[entry] as usize] -= upstream * target.value(entry);
        }
    });
}
