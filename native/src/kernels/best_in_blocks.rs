//! The largest products of a history with the rows of a large matrix, of which most are never read. The rows are divided into blocks
//! of similar rows. A block has a centre c (the mean of its rows w), a radius r >= |w - c| and a size s >= |w|, so that by the
//! Cauchy-Schwarz inequality a'w <= a'c + |a| r and a'w <= |a| s for all of its rows. Blocks are visited by descending bound. Once a block's bound is below the k-th
//! best product found so far, none of its rows is among the k best. Rows of visited blocks are bounded by their int8-quantised
//! weights (best_products.rs), which are stored block after block, and only the remaining products are computed from the weights.
//!
//! The result is that of computing all products, bit for bit, unless the caller limits the number of visited blocks: then it is that
//! of computing the products of these blocks, which depend only on the history.

use super::allowed::{Allowed, BITS, MOST_SKIPPING, has};
use super::best_products::{History, products};
use super::quantise::{above, quantise_weights, rounding};
use super::top_k::TopK;
use crate::Answer;
use crate::matrix::{Matrix, for_each_task};
use crate::simd::vectorised;
use crate::sparse::Sparse;
use crate::table::kernels;
use rayon::prelude::*;

kernels! {
    Kernel arrangeBlocks(quantised: int8 statistics: matrix centres: matrix reach: matrix weights: matrix bias: matrix
        items: batch)
        arrange_blocks(&Blocks { weights, bias, quantised, statistics, centres, reach, items: &items });
    Question bestInBlocks(a: matrix weights: matrix bias: matrix quantised: int8 statistics: matrix centres: matrix
        reach: matrix items: batch k: number most: number without: maybe_batch allowed: maybe_list)
        Answer::from(best_in_blocks(
            a,
            &Blocks { weights, bias, quantised, statistics, centres, reach, items: &items },
            k as usize, most as usize, without.as_deref(), &Allowed::of(allowed, a.rows, weights.rows),
        ));
}

/// Centres whose products are computed by one task.
const CENTRES_PER_TASK: usize = 256;
/// Blocks that are visited first; afterwards, their number doubles.
const FIRST_BLOCKS: usize = 16;
const BLOCKS_PER_TASK: usize = 4;
/// Which blocks are visited if their number is limited: those with the highest product at this share of their radius.
const SHARE_OF_RADIUS: f32 = 0.25;

/// The rows `weights` [n, w], `bias` [1, n], the rows of each block (`items`, [b, n]) and what `arrangeBlocks` computes: int8 weights
/// [n, w] and their statistics [n, 4] (scale, error, norm, bias) in the order of `items`, the blocks' centres [b, w], and their reach
/// [b, 3]: the radius and the size, including the rounding errors of products, and the highest bias; NaN if a number is not finite.
pub struct Blocks<'a> {
    pub weights: Matrix,
    pub bias: Matrix,
    pub quantised: Matrix<i8>,
    pub statistics: Matrix,
    pub centres: Matrix,
    pub reach: Matrix,
    pub items: &'a Sparse,
}

/// Computes the quantised weights, statistics, centres and reach.
pub fn arrange_blocks(blocks: &Blocks) {
    let Blocks { weights, bias, quantised, statistics, centres, reach, items } = blocks;
    let rounding = rounding(weights.columns);
    for_each_task(items.rows, |block| {
        let entries = items.entries(block);
        let mut sums = vec![0.0f64; weights.columns];
        for entry in entries.clone() {
            let row = weights.row(items.indices[entry] as usize);
            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x as f64);
        }
        let centre = centres.row_mut(block);
        let count = entries.len().max(1) as f64;
        centre.iter_mut().zip(&sums).for_each(|(centre, &sum)| *centre = (sum / count) as f32);
        let norm = sum_of_squares(centre.iter().map(|&x| x as f64)).sqrt();
        let (mut radius, mut longest, mut highest) = (0.0f64, 0.0f64, f64::NEG_INFINITY);
        for entry in entries {
            let item = items.indices[entry] as usize;
            let (row, bias) = (weights.row(item), bias.row(0)[item]);
            let distance = sum_of_squares(row.iter().zip(&*centre).map(|(&x, &c)| x as f64 - c as f64)).sqrt();
            let size = sum_of_squares(row.iter().map(|&x| x as f64)).sqrt();
            radius = larger(radius, distance + rounding * (size + norm));
            longest = larger(longest, size + rounding * size);
            highest = larger(highest, bias as f64);
            let [scale, error, norm] = quantise_weights(row, quantised.row_mut(entry));
            statistics.row_mut(entry).copy_from_slice(&[scale, error, norm, bias]);
        }
        reach.row_mut(block).copy_from_slice(&[above(radius), above(longest), highest as f32]);
    });
}

