//! The largest products of a history with many rows of weights. The int8-quantised weights, a quarter of the size, give a bound of
//! every product, and only products that may be among the largest are computed from the weights themselves. The result is the
//! same as that of computing all products, bit for bit. A single history's products are limited by memory bandwidth, and this
//! reads a quarter of the memory.
//!
//! A row of weights w has a scale s, integers q with w ~ s q =: w~, an error e and the norm of w~ (quantise.rs). The history is
//! quantised to sixteen bits, a ~ a~, so that a~'w~ is a sum of integers without rounding. By the Cauchy-Schwarz inequality
//!   |a'w - a~'w~| <= |a| |w - w~| + |a - a~| |w~|
//! e is |w - w~| plus the rounding error of the product itself, at most (width + LANES) 2^-24 |w|.

use super::allowed::{Allowed, BITS, exclude_others, read_from};
use super::matmul::dot;
use super::quantise::{Quantised, SLACK, above, quantise_row};
use super::top_k::{Candidate, TopK, select};
use crate::Answer;
use crate::matrix::{Matrix, for_each_task};
use crate::simd::vectorised;
use crate::sparse::Sparse;
use crate::table::kernels;

kernels! {
    Question bestProducts(a: matrix weights: matrix quantised: int8 statistics: matrix bias: matrix k: number
        without: maybe_batch allowed: maybe_list)
        Answer::from(best_products(
            a, &Layer { weights, quantised, statistics, bias }, k as usize, without.as_deref(),
            &Allowed::of(allowed, a.rows, weights.rows),
        ));
}

/// A multiple of 32.
const ROWS_PER_TASK: usize = 256;
/// Upper bound of a history's integers, reduced if a sum might overflow.
const MOST_STEPS: usize = 16_383;
/// Columns whose upper bounds are compared at a time.
const BLOCK: usize = 64;
/// Candidates that a thread computes at a time.
const CANDIDATES_PER_TASK: usize = 32;
/// An upper bound of the underflow error of a sum of integers (below 2^31) times two scales: multiples of 2^-149.
const UNDERFLOW: f32 = 1e-35;

/// The output layer: weights [n, width], the results of `quantise`, and bias [1, n].
pub struct Layer {
    pub weights: Matrix,
    pub quantised: Matrix<i8>,
    pub statistics: Matrix,
    pub bias: Matrix,
}

/// Per row of a, the `wanted` best columns of a weights' + bias that are allowed and not in `without`'s row.
pub fn best_products(a: Matrix, layer: &Layer, wanted: usize, without: Option<&Sparse>, allowed: &Allowed) -> TopK {
    let n = layer.weights.rows;
    let k = wanted.min(n);
    let mut result = TopK::empty(a.rows, k);
    if k == 0 {
        return result;
    }
    let (mut lower, mut upper) = (vec![0.0f32; a.rows * n], vec![0.0f32; a.rows * n]);
    bounds(a, layer, allowed, matrix(&mut lower, n), matrix(&mut upper, n));
    let mut excluded = vec![false; n];
    let mut best = Vec::with_capacity((2 * k).min(n));
    for row in 0..a.rows {
        let known = without.map_or(&[][..], |without| &without.indices[without.entries(row)]);
        exclude_others(&mut excluded, allowed.row(row));
        known.iter().for_each(|&item| excluded[item as usize] = true);
        // At least k products reach this bound, so a product that is certainly below it is not among the k best.
        select(&mut best, &lower[row * n..(row + 1) * n], &excluded, k);
        let least = if best.len() < k { f32::NEG_INFINITY } else { best[k - 1].score() };
        best.clear();
        let candidates = at_least(&upper[row * n..(row + 1) * n], &excluded, least);
        known.iter().for_each(|&item| excluded[item as usize] = false);
        best.extend(products(a.row(row), layer.weights, layer.bias, &candidates));
        best.sort_unstable_by(|a, b| b.cmp(a));
        best.truncate(k);
        result.set(row, best.drain(..));
    }
    result
}

pub(super) fn matrix(of: &mut [f32], columns: usize) -> Matrix {
    Matrix { data: of.as_mut_ptr(), rows: of.len() / columns, columns, stride: columns }
}

/// lower and upper [rows, n]: bounds of the products that are allowed, and of others where that is faster; NaN if unknown.
fn bounds(a: Matrix, layer: &Layer, allowed: &Allowed, lower: Matrix, upper: Matrix) {
    let Layer { quantised, statistics, bias, .. } = layer;
    let histories: Vec<_> = (0..a.rows).map(|row| (History::of(a.row(row)), allowed.row(row))).collect();
    for_each_task(quantised.rows.div_ceil(ROWS_PER_TASK), |task| {
        let first = task * ROWS_PER_TASK;
        let columns = first..quantised.rows.min(first + ROWS_PER_TASK);
        vectorised(
            #[inline(always)]
            || {
                let mut masks = vec![u32::MAX; histories.len()];
                for c in columns {
                    if c % BITS == 0 {
                        masks.iter_mut().zip(&histories).for_each(|(mask, (_, set))| *mask = read_from(*set, c));
                    }
                    let (integers, bias) = (quantised.row(c), bias.row(0)[c]);
                    let &[scale, error, norm] = statistics.row(c) else { unreachable!("three statistics") };
                    for (r, (history, _)) in histories.iter().enumerate() {
                        if masks[r] >> (c % BITS) & 1 == 0 {
                            continue;
                        }
                        let (least, most) = history.bounds(integers, [scale, error, norm], bias);
                        lower.get_mut(r, c, 1)[0] = least;
                        upper.get_mut(r, c, 1)[0] = most;
                    }
                }
            },
        );
    });
}

