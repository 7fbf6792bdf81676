//! The inverse of a symmetric positive definite matrix, in place, pivot by pivot (Goodnight 1979, whose "sweep
//! operator" it is; in blocks it is Gauss-Jordan elimination without pivoting, which is stable for such matrices). Only the
//! lower triangle is used. With the pivots K inverted, D = A[K, K] and all others R:
//!
//!   A[K, K] <- -D^-1     A[R, K] <- A[R, K] D^-1     A[R, R] <- A[R, R] - A[R, K] D^-1 A[K, R]
//!
//! Once every pivot is inverted, A is -A^-1. Nearly all of the n^3 operations are in the last product, which is divided into tiles
//! whose sizes depend only on the shape, so results do not depend on the number of threads, bit for bit.

use crate::Answer;
use crate::kernels::gram::for_each_tile_pair;
use crate::kernels::matmul;
use crate::matrix::{Matrix, for_each_task};
use crate::table::kernels;

kernels! {
    Question invertPivots(a: matrix first: number count: number)
        Answer::number(invert_pivots(a, first as usize, count as usize).map_or(-1.0, |pivot| pivot as f64));
    Kernel expandLower(a: matrix rows: matrix columns: matrix) expand_lower(a, rows, columns);
}

/// Sides of the tiles of the large product.
const TILE: usize = 512;
/// Pivots of a block are inverted in groups of this size, and within a group one by one.
const INNER: usize = 32;
/// Rows per task of the smaller product and of copies.
const ROWS_PER_TASK: usize = 128;

/// Inverts the pivots first .. first + count. Returns the first pivot that is not positive, in which case the matrix is invalid, or
/// None.
pub fn invert_pivots(a: Matrix, first: usize, count: usize) -> Option<usize> {
    let n = a.rows;
    let last = first + count;
    let mut negative = match negative_inverse(part(a, &(first..last), first..last)) {
        Ok(inverse) => inverse,
        Err(pivot) => return Some(first + pivot),
    };
    let negative = Matrix { data: negative.as_mut_ptr(), rows: count, columns: count, stride: count };
    // A[R, K], and A[R, K] (-D^-1): both [n, count], the rows of K unused.
    let (mut panel, mut scaled) = (vec![0.0f32; n * count], vec![0.0f32; n * count]);
    let whole = |data: &mut [f32]| Matrix { data: data.as_mut_ptr(), rows: n, columns: count, stride: count };
    let (panel, scaled) = (whole(&mut panel), whole(&mut scaled));

    for_each_task(n.div_ceil(ROWS_PER_TASK), |task| {
        let rows = task * ROWS_PER_TASK..n.min((task + 1) * ROWS_PER_TASK);
        for row in rows.clone() {
            let out = panel.row_mut(row);
            if row >= last {
                out.copy_from_slice(a.get(row, first, count));
            } else if row < first {
                // By symmetry; A[K, row] is a column.
                (0..count).for_each(|k| out[k] = unsafe { *a.at(first + k, row) });
            }
        }
        matmul::product(part(scaled, &rows, 0..count), part(panel, &rows, 0..count), negative, false, false, false);
    });

    let tiles: Vec<_> = cuts(0, first).chain(cuts(last, n)).collect();
    let pairs: Vec<_> = (0..tiles.len()).rev().flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
    for_each_task(pairs.len(), |task| {
        let (rows, columns) = (&tiles[pairs[task].0], &tiles[pairs[task].1]);
        let (left, right) = (part(scaled, rows, 0..count), part(panel, columns, 0..count));
        matmul::product(part(a, rows, columns.clone()), left, right, false, true, true);
    });

    for_each_task(n.div_ceil(ROWS_PER_TASK), |task| {
        for row in task * ROWS_PER_TASK..n.min((task + 1) * ROWS_PER_TASK) {
            let inverted = scaled.row(row);
            if row >= last {
                a.get_mut(row, first, count).iter_mut().zip(inverted).for_each(|(o, &x)| *o = -x);
            } else if row < first {
                (0..count).for_each(|k| unsafe { *a.at(first + k, row) = -inverted[k] });
            } else {
                a.get_mut(row, first, count).copy_from_slice(negative.row(row - first));
            }
        }
    });
    None
}

/// a[i, j] = rows[i] * columns[j] * a[max(i, j), min(i, j)]: expands the matrix from its lower triangle, scaled.
pub fn expand_lower(a: Matrix, rows: Matrix, columns: Matrix) {
    let (rows, columns) = (rows.row(0), columns.row(0));
    for_each_tile_pair(a.rows, |(i0, i1), (j0, j1)| {
        for i in i0..i1 {
            let row = a.get_mut(i, 0, i + 1);
            for j in j0..j1.min(i + 1) {
                let x = row[j];
                unsafe { *a.at(j, i) = rows[j] * columns[i] * x };
                row[j] = rows[i] * columns[j] * x;
            }
        }
    });
}

fn part(of: Matrix, rows: &std::ops::Range<usize>, columns: std::ops::Range<usize>) -> Matrix {
    Matrix { data: of.at(rows.start, columns.start), rows: rows.len(), columns: columns.len(), stride: of.stride }
}

/// [from, to) in equal parts of at most `TILE`.
fn cuts(from: usize, to: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let parts = (to - from).div_ceil(TILE).max(1);
    let size = (to - from).div_ceil(parts).next_multiple_of(16).max(1);
    (from..to).step_by(size).map(move |first| first..to.min(first + size))
}

/// The full matrix -D^-1 for the block of pivots D, row-major; or the index of a pivot that is not positive.
fn negative_inverse(d: Matrix) -> Result<Vec<f32>, usize> {
    let n = d.rows;
    let mut data = vec![0.0f32; n * n];
    let inverse = Matrix { data: data.as_mut_ptr(), rows: n, columns: n, stride: n };
    if n <= INNER {
        let single = negative_inverse_by_single_pivots(d)?;
        data.iter_mut().zip(single).for_each(|(o, x)| *o = x as f32);
    } else {
        (0..n).for_each(|i| inverse.get_mut(i, 0, i + 1).copy_from_slice(d.get(i, 0, i + 1)));
        for first in (0..n).step_by(INNER) {
            if let Some(pivot) = invert_pivots(inverse, first, INNER.min(n - first)) {
                return Err(pivot);
            }
        }
        (0..n).for_each(|i| (0..i).for_each(|j| data[j * n + i] = data[i * n + j]));
    }
    Ok(data)
}

fn negative_inverse_by_single_pivots(block: Matrix) -> Result<Vec<f64>, usize> {
    let n = block.rows;
    let mut d = vec![0.0f64; n * n];
    for i in 0..n {
        (0..=i).for_each(|j| d[i * n + j] = block.row(i)[j] as f64);
        (0..i).for_each(|j| d[j * n + i] = d[i * n + j]);
    }
    let mut column = vec![0.0f64; n];
    for k in 0..n {
        let pivot = d[k * n + k];
        if !(pivot > 0.0 && pivot < f64::INFINITY) {
            return Err(k);
        }
        column.copy_from_slice(&d[k * n..(k + 1) * n]);
        for i in (0..n).filter(|&i| i != k) {
            let factor = column[i] / pivot;
            d[i * n..(i + 1) * n].iter_mut().zip(&column).for_each(|(o, &x)| *o -= factor * x);
            d[i * n + k] = factor;
            d[k * n + i] = factor;
        }
        d[k * n + k] = -1.0 / pivot;
    }
    Ok(d)
}
