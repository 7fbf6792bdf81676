//! Cholesky factors L D L' of X'X + shift I for a sparse X, as sparse columns of the unit lower triangle L (SANSA, Spisak et al. 2023).
//! Columns are computed from left to right, each from the Gram matrix, whose columns are computed when needed and never stored,
//! and the former columns with an entry in its row. An incomplete factor keeps the largest entries of each column; an exact one
//! keeps all until the end. As the last columns of an exact factor are nearly full, they are computed as a dense matrix.
//! Sums are accumulated in float64.

use crate::Answer;
use crate::kernels::gram::{Sorted, sorted};
use crate::kernels::largest_entries::Cut;
use crate::kernels::matmul;
use crate::kernels::neighbours::Rows;
use crate::matrix::{Matrix, for_each_task};
use crate::simd::vectorised;
use crate::sparse::Sparse;
use crate::table::kernels;
use napi::bindgen_prelude::{Float32Array, Uint32Array};
use rayon::prelude::*;
use std::sync::Mutex;

kernels! {
    Question gramShape(x: batch) gram_shape(&x);
    Question sparseCholesky(x: batch shift: number entries: number tail: number exact: maybe_number) {
            let given = Given { shift, entries: entries as usize, tail: tail as usize, exact: exact.is_some_and(|is| is != 0.0) };
            match sparse_cholesky(&x, given) {
                Ok((rows, diagonal)) => {
                    let mut values = rows.values;
                    values.extend(diagonal);
                    Answer {
                        numbers: vec![-1.0],
                        integers: vec![Uint32Array::new(rows.offsets), Uint32Array::new(rows.indices)],
                        floats: Float32Array::new(values),
                    }
                }
                Err(pivot) => Answer::number(pivot as f64),
            }
        };
}

/// Columns of the Gram matrix computed ahead, in parallel.
const AHEAD: usize = 512;
const COLUMNS_PER_TASK: usize = 8;
/// Rows of a block of the dense factor, columns per task within a block, and sides of the tiles that it updates.
const BLOCK: usize = 128;
const STRIPE: usize = 256;
const TILE: usize = 512;
const NONE: u32 = u32::MAX;

pub struct Given {
    pub shift: f64,
    /// Number of entries below the diagonal.
    pub entries: usize,
    /// Number of last columns that are computed as a dense matrix.
    pub tail: usize,
    pub exact: bool,
}

/// X'X, column by column.
struct Gram<'a> {
    x: &'a Sparse,
    sorted: Sorted,
    scratch: Mutex<Vec<Sums>>,
}

/// Sums by row, and the rows that have one.
struct Sums {
    of: Vec<f64>,
    met: Vec<u32>,
}

impl<'a> Gram<'a> {
    fn new(x: &'a Sparse) -> Self {
        Self { x, sorted: sorted(x), scratch: Mutex::default() }
    }

    /// Calls `body` with the column's entries in the rows [from, n), in any order; sums of no interest must be set to 0.
    fn column<R>(&self, column: usize, lower: bool, body: impl FnOnce(&mut Sums) -> R) -> R {
        let taken = self.scratch.lock().unwrap().pop();
        let mut sums = taken.unwrap_or_else(|| Sums { of: vec![0.0; self.x.columns], met: Vec::new() });
        let by_column = self.x.by_column();
        for entry in by_column.entries(column) {
            let user = by_column.rows[entry] as usize;
            let first = if lower { self.sorted.ends[entry] as usize - 1 } else { self.x.offsets[user] as usize };
            let items = first..self.x.offsets[user + 1] as usize;
            let weight = by_column.value(entry) as f64;
            for at in items {
                let row = self.sorted.columns[at];
                let sum = &mut sums.of[row as usize];
                if *sum == 0.0 {
                    sums.met.push(row);
                }
                *sum += weight * self.sorted.values.as_ref().map_or(1.0, |values| values[at] as f64);
            }
        }
        let result = body(&mut sums);
        for &row in &sums.met {
            sums.of[row as usize] = 0.0;
        }
        sums.met.clear();
        self.scratch.lock().unwrap().push(sums);
        result
    }

