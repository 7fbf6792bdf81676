//! The targets of a sampled softmax (specified in src/compute/kernels.ts). The drawn items are shared by all rows, so their part is
//! a dense product (output.rs); a target is only part of its own row, so its logit is one dot product per entry of the batch.
//! Rows, and items, are independent and sum in the order of the entries: results do not depend on the number of threads, bit for bit.

use super::matmul::dot;
use super::output::{Statistics, sigmoid_of, softplus_of};
use crate::matrix::{Matrix, for_each_row};
use crate::simd::vectorised;
use crate::sparse::Sparse;
use crate::table::kernels;

kernels! {
    Kernel sampledTargets(statistics: matrix coefficients: matrix hidden: matrix weights: matrix bias: matrix target: batch)
        targets(statistics, coefficients, hidden, weights, bias, &target);
    Kernel addSampledTargets(out: matrix weights: matrix target: batch coefficients: matrix g: matrix)
        to_hidden(out, weights, &target, coefficients, g);
    Kernel sampledTargetsToWeights(out: matrix bias_gradient: matrix hidden: matrix target: batch coefficients: matrix
        g: matrix places: list)
        to_weights([out, bias_gradient], hidden, &target, coefficients, g, &places);
}

const ROWS_PER_TASK: usize = 4;
const ITEMS_PER_TASK: usize = 64;

/// With S the sum of a row's drawn items and odds o_i = S / exp(l_i) of each of its targets, sets the coefficients
/// x_i o_i / (1 + o_i), their sum n, and the target's part for which n ln(S) - chosen is the sum of x_i ln(1 + o_i).
pub fn targets(
    statistics: Matrix,
    coefficients: Matrix,
    hidden: Matrix,
    weights: Matrix,
    bias: Matrix,
    target: &Sparse,
) {
    let (slots, bias) = (&target.by_touched().slots, bias.row(0));
    for_each_row(hidden.rows, ROWS_PER_TASK, |r| {
        let row = statistics.row_mut(r);
        let drawn = Statistics::read(row);
        let log_sum = drawn.sum.ln() + drawn.largest;
        let entries = target.entries(r);
        let coefficients = coefficients.get_mut(0, entries.start, entries.len());
        let hidden = hidden.row(r);
        let (mut n, mut loss) = (0.0f64, 0.0f64);
        for (coefficient, entry) in coefficients.iter_mut().zip(entries) {
            let weights = weights.row(target.indices[entry] as usize);
            let product = vectorised(
                #[inline(always)]
                || dot(hidden, weights),
            );
            let log_odds = log_sum - (product + bias[slots[entry] as usize]) as f64;
            let x = target.value(entry) as f64;
            let pull = x * sigmoid_of(log_odds);
            *coefficient = pull as f32;
            n += pull;
            loss += x * softplus_of(log_odds);
        }
        let chosen = if drawn.sum == 0.0 { -loss } else { n * drawn.sum.ln() - loss };
        Statistics { chosen, n, ..drawn }.write(row);
    });
}

/// out[r] -= g_r (sum over the row's entries of coefficient * weights)
pub fn to_hidden(out: Matrix, weights: Matrix, target: &Sparse, coefficients: Matrix, g: Matrix) {
    let coefficients = coefficients.row(0);
    for_each_row(out.rows, ROWS_PER_TASK, |r| {
        let (out, g) = (out.row_mut(r), g.row(r)[0]);
        for entry in target.entries(r) {
            add(out, weights.row(target.indices[entry] as usize), -(g * coefficients[entry]));
        }
    });
}

/// out[places[t]] = -(sum over the entries of touched column t of g * coefficient * hidden), and bias_gradient without hidden;
/// the other rows are 0.
pub fn to_weights(
    [out, bias_gradient]: [Matrix; 2],
    hidden: Matrix,
    target: &Sparse,
    coefficients: Matrix,
    g: Matrix,
    places: &[u32],
) {
    let (touched, coefficients) = (target.by_touched(), coefficients.row(0));
    for_each_row(out.rows, ITEMS_PER_TASK, |place| {
        let (out, bias) = (out.row_mut(place), &mut bias_gradient.get_mut(0, place, 1)[0]);
        out.fill(0.0);
        *bias = 0.0;
        let Ok(slot) = places.binary_search(&(place as u32)) else { return };
        for &(row, entry) in touched.of(slot) {
            let pull = -(g.row(row as usize)[0] * coefficients[entry as usize]);
            add(out, hidden.row(row as usize), pull);
            *bias += pull;
        }
    });
}

/// out += factor * a
fn add(out: &mut [f32], a: &[f32], factor: f32) {
    vectorised(
        #[inline(always)]
        || {
            for (out, &a) in out.iter_mut().zip(a) {
                *out = a.mul_add(factor, *out);
            }
        },
    );
}
