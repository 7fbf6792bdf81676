//! The nearest neighbours of columns: each row of X^T X is computed, converted to similarities, and truncated to its k largest. Only
//! one such row per thread is ever dense.

use crate::Answer;
use crate::matrix::for_each_task;
use crate::sparse::Sparse;
use crate::table::kernels;
use std::sync::Mutex;

kernels! {
    Question neighbours(x: batch size: number left: floats right: floats shrink: number k: number from: number to: number) {
            let similarity =
                Similarity { left, right, union: size == 1.0, shrink: shrink as f32, k: k as usize };
            Answer::rows(neighbours(&x, &similarity, from as usize, to as usize), 0)
        };
}

const COLUMNS_PER_TASK: usize = 8;

/// similarity = d / (left_i right_j + each (left_i + right_j - d) + shrink), d = x_i . x_j; see solvers.ts.
pub struct Similarity {
    pub left: Vec<f32>,
    pub right: Vec<f32>,
    pub union: bool,
    pub shrink: f32,
    pub k: usize,
}

impl Similarity {
    #[inline(always)]
    fn of(&self, i: usize, j: usize, product: f32) -> f32 {
        let (left, right) = (self.left[i], self.right[j]);
        let size = if self.union { left + right - product } else { left * right };
        product / (size + self.shrink)
    }
}

/// A sparse matrix, row by row, with ascending columns.
pub struct Rows {
    pub offsets: Vec<u32>,
    pub indices: Vec<u32>,
    pub values: Vec<f32>,
}

impl Rows {
    pub fn from_lists(lists: &[Vec<(u32, f32)>]) -> Self {
        let mut rows = Self { offsets: vec![0], indices: Vec::new(), values: Vec::new() };
        for list in lists {
            rows.indices.extend(list.iter().map(|&(index, _)| index));
            rows.values.extend(list.iter().map(|&(_, value)| value));
            rows.offsets.push(rows.indices.len() as u32);
        }
        rows
    }
}

/// Keeps the k largest, ties by ascending index; in ascending order of the index.
pub fn keep_largest(list: &mut Vec<(u32, f32)>, k: usize) {
    if list.len() > k {
        list.select_nth_unstable_by(k, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        list.truncate(k);
    }
    list.sort_unstable_by_key(|&(index, _)| index);
}

/// For each of the columns [from, to) of x, the k other columns with the largest positive similarity.
pub fn neighbours(x: &Sparse, similarity: &Similarity, from: usize, to: usize) -> Rows {
    let by_column = x.by_column();
    let lists: Vec<Mutex<Vec<(u32, f32)>>> = (from..to).map(|_| Mutex::default()).collect();
    for_each_task((to - from).div_ceil(COLUMNS_PER_TASK), |task| {
        let mut products = vec![0.0f32; x.columns];
        let mut met: Vec<u32> = Vec::new();
        let first = from + task * COLUMNS_PER_TASK;
        for column in first..to.min(first + COLUMNS_PER_TASK) {
            for at in by_column.entries(column) {
                let factor = by_column.value(at);
                for entry in x.entries(by_column.rows[at] as usize) {
                    let other = x.indices[entry] as usize;
                    if products[other] == 0.0 {
                        met.push(other as u32);
                    }
                    products[other] += factor * x.value(entry);
                }
            }
            let mut list: Vec<(u32, f32)> = Vec::with_capacity(met.len());
            for &other in &met {
                let product = std::mem::take(&mut products[other as usize]);
                if other as usize == column || product <= 0.0 {
                    continue;
                }
                let value = similarity.of(column, other as usize, product);
                if value > 0.0 && value.is_finite() {
                    list.push((other, value));
                }
            }
            met.clear();
            keep_largest(&mut list, similarity.k);
            *lists[column - from].lock().unwrap() = list;
        }
    });
    let lists: Vec<_> = lists.into_iter().map(|list| list.into_inner().unwrap()).collect();
    Rows::from_lists(&lists)
}