    /// The lower parts of some columns, the diagonal included.
    fn columns(&self, from: usize, to: usize) -> Vec<Vec<(u32, f64)>> {
        let lists: Vec<Mutex<Vec<(u32, f64)>>> = (from..to).map(|_| Mutex::default()).collect();
        for_each_task((to - from).div_ceil(COLUMNS_PER_TASK), |task| {
            let first = from + task * COLUMNS_PER_TASK;
            for column in first..to.min(first + COLUMNS_PER_TASK) {
                *lists[column - from].lock().unwrap() = self.column(column, true, |sums| {
                    let Sums { of, met } = sums;
                    // A sum that was 0 in between was met twice.
                    let take = |&row: &u32| (row, std::mem::take(&mut of[row as usize]));
                    met.iter().map(take).filter(|&(_, sum)| sum != 0.0).collect()
                });
            }
        });
        lists.into_iter().map(|list| list.into_inner().unwrap()).collect()
    }
}

/// For every column of X'X: its sum of squares, and (as integers) the number of other columns with which it has a product.
fn gram_shape(x: &Sparse) -> Answer {
    let gram = Gram::new(x);
    let mut shapes = vec![(0.0f32, 0u32); x.columns];
    shapes.par_chunks_mut(COLUMNS_PER_TASK).enumerate().for_each(|(task, shapes)| {
        for (at, shape) in shapes.iter_mut().enumerate() {
            let column = task * COLUMNS_PER_TASK + at;
            *shape = gram.column(column, false, |sums| {
                let Sums { of, met } = sums;
                let (mut squares, mut others) = (0.0, 0);
                for &row in met.iter() {
                    let sum = std::mem::take(&mut of[row as usize]);
                    squares += sum * sum;
                    others += u32::from(sum != 0.0 && row as usize != column);
                }
                (squares as f32, others)
            });
        }
    });
    let (squares, others): (Vec<f32>, Vec<u32>) = shapes.into_iter().unzip();
    Answer { numbers: vec![], integers: vec![Uint32Array::new(others)], floats: Float32Array::new(squares) }
}

/// The columns so far, below the diagonal, rows ascending; of LL', not yet unit.
struct Columns {
    offsets: Vec<usize>,
    rows: Vec<u32>,
    values: Vec<f32>,
    pivots: Vec<f32>,
}

impl Columns {
    fn entries(&self, column: usize) -> std::ops::Range<usize> {
        self.offsets[column]..self.offsets[column + 1]
    }
}

/// The unit columns of L and D; or the first column whose pivot is not positive.
fn sparse_cholesky(x: &Sparse, given: Given) -> Result<(Rows, Vec<f32>), usize> {
    let n = x.columns;
    let gram = Gram::new(x);
    let head = n - given.tail;
    let columns = sparse_columns(&gram, &given, head)?;
    let tail = dense_columns(&gram, &given, &columns, head)?;
    let m = given.tail;
    let dense = |j: usize| &tail[j * m + j + 1..(j + 1) * m];
    let slices = std::iter::once(&columns.values[..]).chain((0..m).map(dense));
    let mut cut = Cut::of(slices, given.entries);
    let mut unit = Rows { offsets: vec![0], indices: Vec::new(), values: Vec::new() };
    let mut diagonal = Vec::with_capacity(n);
    for j in 0..n {
        let mut keep = |row: u32, value: f32, pivot: f32| {
            if cut.keeps(value) {
                unit.indices.push(row);
                unit.values.push(value / pivot);
            }
        };
        let pivot = if j < head {
            let pivot = columns.pivots[j];
            columns.entries(j).for_each(|at| keep(columns.rows[at], columns.values[at], pivot));
            pivot
        } else {
            let pivot = tail[(j - head) * (m + 1)];
            (j as u32 + 1..).zip(dense(j - head)).for_each(|(row, &value)| keep(row, value, pivot));
            pivot
        };
        diagonal.push(pivot * pivot);
        unit.offsets.push(unit.indices.len() as u32);
    }
    Ok((unit, diagonal))
}

