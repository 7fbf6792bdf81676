//! The best products of a history with many rows of weights, most of which are looked at in eight bits: a coarse copy of
//! the weights, a quarter of their size, says within which bounds a product lies, and only those that may be among the
//! best are computed from the weights themselves. What comes out is what computing all of them would give, bit for bit:
//! one history's product is as fast as memory is, and this reads a quarter of it.
//!
//! A row of the copy holds its scale s, whole numbers q with w ~ s q =: w~, its error e and the norm of w~. The history is
//! taken in sixteen bits, a ~ a~, so that a~'w~ is a sum of whole numbers, without any rounding. By Cauchy and Schwarz
//!   |a'w - a~'w~| <= |a| |w - w~| + |a - a~| |w~|
//! e is |w - w~| and what rounding adds to the product itself, at most (width + LANES) 2^-24 |w|.

use super::matmul::dot;
use super::top_k::{Candidate, TopK, select};
use crate::matrix::{Matrix, for_each_row, for_each_task};
use crate::simd::{LANES, vectorised};
use crate::sparse::Sparse;

/// Elements of the copy's row before the numbers: scale, error, norm.
const HEAD: usize = 3;
/// Numbers in an element.
const PACKED: usize = 4;
const ROWS_PER_TASK: usize = 256;
/// A history's numbers are at most this, and less where a sum might overflow.
const MOST_STEPS: usize = 16_383;
/// Columns whose upper bounds are compared at once.
const BLOCK: usize = 64;
/// Candidates that a thread computes at a time.
const CANDIDATES_PER_TASK: usize = 32;
/// Relative roundings of the last steps (scale, bias, bound), and of numbers that stand for bounds: generous.
const SLACK: f32 = 1e-6;
/// More than underflow can take from a sum of whole numbers (below 2^31) times two scales: multiples of 2^-149.
const UNDERFLOW: f32 = 1e-35;

/// The elements of the copy of a row of `width` weights.
pub fn coarse_columns(width: usize) -> usize {
    HEAD + width.div_ceil(PACKED)
}

/// out [rows, 3 + ceil(width / 4)] becomes the copy of weights [rows, width].
pub fn coarse(out: Matrix, weights: Matrix) {
    assert!(out.columns == coarse_columns(weights.columns), "the coarse copy has another width");
    for_each_row(weights.rows, ROWS_PER_TASK, |row| {
        let (head, numbers) = out.row_mut(row).split_at_mut(HEAD);
        let numbers =
            unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast::<i8>(), numbers.len() * PACKED) };
        let weights = weights.row(row);
        let (numbers, rest) = numbers.split_at_mut(weights.len());
        rest.fill(0);
        let quantised = vectorised(
            #[inline(always)]
            || quantise(weights, 127.0, numbers, |number| number as i8, |number| number as f32),
        );
        let Quantised { scale, error, norm } = quantised;
        let rounding = (weights.len() + LANES) as f64 * f64::from(f32::EPSILON);
        head[0] = scale;
        head[1] = above(error + rounding * (norm + error));
        head[2] = above(norm + error);
    });
}

/// As float32, and rather too large.
fn above(x: f64) -> f32 {
    let rounded = (x * (1.0 + f64::from(SLACK))) as f32;
    if x > 0.0 && rounded < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { rounded }
}

/// What whole numbers times a scale stand for, how far that is off, and the norm of what they stand for.
struct Quantised {
    scale: f32,
    error: f64,
    norm: f64,
}

#[inline(always)]
fn largest(of: &[f32]) -> f32 {
    let larger = |a: f32, x: f32| if x.abs() > a { x.abs() } else { a };
    let mut lanes = [0.0f32; LANES];
    let (whole, rest) = of.as_chunks::<LANES>();
    for of in whole {
        for l in 0..LANES {
            lanes[l] = larger(lanes[l], of[l]);
        }
    }
    lanes.iter().chain(rest).fold(0.0, |most, &x| larger(most, x))
}

/// Whole numbers up to about `most`: of / scale, rounded. Where one is infinite, no number, or too small for a scale, the
/// error is no number either.
#[inline(always)]
fn quantise<N: Copy>(
    of: &[f32],
    most: f32,
    numbers: &mut [N],
    narrow: impl Fn(i32) -> N,
    widen: impl Fn(N) -> f32,
) -> Quantised {
    // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let largest = largest(of);
    let scale = largest / most;
    let inverse = if largest > 0.0 { 1.0 / scale } else { 0.0 };
    for (number, &x) in numbers.iter_mut().zip(of) {
        let bits = x.mul_add(inverse, ROUND).to_bits() as i32;
        *number = narrow(bits.wrapping_sub(ROUND.to_bits() as i32));
    }
    // In units of the scale, so that no square underflows. What rounding adds is within the error that `coarse` allows.
    let (mut errors, mut norms) = ([0.0f32; LANES], [0.0f32; LANES]);
    let (whole, rest) = of.as_chunks::<LANES>();
    let (whole_numbers, rest_numbers) = numbers.as_chunks::<LANES>();
    for (of, numbers) in whole.iter().zip(whole_numbers) {
        for l in 0..LANES {
            let number = widen(numbers[l]);
            let difference = of[l].mul_add(inverse, -number);
            errors[l] = difference.mul_add(difference, errors[l]);
            norms[l] = number.mul_add(number, norms[l]);
        }
    }
    for (l, (&x, &number)) in rest.iter().zip(rest_numbers).enumerate() {
        let number = widen(number);
        let difference = x.mul_add(inverse, -number);
        errors[l] = difference.mul_add(difference, errors[l]);
        norms[l] = number.mul_add(number, norms[l]);
    }
    let root = |squares: [f32; LANES]| squares.iter().map(|&x| x as f64).sum::<f64>().sqrt() * scale as f64;
    Quantised { scale, error: root(errors), norm: root(norms) }
}