/// The larger number; unlike `max`, NaN if one of them is.
fn larger(a: f64, b: f64) -> f64 {
    if a >= b || a.is_nan() { a } else { b }
}

fn sum_of_squares(of: impl Iterator<Item = f64>) -> f64 {
    of.map(|x| x * x).sum()
}

/// Per row of a, the `wanted` best rows of weights that are allowed and not in `without`'s row, among those of at most `most` blocks.
pub fn best_in_blocks(
    a: Matrix,
    blocks: &Blocks,
    wanted: usize,
    most: usize,
    without: Option<&Sparse>,
    allowed: &Allowed,
) -> TopK {
    let k = wanted.min(blocks.weights.rows);
    let mut result = TopK::empty(a.rows, k);
    if k == 0 {
        return result;
    }
    let best: Vec<_> = (0..a.rows)
        .into_par_iter()
        .with_max_len(1)
        .map(|row| {
            let mut known = without.map_or_else(Vec::new, |without| without.indices[without.entries(row)].to_vec());
            known.sort_unstable();
            let candidates = Search::of(a.row(row), blocks, &known, allowed.row(row), k).candidates(most);
            let mut best = products(a.row(row), blocks.weights, blocks.bias, &candidates);
            best.sort_unstable_by(|a, b| b.cmp(a));
            best.truncate(k);
            best
        })
        .collect();
    for (row, best) in best.into_iter().enumerate() {
        result.set(row, best.into_iter());
    }
    result
}

/// The bounds of a block's products: the upper bound of all, and the value by which blocks are chosen if their number is limited.
#[derive(Clone, Copy)]
struct Bounds {
    upper: f32,
    chosen: f32,
}

/// A row that may be among the best, and the bounds of its product.
struct Found {
    item: u32,
    lower: f32,
    upper: f32,
}

/// The search for one history.
struct Search<'a> {
    history: History,
    blocks: &'a Blocks<'a>,
    /// Rows that are left out, ascending.
    known: &'a [u32],
    /// The set of rows that are allowed; none = all.
    allowed: Option<&'a [u32]>,
    k: usize,
    /// Per block.
    bounds: Vec<Bounds>,
    found: Vec<Found>,
    /// At least k products reach this bound.
    least: f32,
}

impl<'a> Search<'a> {
    fn of(a: &[f32], blocks: &'a Blocks<'a>, known: &'a [u32], allowed: Option<&'a [u32]>, k: usize) -> Self {
        let history = History::of(a);
        let bounds = bounds_of_blocks(a, &history, blocks);
        Self { history, blocks, known, allowed, k, bounds, found: Vec::new(), least: f32::NEG_INFINITY }
    }

    /// The rows whose products may be among the k best of at most `most` blocks.
    fn candidates(mut self, most: usize) -> Vec<u32> {
        let mut open: Vec<u32> = (0..self.bounds.len() as u32).collect();
        if most < open.len() {
            // If some rows are not allowed, more blocks may be needed for k rows.
            let length = if self.allowed.is_some() { open.len() } else { most };
            keep_first(&mut open, length, |block| self.bounds[block as usize].chosen);
            if self.allowed.is_some() {
                self.keep_useful(&mut open, most);
            }
        }
        // The first blocks raise the bound before the others are sorted, of which few remain.
        let mut first = open.clone();
        keep_first(&mut first, FIRST_BLOCKS, |block| self.bounds[block as usize].upper);
        self.visit(&first);
        open.retain(|&block| self.may_hold(block) && !first.contains(&block));
        let length = open.len();
        keep_first(&mut open, length, |block| self.bounds[block as usize].upper);
        let mut at = 0;
        let mut size = FIRST_BLOCKS;
        while at < open.len() {
            let next = open.len().min(at + size);
            let wave: Vec<u32> = open[at..next].iter().copied().filter(|&block| self.may_hold(block)).collect();
            self.visit(&wave);
            (at, size) = (next, 2 * size);
        }
        self.found.into_iter().map(|found| found.item).collect()
    }

