//! The matrix product, with the microkernels of the crate `gemm`. The output is divided into panels whose sizes depend only on its
//! shape, and each panel is one single-threaded product, so results do not depend on the number of threads, bit for bit; this is
//! as fast as the crate's own threading (see docs/performance.md). The crate blocks the inner dimension by the cache sizes of
//! the machine, so bits agree on one type of processor, but not across types.

use super::rounded;
use crate::calls;
use crate::element::{Element, Number};
use crate::matrix::{Floats, Matrix, for_each_panel, for_each_task, part};
use crate::simd::{LANES, vectorised};
use crate::table::kernels;
use gemm_common::Parallelism;
use gemm_f32::gemm::f32::get_gemm_fn;

kernels! {
    Kernel matmul(out: matrix a: float32_or_bfloat16 b: float32_or_bfloat16 transpose_a: maybe_number transpose_b: maybe_number accumulate: maybe_number bf16: maybe_number) {
            let matmul = if calls::is_set(bf16) { rounded::matmul } else { matmul };
            matmul(out, a, b, calls::is_set(transpose_a), calls::is_set(transpose_b), calls::is_set(accumulate))
        };
}

/// Maximum size of a panel. Measured on the shapes of Mult-VAE: smaller panels pack too often, larger ones are not faster and
/// leave less work to share.
const PANEL_ROWS: usize = 512;
const PANEL_COLUMNS: usize = 768;
/// Panels are multiples of this: the microkernel's rows, and a vector of columns.
const TILE_ROWS: usize = 8;
const TILE_COLUMNS: usize = 16;
/// Minimum number of panels, so that the threads can share the work; smaller products are not divided.
const PANELS: usize = 4;
const SMALL: usize = 1 << 20;
/// A panel is not divided further if both sides are smaller than this.
const SMALLEST: usize = 96;

/// out = op(a) op(b), or += with `accumulate`
pub fn matmul(out: Matrix, a: Floats, b: Floats, transpose_a: bool, transpose_b: bool, accumulate: bool) {
    match (a, b) {
        (Floats::Float32(a), Floats::Float32(b)) => multiply(out, a, b, transpose_a, transpose_b, accumulate),
        (Floats::Float32(a), Floats::Bfloat16(b)) => multiply(out, a, b, transpose_a, transpose_b, accumulate),
        (Floats::Bfloat16(a), Floats::Float32(b)) => multiply(out, a, b, transpose_a, transpose_b, accumulate),
        (Floats::Bfloat16(a), Floats::Bfloat16(b)) => multiply(out, a, b, transpose_a, transpose_b, accumulate),
    }
}

/// The same for operands of known types.
pub fn multiply<A: Number, B: Number>(
    out: Matrix,
    a: Matrix<A>,
    b: Matrix<B>,
    transpose_a: bool,
    transpose_b: bool,
    accumulate: bool,
) {
    let (m, n) = (out.rows, out.columns);
    let inner = if transpose_a { a.rows } else { a.columns };
    if m == 0 || n == 0 {
        return;
    }
    if m == 1 && !transpose_a {
        // A single history: packing does not pay off.
        return if transpose_b {
            row_times_rows(out, a, b, accumulate)
        } else {
            row_times_matrix(out, a, b, accumulate)
        };
    }
    if m <= FEW_ROWS && n >= MANY_COLUMNS && transpose_b && !transpose_a {
        return row_times_rows(out, a, b, accumulate);
    }
    let (rows, columns) = panel(m, n, inner);
    for_each_panel(out, rows, columns, |out, r, c| {
        let a = if transpose_a { part(a, 0, r, inner, out.rows) } else { part(a, r, 0, out.rows, inner) };
        let b = if transpose_b { part(b, c, 0, out.columns, inner) } else { part(b, 0, c, inner, out.columns) };
        let (mut wide_a, mut wide_b) = (Vec::new(), Vec::new());
        product(out, widened(a, &mut wide_a), widened(b, &mut wide_b), transpose_a, transpose_b, accumulate);
    });
}

/// The matrix in float32: itself, or a copy in `scratch`, which must outlive it.
fn widened<T: Number>(of: Matrix<T>, scratch: &mut Vec<f32>) -> Matrix {
    let Matrix { data, rows, columns, stride } = of;
    if T::ELEMENT == Element::Float32 {
        return Matrix { data: data.cast(), rows, columns, stride };
    }
    *scratch = of.to_vec();
    Matrix { data: scratch.as_mut_ptr(), rows, columns, stride: columns }
}