/// The first columns, each from those before it (Lin and More 1999; without a limit, left-looking Cholesky).
fn sparse_columns(gram: &Gram, given: &Given, head: usize) -> Result<Columns, usize> {
    let n = gram.x.columns;
    let mut done = Columns { offsets: vec![0], rows: Vec::new(), values: Vec::new(), pivots: Vec::new() };
    // What remains of the diagonal.
    let mut diagonal = vec![given.shift; n];
    let by_column = gram.x.by_column();
    for (column, d) in diagonal.iter_mut().enumerate() {
        *d += by_column.entries(column).map(|entry| (by_column.value(entry) as f64).powi(2)).sum::<f64>();
    }
    // The next entry of every column, and the columns whose next entry is in a row, as linked lists.
    let mut next = vec![0usize; head];
    let mut first_of = vec![NONE; n];
    let mut after = vec![NONE; head];
    let mut sums = vec![0.0f64; n];
    let mut is_met = vec![false; n];
    let mut met: Vec<u32> = Vec::new();
    let mut kept: Vec<(u32, f32)> = Vec::new();
    let mut ahead = Vec::new();
    for j in 0..head {
        if j % AHEAD == 0 {
            ahead = gram.columns(j, head.min(j + AHEAD));
        }
        for &(row, value) in &ahead[j % AHEAD] {
            if row as usize != j {
                sums[row as usize] = value;
                is_met[row as usize] = true;
                met.push(row);
            }
        }
        let mut k = first_of[j];
        while k != NONE {
            let column = k as usize;
            let (at, end) = (next[column], done.offsets[column + 1]);
            let factor = done.values[at] as f64;
            for (&row, &value) in done.rows[at + 1..end].iter().zip(&done.values[at + 1..end]) {
                let i = row as usize;
                sums[i] -= factor * value as f64;
                if !is_met[i] {
                    is_met[i] = true;
                    met.push(row);
                }
            }
            k = after[column];
            next[column] = at + 1;
            if at + 1 < end {
                let row = done.rows[at + 1] as usize;
                after[column] = first_of[row];
                first_of[row] = column as u32;
            }
        }
        if !(diagonal[j] > 0.0 && diagonal[j] < f64::INFINITY) {
            return Err(j);
        }
        let pivot = diagonal[j].sqrt();
        kept.clear();
        for &row in &met {
            let i = row as usize;
            let value = std::mem::take(&mut sums[i]) / pivot;
            is_met[i] = false;
            // Dropped entries reduce the diagonal too.
            diagonal[i] -= value * value;
            kept.push((row, value as f32));
        }
        met.clear();
        if !given.exact {
            let most = (given.entries - done.rows.len()) / (n - j);
            if kept.len() > most {
                kept.select_nth_unstable_by(most, |a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
                kept.truncate(most);
            }
        }
        kept.retain(|&(_, value)| value != 0.0);
        kept.sort_unstable_by_key(|&(row, _)| row);
        next[j] = done.rows.len();
        if let Some(&(row, _)) = kept.first() {
            after[j] = first_of[row as usize];
            first_of[row as usize] = j as u32;
        }
        done.rows.extend(kept.iter().map(|&(row, _)| row));
        done.values.extend(kept.iter().map(|&(_, value)| value));
        done.offsets.push(done.rows.len());
        done.pivots.push(pivot as f32);
    }
    Ok(done)
}

/// The last columns as a dense matrix [tail, tail], row j = column j from its diagonal on.
fn dense_columns(gram: &Gram, given: &Given, done: &Columns, head: usize) -> Result<Vec<f32>, usize> {
    let m = given.tail;
    let mut data = vec![0.0f32; m * m];
    if m == 0 {
        return Ok(data);
    }
    let whole = Matrix { data: data.as_mut_ptr(), rows: m, columns: m, stride: m };
    // The entries of the sparse columns in the last rows, row by row.
    let mut in_row: Vec<Vec<usize>> = vec![Vec::new(); m];
    let mut ends: Vec<usize> = Vec::new();
    for column in 0..head {
        for at in done.entries(column) {
            if let Some(row) = (done.rows[at] as usize).checked_sub(head) {
                in_row[row].push(ends.len());
                ends.push(at);
            }
        }
    }
    let column_end = |at: usize| done.offsets[done.offsets.partition_point(|&offset| offset <= at)];
    for_each_task(m.div_ceil(COLUMNS_PER_TASK), |task| {
        for j in task * COLUMNS_PER_TASK..m.min((task + 1) * COLUMNS_PER_TASK) {
            let mut sums = vec![0.0f64; m];
            gram.column(head + j, true, |found| {
                let Sums { of, met } = found;
                met.iter().for_each(|&row| sums[row as usize - head] += std::mem::take(&mut of[row as usize]));
            });
            sums[j] += given.shift;
            for &entry in &in_row[j] {
                let at = ends[entry];
                let factor = done.values[at] as f64;
                for other in at..column_end(at) {
                    sums[done.rows[other] as usize - head] -= factor * done.values[other] as f64;
                }
            }
            whole.row_mut(j)[j..].iter_mut().zip(&sums[j..]).for_each(|(o, &sum)| *o = sum as f32);
        }
    });
    match dense_cholesky(whole) {
        Some(pivot) => Err(head + pivot),
        None => Ok(data),
    }
}

/// Replaces the upper triangle of a positive definite matrix by U, with U'U = a; what is below it is undefined. Returns the first
/// pivot that is not positive.
fn dense_cholesky(a: Matrix) -> Option<usize> {
    let m = a.rows;
    for first in (0..m).step_by(BLOCK) {
        let last = m.min(first + BLOCK);
        if let Some(pivot) = (first..last).find(|&j| !solve_row(a, first, j, j, last)) {
            return Some(pivot);
        }
        for_each_task((m - last).div_ceil(STRIPE), |task| {
            let from = last + task * STRIPE;
            (first..last).for_each(|j| {
                solve_row(a, first, j, from, m.min(from + STRIPE));
            });
        });
        let mut negative: Vec<f32> = Vec::with_capacity((last - first) * (m - last));
        (first..last).for_each(|j| negative.extend(a.get(j, last, m - last).iter().map(|value| -value)));
        let left = Matrix { data: negative.as_mut_ptr(), rows: last - first, columns: m - last, stride: m - last };
        let tiles = (m - last).div_ceil(TILE);
        let pairs: Vec<_> = (0..tiles).flat_map(|i| (i..tiles).map(move |j| (i * TILE, j * TILE))).collect();
        for_each_task(pairs.len(), |task| {
            let (i, j) = pairs[task];
            let (rows, columns) = (TILE.min(m - last - i), TILE.min(m - last - j));
            let part = |of: Matrix, row, column, rows, columns| Matrix {
                data: of.at(row, column),
                rows,
                columns,
                stride: of.stride,
            };
            let out = part(a, last + i, last + j, rows, columns);
            let left = part(left, 0, i, last - first, rows);
            matmul::product(out, left, part(a, first, last + j, last - first, columns), true, false, true);
        });
    }
    None
}

/// Row j of U in the columns [from, to), from the rows first .. j of its block; with the diagonal, whether its pivot is positive.
fn solve_row(a: Matrix, first: usize, j: usize, from: usize, to: usize) -> bool {
    let out = a.get_mut(j, from, to - from);
    for k in first..j {
        let factor = a.row(k)[j];
        let row = a.get(k, from, to - from);
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(row).for_each(|(o, &x)| *o = (-factor).mul_add(x, *o)),
        );
    }
    if from == j {
        let pivot = out[0];
        if !(pivot > 0.0 && pivot < f32::INFINITY) {
            return false;
        }
        out[0] = pivot.sqrt();
        let scale = out[0];
        out[1..].iter_mut().for_each(|o| *o /= scale);
    } else {
        let scale = a.row(j)[j];
        out.iter_mut().for_each(|o| *o /= scale);
    }
    true
}
