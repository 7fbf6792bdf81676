//! The k best columns per row without sorting the row: a heap of k whose top is the worst kept. Columns come in
//! ascending order, so a newcomer that only equals the worst loses, as ties by ascending index demand.

use crate::matrix::{Matrix, for_each_task};
use crate::simd::vectorised;
use crate::sparse::Sparse;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Fills the ranks for which a row has no candidate left.
const NO_ITEM: u32 = u32::MAX;
const ROWS_PER_TASK: usize = 8;
/// Columns that are compared with the worst kept at once.
const BLOCK: usize = 64;

pub struct TopK {
    pub rows: usize,
    pub k: usize,
    pub items: Vec<u32>,
    pub scores: Vec<f32>,
}

/// Greater = ranks lower, so that the heap's top is the worst.
struct Candidate {
    score: f32,
    item: u32,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        // Scores are never NaN here, and 0 equals -0.
        let by_score = other.score.partial_cmp(&self.score).unwrap_or(Ordering::Equal);
        by_score.then(self.item.cmp(&other.item))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

struct Output(*mut u32, *mut f32);
unsafe impl Sync for Output {}

impl Output {
    /// A row's part of the result; no two tasks ask for the same.
    fn row(&self, row: usize, k: usize) -> (&mut [u32], &mut [f32]) {
        unsafe {
            let items = std::slice::from_raw_parts_mut(self.0.add(row * k), k);
            (items, std::slice::from_raw_parts_mut(self.1.add(row * k), k))
        }
    }
}

pub fn top_k(scores: Matrix, wanted: usize, without: Option<&Sparse>) -> TopK {
    let k = wanted.min(scores.columns);
    let rows = scores.rows;
    let mut result = TopK { rows, k, items: vec![NO_ITEM; rows * k], scores: vec![f32::NEG_INFINITY; rows * k] };
    if k == 0 {
        return result;
    }
    let output = Output(result.items.as_mut_ptr(), result.scores.as_mut_ptr());
    for_each_task(rows.div_ceil(ROWS_PER_TASK), |task| {
        let mut excluded = vec![false; scores.columns];
        let mut heap = BinaryHeap::with_capacity(k);
        let first = task * ROWS_PER_TASK;
        for row in first..rows.min(first + ROWS_PER_TASK) {
            let known = without.map_or(&[][..], |without| &without.indices[without.entries(row)]);
            known.iter().for_each(|&item| excluded[item as usize] = true);
            select(&mut heap, scores.row(row), &excluded, k);
            known.iter().for_each(|&item| excluded[item as usize] = false);
            let (items, best) = output.row(row, k);
            for rank in (0..heap.len()).rev() {
                let candidate = heap.pop().expect("as many as its length");
                items[rank] = candidate.item;
                best[rank] = candidate.score;
            }
        }
    });
    result
}

/// Leaves the k best of a row in the heap, which is empty.
fn select(heap: &mut BinaryHeap<Candidate>, row: &[f32], excluded: &[bool], k: usize) {
    for (block, scores) in row.chunks(BLOCK).enumerate() {
        let worst = if heap.len() < k { f32::NEG_INFINITY } else { heap.peek().map_or(f32::INFINITY, |c| c.score) };
        if heap.len() == k && !any_above(scores, worst) {
            continue;
        }
        for (i, &score) in scores.iter().enumerate() {
            let item = block * BLOCK + i;
            if excluded[item] {
                continue;
            }
            let candidate = Candidate { score: if score.is_nan() { f32::NEG_INFINITY } else { score }, item: item as u32 };
            if heap.len() < k {
                heap.push(candidate);
            } else if let Some(mut worst) = heap.peek_mut()
                && candidate < *worst
            {
                *worst = candidate;
            }
        }
    }
}

fn any_above(scores: &[f32], bound: f32) -> bool {
    vectorised(
        #[inline(always)]
        || scores.iter().fold(false, |any, &score| any | (score > bound)),
    )
}