/// Per row of a, the `wanted` best columns of a weights' + bias that are not in `without`'s row.
pub fn best_products(
    a: Matrix,
    weights: Matrix,
    coarse: Matrix,
    bias: Matrix,
    wanted: usize,
    without: Option<&Sparse>,
) -> TopK {
    assert!(
        coarse.rows == weights.rows && coarse.columns == coarse_columns(weights.columns),
        "the coarse copy is not one of these weights"
    );
    let n = weights.rows;
    let k = wanted.min(n);
    let mut result = TopK::empty(a.rows, k);
    if k == 0 {
        return result;
    }
    let (mut lower, mut upper) = (vec![0.0f32; a.rows * n], vec![0.0f32; a.rows * n]);
    bounds(a, coarse, bias, matrix(&mut lower, n), matrix(&mut upper, n));
    let mut excluded = vec![false; n];
    let mut best = Vec::with_capacity((2 * k).min(n));
    for row in 0..a.rows {
        let known = without.map_or(&[][..], |without| &without.indices[without.entries(row)]);
        known.iter().for_each(|&item| excluded[item as usize] = true);
        // k products are at least this, so none that is surely below can be among the k best.
        select(&mut best, &lower[row * n..(row + 1) * n], &excluded, k);
        let least = if best.len() < k { f32::NEG_INFINITY } else { best[k - 1].score() };
        best.clear();
        let candidates = at_least(&upper[row * n..(row + 1) * n], &excluded, least);
        known.iter().for_each(|&item| excluded[item as usize] = false);
        best.extend(products(a.row(row), weights, bias, &candidates));
        best.sort_unstable_by(|a, b| b.cmp(a));
        best.truncate(k);
        result.set(row, best.drain(..));
    }
    result
}

fn matrix(of: &mut [f32], columns: usize) -> Matrix {
    Matrix { data: of.as_mut_ptr(), rows: of.len() / columns, columns, stride: columns }
}

/// lower and upper [rows, n]: what the products are at least, and at most; a NaN where that is not known.
fn bounds(a: Matrix, coarse: Matrix, bias: Matrix, lower: Matrix, upper: Matrix) {
    let most = (i32::MAX as usize / (128 * a.columns.max(1))).min(MOST_STEPS);
    let histories: Vec<History> = (0..a.rows).map(|row| History::of(a.row(row), most as f32)).collect();
    for_each_task(coarse.rows.div_ceil(ROWS_PER_TASK), |task| {
        let first = task * ROWS_PER_TASK;
        let columns = first..coarse.rows.min(first + ROWS_PER_TASK);
        vectorised(
            #[inline(always)]
            || {
                for c in columns {
                    let (head, numbers) = coarse.row(c).split_at(HEAD);
                    let numbers = unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast::<i8>(), a.columns) };
                    let bias = bias.row(0)[c];
                    for (r, history) in histories.iter().enumerate() {
                        let product = whole_dot(&history.numbers, numbers) as f32 * (history.scale * head[0]);
                        let weighed = history.norm * head[1] + history.error * head[2];
                        let radius =
                            (weighed + (product.abs() + bias.abs()) * SLACK) * (1.0 + 10.0 * SLACK) + UNDERFLOW;
                        lower.get_mut(r, c, 1)[0] = product + bias - radius;
                        upper.get_mut(r, c, 1)[0] = product + bias + radius;
                    }
                }
            },
        );
    });
}

/// A history in whole numbers.
struct History {
    numbers: Vec<i16>,
    scale: f32,
    /// |a|
    norm: f32,
    /// |a - a~|
    error: f32,
}

impl History {
    fn of(row: &[f32], most: f32) -> Self {
        let mut numbers = vec![0i16; row.len()];
        let quantised = quantise(row, most, &mut numbers, |number| number as i16, |number| number as f32);
        let Quantised { scale, error, norm } = quantised;
        Self { numbers, scale, norm: above(norm + error), error: above(error) }
    }
}

/// No sum overflows: `bounds` sees to it.
#[inline(always)]
fn whole_dot(a: &[i16], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| a as i32 * b as i32).sum()
}

/// The columns that may be as much as `least`; those of which nothing is known, too.
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
            // Not bound >= least instead: that would leave a NaN out.
            if !(bound < least) && !excluded[item] {
                found.push(item as u32);
            }
        }
    }
    found
}

/// The products themselves, as `matmul` computes them for a few rows.
fn products(a: &[f32], weights: Matrix, bias: Matrix, items: &[u32]) -> Vec<Candidate> {
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

    /// Numbers in (-1, 1) that look random.
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
            // Where there is no bias, what underflows shows.
            let mut bias = if seed % 2 == 0 { noise(n, seed + 200) } else { vec![0.0; n] };
            let mut copy = vec![0.0; n * coarse_columns(width)];
            let weights = matrix(&mut weights, width);
            coarse(matrix(&mut copy, coarse_columns(width)), weights);
            let (mut lower, mut upper) = (vec![0.0; 2 * n], vec![0.0; 2 * n]);
            let (a, bias) = (matrix(&mut a, width), matrix(&mut bias, n));
            bounds(a, matrix(&mut copy, coarse_columns(width)), bias, matrix(&mut lower, n), matrix(&mut upper, n));
            for r in 0..2 {
                for c in 0..n {
                    let product = dot(a.row(r), weights.row(c)) + bias.row(0)[c];
                    assert!(lower[r * n + c] <= product && product <= upper[r * n + c], "{width}: {r}, {c}");
                }
            }
        }
    }
}
