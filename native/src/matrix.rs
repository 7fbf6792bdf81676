//! A dense matrix in the engine's memory, and the iteration of kernels over it in pieces of fixed size, on all threads. Pieces are
//! computed independently, so results do not depend on the number of threads, bit for bit.

use crate::element::{Bfloat16, Number};
use crate::memory;
use rayon::prelude::*;

/// Elements per piece: large enough to be worth a task, small enough for the L1 and L2 caches.
pub const PIECE: usize = 8192;
/// Fewer pieces are computed faster by a single thread.
const ALONE: usize = 4;

/// A view of a matrix [rows, columns]; element (r, c) is at `data + r * stride + c`. The accessors below are sound because the queue
/// runs one kernel at a time, the memory outlives the kernel, and pieces do not overlap.
#[derive(Clone, Copy)]
pub struct Matrix<T = f32> {
    pub data: *mut T,
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
}

unsafe impl<T: Send> Send for Matrix<T> {}
unsafe impl<T: Sync> Sync for Matrix<T> {}

/// A matrix of one of the types of floats.
#[derive(Clone, Copy)]
pub enum Floats {
    Float32(Matrix),
    Bfloat16(Matrix<Bfloat16>),
}

/// A matrix of any element type.
#[derive(Clone, Copy)]
pub enum Numbers {
    Float32(Matrix),
    Bfloat16(Matrix<Bfloat16>),
    Int8(Matrix<i8>),
}

impl<T: Number> Matrix<T> {
    /// Where an element lies.
    #[inline(always)]
    pub fn at(&self, row: usize, column: usize) -> *mut T {
        debug_assert!(row < self.rows && column < self.columns);
        unsafe { self.data.add(row * self.stride + column) }
    }

    /// `count` elements of a row, starting at `column`.
    #[inline(always)]
    pub fn get<'a>(&self, row: usize, column: usize, count: usize) -> &'a [T] {
        debug_assert!(row < self.rows && column + count <= self.columns);
        unsafe { std::slice::from_raw_parts(self.data.add(row * self.stride + column), count) }
    }

    /// The same for writing. No other slice of these elements may be alive.
    #[inline(always)]
    pub fn get_mut<'a>(&self, row: usize, column: usize, count: usize) -> &'a mut [T] {
        debug_assert!(row < self.rows && column + count <= self.columns);
        unsafe { std::slice::from_raw_parts_mut(self.data.add(row * self.stride + column), count) }
    }

    #[inline(always)]
    pub fn row<'a>(&self, row: usize) -> &'a [T] {
        self.get(row, 0, self.columns)
    }

    #[inline(always)]
    pub fn row_mut<'a>(&self, row: usize) -> &'a mut [T] {
        self.get_mut(row, 0, self.columns)
    }

    fn is_contiguous(&self) -> bool {
        self.stride == self.columns || self.rows <= 1
    }

    /// The elements as float32, row by row. Panics if memory runs out, which fails the queue but not the process.
    pub fn to_vec(self) -> Vec<f32> {
        let mut out = memory::room(self.rows * self.columns).unwrap_or_else(|message| panic!("{message}"));
        for r in 0..self.rows {
            out.extend(self.row(r).iter().map(|x| x.widen()));
        }
        out
    }
}

/// A part of a matrix; memory is not accessed if it is empty.
pub fn part<T: Number>(of: Matrix<T>, row: usize, column: usize, rows: usize, columns: usize) -> Matrix<T> {
    Matrix { data: of.data.wrapping_add(row * of.stride + column), rows, columns, stride: of.stride }
}

/// Matrices of the same shape as single rows if all of them are contiguous; otherwise unchanged.
pub fn flatten<T: Number, const N: usize>(matrices: [Matrix<T>; N]) -> [Matrix<T>; N] {
    if !matrices.iter().all(Matrix::is_contiguous) {
        return matrices;
    }
    matrices.map(|m| {
        let length = m.rows * m.columns;
        Matrix { data: m.data, rows: 1, columns: length, stride: length }
    })
}

/// Runs `body` for every task, on all threads of the pool.
pub fn for_each_task(tasks: usize, body: impl Fn(usize) + Sync) {
    if tasks <= 1 {
        (0..tasks).for_each(body);
    } else {
        // Tasks can be stolen individually, so that no thread is left with a run of tasks at the end of a kernel.
        (0..tasks).into_par_iter().with_max_len(1).for_each(&body);
    }
}

/// Runs `body(panel, row, column)` for panels of `out` of at most [rows, columns], from that element on, on all threads of the pool.
pub fn for_each_panel(out: Matrix, rows: usize, columns: usize, body: impl Fn(Matrix, usize, usize) + Sync) {
    let down = out.rows.div_ceil(rows);
    for_each_task(down * out.columns.div_ceil(columns), |task| {
        let (r, c) = (task % down * rows, task / down * columns);
        body(part(out, r, c, rows.min(out.rows - r), columns.min(out.columns - c)), r, c);
    });
}

/// Runs `body(row, first column, count)` over [rows, columns] in pieces of at most `PIECE` elements of one row.
pub fn for_each_piece(rows: usize, columns: usize, body: impl Fn(usize, usize, usize) + Sync) {
    if rows == 0 || columns == 0 {
        return;
    }
    let per_row = columns.div_ceil(PIECE);
    if rows * per_row <= ALONE && rows * columns <= ALONE * PIECE {
        for row in 0..rows {
            for first in (0..columns).step_by(PIECE) {
                body(row, first, PIECE.min(columns - first));
            }
        }
    } else if per_row > 1 {
        for_each_task(rows * per_row, |task| {
            let first = task % per_row * PIECE;
            body(task / per_row, first, PIECE.min(columns - first));
        });
    } else {
        let rows_per_task = PIECE / columns;
        for_each_task(rows.div_ceil(rows_per_task), |task| {
            let first = task * rows_per_task;
            for row in first..rows.min(first + rows_per_task) {
                body(row, 0, columns);
            }
        });
    }
}

/// Runs `body(row)` for every row, `rows_per_task` at a time.
pub fn for_each_row(rows: usize, rows_per_task: usize, body: impl Fn(usize) + Sync) {
    for_each_task(rows.div_ceil(rows_per_task), |task| {
        let first = task * rows_per_task;
        (first..rows.min(first + rows_per_task)).for_each(&body);
    });
}