    /// Keeps the first `most` blocks with rows that can be chosen, and further ones until there are k such rows.
    fn keep_useful(&self, open: &mut Vec<u32>, most: usize) {
        let Blocks { items, .. } = self.blocks;
        let (mut kept, mut rows) = (0, 0);
        open.retain(|&block| {
            if kept >= most && rows >= self.k {
                return false;
            }
            let members = &items.indices[items.entries(block as usize)];
            let chosen = |item: &&u32| has(self.allowed, **item as usize) && self.known.binary_search(item).is_err();
            let count = members.iter().filter(chosen).count();
            kept += usize::from(count > 0);
            rows += count;
            count > 0
        });
    }

    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    fn may_hold(&self, block: u32) -> bool {
        // `upper >= least` would leave out a NaN.
        !(self.bounds[block as usize].upper < self.least)
    }

    fn visit(&mut self, blocks: &[u32]) {
        let found: Vec<Vec<Found>> = blocks.par_chunks(BLOCKS_PER_TASK).map(|blocks| self.scan(blocks)).collect();
        let known = self.known;
        self.found.extend(found.into_iter().flatten().filter(|found| known.binary_search(&found.item).is_err()));
        if self.found.len() >= self.k {
            let mut lower: Vec<f32> = self.found.iter().map(|found| found.lower.max(f32::NEG_INFINITY)).collect();
            let (_, &mut least, _) = lower.select_nth_unstable_by(self.k - 1, |a, b| b.total_cmp(a));
            self.least = least;
            #[allow(clippy::neg_cmp_op_on_partial_ord)]
            self.found.retain(|found| !(found.upper < least));
        }
    }

    /// The rows of blocks whose upper bounds reach the least.
    fn scan(&self, blocks: &[u32]) -> Vec<Found> {
        let Blocks { quantised, statistics, items, .. } = self.blocks;
        let mut found = Vec::new();
        vectorised(
            #[inline(always)]
            || {
                for &block in blocks {
                    let entries = items.entries(block as usize);
                    for first in entries.clone().step_by(BITS) {
                        let some = first..entries.end.min(first + BITS);
                        let is_allowed = |entry: &usize| has(self.allowed, items.indices[*entry] as usize);
                        let count = some.clone().filter(is_allowed).count();
                        let reads_all = count > MOST_SKIPPING as usize;
                        for entry in some {
                            let allowed = is_allowed(&entry);
                            if !allowed && !reads_all {
                                continue;
                            }
                            let &[scale, error, norm, bias] = statistics.row(entry) else {
                                unreachable!("four statistics")
                            };
                            let (lower, upper) = self.history.bounds(quantised.row(entry), [scale, error, norm], bias);
                            #[allow(clippy::neg_cmp_op_on_partial_ord)]
                            if allowed && !(upper < self.least) {
                                found.push(Found { item: items.indices[entry], lower, upper });
                            }
                        }
                    }
                }
            },
        );
        found
    }
}

/// Keeps the blocks with the `most` largest values, in descending order; unknown values are first, and equal ones by ascending block.
fn keep_first(blocks: &mut Vec<u32>, most: usize, value: impl Fn(u32) -> f32) {
    let before = |&a: &u32, &b: &u32| {
        let number = |block| if value(block).is_nan() { f32::INFINITY } else { value(block) };
        number(b).total_cmp(&number(a)).then(a.cmp(&b))
    };
    if most == 0 {
        blocks.clear();
        return;
    }
    if most < blocks.len() {
        blocks.select_nth_unstable_by(most - 1, before);
        blocks.truncate(most);
    }
    blocks.sort_unstable_by(before);
}

fn bounds_of_blocks(a: &[f32], history: &History, blocks: &Blocks) -> Vec<Bounds> {
    let Blocks { centres, reach, .. } = blocks;
    let count = centres.rows;
    let parts: Vec<Vec<Bounds>> = (0..count.div_ceil(CENTRES_PER_TASK))
        .into_par_iter()
        .map(|task| {
            let first = task * CENTRES_PER_TASK;
            vectorised(
                #[inline(always)]
                || {
                    (first..count.min(first + CENTRES_PER_TASK))
                        .map(|block| {
                            let &[radius, size, bias] = reach.row(block) else { unreachable!("three numbers") };
                            let product = super::matmul::dot(a, centres.row(block));
                            let error = history.norm * radius;
                            let by_centre = product + bias + history.radius(error, product, bias);
                            let by_size = bias + history.radius(history.norm * size, 0.0, bias);
                            // A NaN is kept.
                            let upper = if by_size < by_centre { by_size } else { by_centre };
                            Bounds { upper, chosen: product + bias + SHARE_OF_RADIUS * error }
                        })
                        .collect()
                },
            )
        })
        .collect();
    parts.concat()
}
