//! The product, by the microkernels of the crate `gemm`. The output is cut into panels whose sizes depend on its shape
//! alone, and each panel is one single-threaded product: the threads change no bit, and this measures as fast as the
//! crate's own threading (bench in docs/performance.md). How deep the crate cuts the inner dimension depends on the
//! machine's caches, so bits agree for one kind of processor, not across kinds.

use crate::matrix::{Matrix, for_each_task};
use gemm_common::Parallelism;
use gemm_f32::gemm::f32::get_gemm_fn;

/// Panels are at most this large. Measured on the shapes of Mult-VAE: smaller ones pack too often, larger ones gain
/// nothing and leave less to share.
const PANEL_ROWS: usize = 512;
const PANEL_COLUMNS: usize = 768;
/// Panels are multiples of this: the microkernel's rows, and a vector of columns.
const TILE_ROWS: usize = 8;
const TILE_COLUMNS: usize = 16;
/// Panels wanted, so that the threads have something to share; products of fewer operations are not cut for it.
const PANELS: usize = 4;
const SMALL: usize = 1 << 20;
/// A panel is not cut further where neither side is this large.
const SMALLEST: usize = 96;

/// out = op(a) op(b), or += with `accumulate`
pub fn matmul(out: Matrix, a: Matrix, b: Matrix, transpose_a: bool, transpose_b: bool, accumulate: bool) {
    let (m, n) = (out.rows, out.columns);
    let inner = if transpose_a { a.rows } else { a.columns };
    if m == 0 || n == 0 {
        return;
    }
    let (out, a, b) = (&out, &a, &b);
    let (a_row, a_inner) = if transpose_a { (1, a.stride) } else { (a.stride, 1) };
    let (b_column, b_inner) = if transpose_b { (b.stride, 1) } else { (1, b.stride) };
    let (rows, columns) = panel(m, n, inner);
    let down = m.div_ceil(rows);
    for_each_task(down * n.div_ceil(columns), |task| {
        let r = task % down * rows;
        let c = task / down * columns;
        // The microkernels prefer a column-major output: ours is row-major, so it is the transposed product that they
        // compute. All strides are in elements; the panels of `out` do not overlap.
        unsafe {
            get_gemm_fn()(
                columns.min(n - c),
                rows.min(m - r),
                inner,
                out.at(r, c),
                out.stride as isize,
                1,
                accumulate,
                b.data.wrapping_add(c * b_column),
                b_inner as isize,
                b_column as isize,
                a.data.wrapping_add(r * a_row),
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
    });
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
    (m.div_ceil(down).next_multiple_of(TILE_ROWS), n.div_ceil(across).next_multiple_of(TILE_COLUMNS))
}
