//! The k best columns per row without sorting the row: candidates above a bound are collected, and whenever there are 2 k of them,
//! the k best are kept and the worst of those is the new bound. Columns are visited in ascending order, so a candidate that only
//! equals the bound is rejected, which breaks ties by ascending index.

use super::allowed::{Allowed, exclude_others};
use crate::Answer;
use crate::matrix::{Matrix, for_each_task};
use crate::simd::vectorised;
use crate::sparse::Sparse;
use crate::table::kernels;

kernels! {
    Question topK(scores: matrix k: number without: maybe_batch allowed: maybe_list)
        Answer::from(top_k(
            scores, (k as usize).min(scores.columns), without.as_deref(),
            &Allowed::of(allowed, scores.rows, scores.columns),
        ));
}

/// The item index of ranks beyond a row's candidates.
const NO_ITEM: u32 = u32::MAX;
const ROWS_PER_TASK: usize = 8;
/// Columns that are compared with the bound at a time.
const BLOCK: usize = 64;

pub struct TopK {
    pub rows: usize,
    pub k: usize,
    pub items: Vec<u32>,
    pub scores: Vec<f32>,
}

/// Score and item as one number; a greater number ranks higher.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate(u64);

impl Candidate {
    /// -0 is treated as 0, and a NaN as minus infinity.
    #[inline(always)]
    pub fn new(score: f32, item: u32) -> Self {
        let score = if score.is_nan() { f32::NEG_INFINITY } else { score + 0.0 };
        let bits = score.to_bits();
        let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
        Self((ascending as u64) << 32 | !item as u64)
    }

    fn item(self) -> u32 {
        !(self.0 as u32)
    }

    pub fn score(self) -> f32 {
        let ascending = (self.0 >> 32) as u32;
        f32::from_bits(if ascending >> 31 == 1 { ascending & !(1 << 31) } else { !ascending })
    }
}

impl TopK {
    /// Nothing found yet.
    pub fn empty(rows: usize, k: usize) -> Self {
        Self { rows, k, items: vec![NO_ITEM; rows * k], scores: vec![f32::NEG_INFINITY; rows * k] }
    }

    /// At most k candidates, best first.
    pub fn set(&mut self, row: usize, best: impl Iterator<Item = Candidate>) {
        for (at, candidate) in (row * self.k..).zip(best) {
            self.items[at] = candidate.item();
            self.scores[at] = candidate.score();
        }
    }
}

struct Output(*mut u32, *mut f32);
unsafe impl Sync for Output {}

impl Output {
    /// A row's part of the result; no two tasks may request the same row.
    #[allow(clippy::mut_from_ref)]
    fn row(&self, row: usize, k: usize) -> (&mut [u32], &mut [f32]) {
        unsafe {
            let items = std::slice::from_raw_parts_mut(self.0.add(row * k), k);
            (items, std::slice::from_raw_parts_mut(self.1.add(row * k), k))
        }
    }
}

/// Per row, the `wanted` best columns that are allowed and not in `without`'s row.
pub fn top_k(scores: Matrix, wanted: usize, without: Option<&Sparse>, allowed: &Allowed) -> TopK {
    let k = wanted.min(scores.columns);
    let rows = scores.rows;
    let mut result = TopK::empty(rows, k);
    if k == 0 {
        return result;
    }
    let output = Output(result.items.as_mut_ptr(), result.scores.as_mut_ptr());
    for_each_task(rows.div_ceil(ROWS_PER_TASK), |task| {
        let mut excluded = vec![false; scores.columns];
        let mut best = Vec::with_capacity((2 * k).min(scores.columns));
        let first = task * ROWS_PER_TASK;
        for row in first..rows.min(first + ROWS_PER_TASK) {
            let known = without.map_or(&[][..], |without| &without.indices[without.entries(row)]);
            exclude_others(&mut excluded, allowed.row(row));
            known.iter().for_each(|&item| excluded[item as usize] = true);
            select(&mut best, scores.row(row), &excluded, k);
            known.iter().for_each(|&item| excluded[item as usize] = false);
            let (items, scores) = output.row(row, k);
            for ((item, score), candidate) in items.iter_mut().zip(scores).zip(best.drain(..)) {
                *item = candidate.item();
                *score = candidate.score();
            }
        }
    });
    result
}

/// Writes the k best of a row to `best`, which must be empty, best first.
pub fn select(best: &mut Vec<Candidate>, row: &[f32], excluded: &[bool], k: usize) {
    let mut bound = None;
    for (block, scores) in row.chunks(BLOCK).enumerate() {
        if bound.is_some_and(|bound| !any_above(scores, bound)) {
            continue;
        }
        for (i, &score) in scores.iter().enumerate() {
            let item = block * BLOCK + i;
            // !(score > bound) would accept a NaN.
            if bound.is_none_or(|bound| score > bound) && !excluded[item] {
                best.push(Candidate::new(score, item as u32));
                if best.len() == 2 * k {
                    bound = Some(keep(best, k).score());
                }
            }
        }
    }
    if best.len() > k {
        keep(best, k);
    }
    best.sort_unstable_by(|a, b| b.cmp(a));
}

/// Keeps the k best of more than k candidates; returns the worst of them.
fn keep(best: &mut Vec<Candidate>, k: usize) -> Candidate {
    let (_, &mut worst, _) = best.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    best.truncate(k);
    worst
}

fn any_above(scores: &[f32], bound: f32) -> bool {
    vectorised(
        #[inline(always)]
        || scores.iter().fold(false, |any, &score| any | (score > bound)),
    )
}