/// A history quantised to integers.
pub(super) struct History {
    integers: Vec<i16>,
    scale: f32,
    /// |a|
    pub norm: f32,
    /// |a - a~|
    error: f32,
}

impl History {
    pub fn of(row: &[f32]) -> Self {
        let most = (i32::MAX as usize / (128 * row.len().max(1))).min(MOST_STEPS) as f32;
        let mut integers = vec![0i16; row.len()];
        let quantised = quantise_row(row, most, &mut integers, |integer| integer as i16, |integer| integer as f32);
        let Quantised { scale, error, norm } = quantised;
        Self { integers, scale, norm: above(norm + error), error: above(error) }
    }

    /// The lower and upper bound of the product with a row of weights, given its integers and scale, error and norm; NaN if unknown.
    #[inline(always)]
    pub fn bounds(&self, integers: &[i8], [scale, error, norm]: [f32; 3], bias: f32) -> (f32, f32) {
        let product = integer_dot(&self.integers, integers) as f32 * (self.scale * scale);
        let radius = self.radius(self.norm * error + self.error * norm, product, bias);
        (product + bias - radius, product + bias + radius)
    }

    /// An error of a product and a bias, with what their rounding adds.
    #[inline(always)]
    pub fn radius(&self, error: f32, product: f32, bias: f32) -> f32 {
        (error + (product.abs() + bias.abs()) * SLACK) * (1.0 + 10.0 * SLACK) + UNDERFLOW
    }
}

/// No sum overflows, which `bounds` guarantees.
#[inline(always)]
fn integer_dot(a: &[i16], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| a as i32 * b as i32).sum()
}

/// The columns whose product may be at least `least`, including those with unknown bounds.
#[allow(clippy::neg_cmp_op_on_partial_ord)]
fn at_least(upper: &[f32], excluded: &[bool], least: f32) -> Vec<u32> {
    let mut found = Vec::new();
    for (block, upper) in upper.chunks(BLOCK).enumerate() {
        let any = vectorised(
            #[inline(always)]
            || upper.iter().fold(false, |any, &bound| any | !(bound < least)),
        );
        if !any {
            continue;
        }
        for (i, &bound) in upper.iter().enumerate() {
            let item = block * BLOCK + i;
            // `bound >= least` would leave out a NaN.
            if !(bound < least) && !excluded[item] {
                found.push(item as u32);
            }
        }
    }
    found
}

/// The exact products, as `matmul` computes them for a few rows.
pub(super) fn products(a: &[f32], weights: Matrix, bias: Matrix, items: &[u32]) -> Vec<Candidate> {
    let mut scores = vec![0.0f32; items.len()];
    let out = matrix(&mut scores, items.len().max(1));
    for_each_task(items.len().div_ceil(CANDIDATES_PER_TASK), |task| {
        let first = task * CANDIDATES_PER_TASK;
        let count = CANDIDATES_PER_TASK.min(items.len() - first);
        vectorised(
            #[inline(always)]
            || {
                for (score, &item) in out.get_mut(0, first, count).iter_mut().zip(&items[first..]) {
                    *score = dot(a, weights.row(item as usize)) + bias.row(0)[item as usize];
                }
            },
        );
    });
    scores.iter().zip(items).map(|(&score, &item)| Candidate::new(score, item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::quantise::quantise;

    /// Pseudo-random numbers in (-1, 1).
    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    #[test]
    fn the_bounds_hold_for_weights_of_all_sizes() {
        for (seed, width) in [(1, 1), (2, 3), (3, 64), (4, 67), (5, 600)] {
            let n = 300;
            let mut weights = noise(n * width, seed);
            for (row, weights) in weights.chunks_mut(width).enumerate() {
                let size = 10.0f32.powi(row as i32 % 70 - 40);
                weights.iter_mut().for_each(|w| *w *= size);
            }
            let mut a = noise(2 * width, seed + 100);
            // Without a bias, an underflow is visible in the result.
            let mut bias = if seed % 2 == 0 { noise(n, seed + 200) } else { vec![0.0; n] };
            let (mut integers, mut statistics) = (vec![0i8; n * width], vec![0.0; 3 * n]);
            let layer = Layer {
                weights: matrix(&mut weights, width),
                quantised: Matrix { data: integers.as_mut_ptr(), rows: n, columns: width, stride: width },
                statistics: matrix(&mut statistics, 3),
                bias: matrix(&mut bias, n),
            };
            quantise(layer.quantised, layer.statistics, layer.weights);
            let (mut lower, mut upper) = (vec![0.0; 2 * n], vec![0.0; 2 * n]);
            let a = matrix(&mut a, width);
            bounds(a, &layer, &Allowed::default(), matrix(&mut lower, n), matrix(&mut upper, n));
            for r in 0..2 {
                for c in 0..n {
                    let product = dot(a.row(r), layer.weights.row(c)) + layer.bias.row(0)[c];
                    assert!(lower[r * n + c] <= product && product <= upper[r * n + c], "{width}: {r}, {c}");
                }
            }
        }
    }
}
