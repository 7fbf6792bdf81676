//! Products of sparse matrices with their own transpose or that of another matrix: dense results at the cost of the pairs of entries.
//! Each row of the result is summed in float64 by one task, users in ascending order.

use crate::matrix::{Matrix, for_each_task};
use crate::sparse::Sparse;
use crate::table::kernels;

kernels! {
    Kernel gram(out: matrix x: batch weights: maybe_matrix) gram(out, &x, weights);
    Kernel sparseProduct(out: matrix a: batch b: batch) sparse_product(out, &a, &b);
}

/// Rows per task; small, because the last rows of a Gram matrix are the most expensive.
const ROWS_PER_TASK: usize = 4;
/// The mirror is copied in square tiles.
const TILE: usize = 64;

/// The entries of a matrix row by row, columns ascending; and for each entry of its columns, its end position in the row.
pub struct Sorted {
    pub columns: Vec<u32>,
    pub values: Option<Vec<f32>>,
    pub ends: Vec<u32>,
}

pub fn sorted(x: &Sparse) -> Sorted {
    let by_column = x.by_column();
    let mut next = x.offsets.clone();
    let mut columns = vec![0u32; x.indices.len()];
    let mut values = x.values.as_ref().map(|values| vec![0.0f32; values.len()]);
    let mut ends = vec![0u32; x.indices.len()];
    for column in 0..x.columns {
        for entry in by_column.entries(column) {
            let place = &mut next[by_column.rows[entry] as usize];
            columns[*place as usize] = column as u32;
            if let Some(values) = &mut values {
                values[*place as usize] = by_column.value(entry);
            }
            *place += 1;
            ends[entry] = *place;
        }
    }
    Sorted { columns, values, ends }
}

/// out [columns, columns] = x' diag(weights) x, weights [rows]; none = all ones
pub fn gram(out: Matrix, x: &Sparse, weights: Option<Matrix>) {
    let by_column = x.by_column();
    let sorted = sorted(x);
    // From the last rows, which are the longest, to the first, so that only small tasks are left at the end.
    for_each_task(x.columns.div_ceil(ROWS_PER_TASK), |task| {
        let last = x.columns - task * ROWS_PER_TASK;
        let mut sums = vec![0.0f64; last];
        for row in (last.saturating_sub(ROWS_PER_TASK)..last).rev() {
            sums[..=row].fill(0.0);
            for entry in by_column.entries(row) {
                let user = by_column.rows[entry] as usize;
                let weight = weights.map_or(1.0, |weights| weights.row(0)[user] as f64) * by_column.value(entry) as f64;
                // The user's items up to this row's own.
                let items = x.offsets[user] as usize..sorted.ends[entry] as usize;
                add(&mut sums, &sorted.columns, sorted.values.as_deref(), items, weight);
            }
            let out = out.get_mut(row, 0, row + 1);
            out.iter_mut().zip(&sums).for_each(|(o, &sum)| *o = sum as f32);
        }
    });
    mirror(out);
}

/// out [a.rows, b.rows] = a b', a and b with the same columns
pub fn sparse_product(out: Matrix, a: &Sparse, b: &Sparse) {
    let by_column = b.by_column();
    for_each_task(a.rows.div_ceil(ROWS_PER_TASK), |task| {
        let mut sums = vec![0.0f64; b.rows];
        let first = task * ROWS_PER_TASK;
        for row in first..a.rows.min(first + ROWS_PER_TASK) {
            sums.fill(0.0);
            for entry in a.entries(row) {
                let users = by_column.entries(a.indices[entry] as usize);
                add(&mut sums, &by_column.rows, by_column.values.as_deref(), users, a.value(entry) as f64);
            }
            out.row_mut(row).iter_mut().zip(&sums).for_each(|(o, &sum)| *o = sum as f32);
        }
    });
}

/// sums[index] += weight * value, for the entries of a range
#[inline(always)]
fn add(sums: &mut [f64], indices: &[u32], values: Option<&[f32]>, range: std::ops::Range<usize>, weight: f64) {
    let indices = &indices[range.clone()];
    match values {
        None => indices.iter().for_each(|&index| sums[index as usize] += weight),
        Some(values) => {
            let values = &values[range];
            indices.iter().zip(values).for_each(|(&index, &value)| sums[index as usize] += weight * value as f64);
        }
    }
}

/// a[i, j] = a[j, i] for i < j
fn mirror(a: Matrix) {
    for_each_tile_pair(a.rows, |i, j| a_to_upper(a, i, j));
}

fn a_to_upper(a: Matrix, (i0, i1): (usize, usize), (j0, j1): (usize, usize)) {
    for i in i0..i1 {
        let row = a.get(i, 0, i);
        for (j, &value) in (j0..).zip(&row[j0..j1.min(i)]) {
            unsafe { *a.at(j, i) = value };
        }
    }
}

/// Runs `body(rows, columns)` for the square tiles of the lower triangle, diagonal tiles included; no two tasks share one.
pub fn for_each_tile_pair(n: usize, body: impl Fn((usize, usize), (usize, usize)) + Sync) {
    for_each_task(n.div_ceil(TILE), |down| {
        let rows = (down * TILE, n.min((down + 1) * TILE));
        for across in 0..=down {
            body(rows, (across * TILE, n.min((across + 1) * TILE)));
        }
    });
}