/// The same on one thread, in one piece.
pub fn product(out: Matrix, a: Matrix, b: Matrix, transpose_a: bool, transpose_b: bool, accumulate: bool) {
    let inner = if transpose_a { a.rows } else { a.columns };
    let (a_row, a_inner) = if transpose_a { (1, a.stride) } else { (a.stride, 1) };
    let (b_column, b_inner) = if transpose_b { (b.stride, 1) } else { (1, b.stride) };
    // The microkernels prefer a column-major output and ours is row-major, so they compute the transposed product. All strides are
    // in elements.
    unsafe {
        get_gemm_fn()(
            out.columns,
            out.rows,
            inner,
            out.data,
            out.stride as isize,
            1,
            accumulate,
            b.data,
            b_inner as isize,
            b_column as isize,
            a.data,
            a_row as isize,
            a_inner as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Columns of `row_times_rows` per task.
const COLUMNS_PER_TASK: usize = 256;
/// Number of accumulators that are used in turn to hide the latency of additions.
const CHAINS: usize = 4;

/// Of so few rows, and so many columns, packing `b` costs more than it gains: what a server scores together.
pub const FEW_ROWS: usize = 4;
pub const MANY_COLUMNS: usize = 1024;

/// out [m, n] = a [m, k] b^T, b [n, k]: the scores of one or a few histories. `b` is read once in memory order, which dominates the
/// cost; nothing is packed.
fn row_times_rows<A: Number, B: Number>(out: Matrix, a: Matrix<A>, b: Matrix<B>, accumulate: bool) {
    let (m, n) = (out.rows, out.columns);
    for_each_task(n.div_ceil(COLUMNS_PER_TASK), |task| {
        let first = task * COLUMNS_PER_TASK;
        let columns = first..n.min(first + COLUMNS_PER_TASK);
        vectorised(
            #[inline(always)]
            || {
                for c in columns {
                    for r in 0..m {
                        let product = dot(a.row(r), b.row(c));
                        let at = unsafe { &mut *out.at(r, c) };
                        *at = if accumulate { *at + product } else { product };
                    }
                }
            },
        );
    });
}

/// Columns whose sums stay in registers.
const STRIPE: usize = 96;
/// Fewer products are computed faster by a single thread.
const ALONE: usize = 1 << 16;

/// out [1, n] = a [1, k] b, b [k, n]: every element summed in the order of k.
fn row_times_matrix<A: Number, B: Number>(out: Matrix, a: Matrix<A>, b: Matrix<B>, accumulate: bool) {
    let n = out.columns;
    let row = a.row(0);
    let stripe = |task: usize| {
        let first = task * STRIPE;
        let width = STRIPE.min(n - first);
        let out = out.get_mut(0, first, width);
        vectorised(
            #[inline(always)]
            || {
                let mut sums = [0.0f32; STRIPE];
                if width == STRIPE {
                    for (r, &factor) in row.iter().enumerate() {
                        let b: &[B; STRIPE] = b.get(r, first, STRIPE).try_into().expect("a stripe");
                        for l in 0..STRIPE {
                            sums[l] = b[l].widen().mul_add(factor.widen(), sums[l]);
                        }
                    }
                } else {
                    for (r, &factor) in row.iter().enumerate() {
                        for (sum, &b) in sums.iter_mut().zip(b.get(r, first, width)) {
                            *sum = b.widen().mul_add(factor.widen(), *sum);
                        }
                    }
                }
                for (o, &sum) in out.iter_mut().zip(&sums) {
                    *o = if accumulate { *o + sum } else { sum };
                }
            },
        )
    };
    if row.len() * n <= ALONE {
        (0..n.div_ceil(STRIPE)).for_each(stripe);
    } else {
        for_each_task(n.div_ceil(STRIPE), stripe);
    }
}

#[inline(always)]
pub fn dot<A: Number, B: Number>(a: &[A], b: &[B]) -> f32 {
    const STEP: usize = CHAINS * LANES;
    let mut lanes = [0.0f32; STEP];
    let (whole_a, rest_a) = a.as_chunks::<STEP>();
    let (whole_b, rest_b) = b.as_chunks::<STEP>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for l in 0..STEP {
            lanes[l] = a[l].widen().mul_add(b[l].widen(), lanes[l]);
        }
    }
    for (l, (a, b)) in rest_a.iter().zip(rest_b).enumerate() {
        lanes[l] = a.widen().mul_add(b.widen(), lanes[l]);
    }
    let mut width = STEP;
    while width > 1 {
        width /= 2;
        for l in 0..width {
            lanes[l] += lanes[l + width];
        }
    }
    lanes[0]
}

/// Rows and columns of a panel for an output [m, n].
fn panel(m: usize, n: usize, inner: usize) -> (usize, usize) {
    if m * n * inner < SMALL {
        return (m, n);
    }
    let mut down = m.div_ceil(PANEL_ROWS);
    let mut across = n.div_ceil(PANEL_COLUMNS);
    while down * across < PANELS {
        let (rows, columns) = (m.div_ceil(down), n.div_ceil(across));
        if rows.max(columns) < SMALLEST {
            break;
        }
        if rows > columns {
            down += 1;
        } else {
            across += 1;
        }
    }
    // Equal shares for 2 or 4 threads: of five panels, one thread would compute three while the other waits.
    while !(down * across).is_multiple_of(PANELS) && down.max(across) > 1 {
        if down > across {
            down += 1;
        } else {
            across += 1;
        }
    }
    (m.div_ceil(down).next_multiple_of(TILE_ROWS), n.div_ceil(across).next_multiple_of(TILE_COLUMNS))
}
