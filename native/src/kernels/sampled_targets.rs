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
    Kernel targetLogits(out: matrix hidden: matrix weights: matrix bias: matrix target: batch)
        logits(out, hidden, weights, bias, &target);
    Kernel sampledTargets(statistics: matrix coefficients: matrix target: batch hits: maybe_matrix)
        targets(statistics, coefficients, &target, hits);
    Kernel addSampledTargets(out: matrix weights: matrix target: batch coefficients: matrix g: matrix)
        to_hidden(out, weights, &target, coefficients, g);
    Kernel sampledTargetsToWeights(out: matrix bias_gradient: matrix hidden: matrix target: batch coefficients: matrix
        g: matrix places: list)
        to_weights([out, bias_gradient], hidden, &target, coefficients, g, &places);
}

const ROWS_PER_TASK: usize = 4;
const ITEMS_PER_TASK: usize = 64;

/// The logit of every entry; bias has the touched items only.
pub fn logits(out: Matrix, hidden: Matrix, weights: Matrix, bias: Matrix, target: &Sparse) {
    let (slots, bias) = (&target.by_touched().slots, bias.row(0));
    for_each_row(hidden.rows, ROWS_PER_TASK, |r| {
        let entries = target.entries(r);
        let hidden = hidden.row(r);
        for (logit, entry) in out.get_mut(0, entries.start, entries.len()).iter_mut().zip(entries) {
            let weights = weights.row(target.indices[entry] as usize);
            let product = vectorised(
                #[inline(always)]
                || dot(hidden, weights),
            );
            *logit = product + bias[slots[entry] as usize];
        }
    });
}

/// Replaces the drawn items' statistics, and the logits by coefficients: with hits, of exact targets; without, of added targets.
pub fn targets(statistics: Matrix, coefficients: Matrix, target: &Sparse, hits: Option<Matrix>) {
    for_each_row(statistics.rows, ROWS_PER_TASK, |r| {
        let row = statistics.row_mut(r);
        let drawn = Statistics::read(row);
        let entries = target.entries(r);
        let coefficients = coefficients.get_mut(0, entries.start, entries.len());
        let value = |k: usize| target.value(entries.start + k) as f64;
        let after = match hits {
            None => added(drawn, coefficients, value),
            Some(hits) => {
                let slots = &target.by_touched().slots[entries.clone()];
                exact(drawn, coefficients, value, |k| hits.row(0)[slots[k] as usize] as f64)
            }
        };
        after.write(row);
    });
}

/// Logits l_i become coefficients x_i o_i / (1 + o_i), with S the sum of the drawn items and odds o_i = S / exp(l_i). n is their sum,
/// and `chosen` the number for which n ln(S) - chosen is the sum of x_i ln(1 + o_i).
fn added(drawn: Statistics, logits: &mut [f32], value: impl Fn(usize) -> f64) -> Statistics {
    let log_sum = drawn.sum.ln() + drawn.largest;
    let (mut n, mut loss) = (0.0f64, 0.0f64);
    for (k, logit) in logits.iter_mut().enumerate() {
        let log_odds = log_sum - *logit as f64;
        let pull = value(k) * sigmoid_of(log_odds);
        *logit = pull as f32;
        n += pull;
        loss += value(k) * softplus_of(log_odds);
    }
    let chosen = if drawn.sum == 0.0 { -loss } else { n * drawn.sum.ln() - loss };
    Statistics { chosen, n, ..drawn }
}

/// Logits l_i become coefficients x_i - n (1 - hits_i) exp(l_i) / Z, with Z = S + sum of (1 - hits_i) exp(l_i).
fn exact(
    drawn: Statistics,
    logits: &mut [f32],
    value: impl Fn(usize) -> f64,
    hits: impl Fn(usize) -> f64,
) -> Statistics {
    let mut largest = drawn.largest;
    for &logit in logits.iter() {
        if logit as f64 > largest {
            largest = logit as f64;
        }
    }
    let mut sum = if drawn.sum == 0.0 { 0.0 } else { drawn.sum * (drawn.largest - largest).exp() };
    let (mut own, mut chosen, mut n) = (0.0f64, 0.0f64, 0.0f64);
    for (k, &logit) in logits.iter().enumerate() {
        let relative = logit as f64 - largest;
        own += relative.exp();
        sum += (1.0 - hits(k)) * relative.exp();
        chosen += value(k) * relative;
        n += value(k);
    }
    // Drawn targets were counted in float32 and are taken out again: what remains is never less than the targets. A NaN stays.
    if sum < own {
        sum = own;
    }
    for (k, logit) in logits.iter_mut().enumerate() {
        let share = (*logit as f64 - largest).exp() / sum;
        *logit = (value(k) - n * (1.0 - hits(k)) * share) as f32;
    }
    Statistics { largest, sum, chosen, n }
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
