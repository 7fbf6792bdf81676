//! The product of operands that are rounded to bfloat16 (bf16/mod.rs). The output is cut into panels whose sizes depend on its
//! shape alone, and a panel packs what it needs: what two panels need both is packed twice. Few rows are not packed: they are
//! multiplied as they are in float32, rounded on the way.

use super::matmul::{FEW_ROWS, MANY_COLUMNS, multiply};
use crate::bf16::{self, Buffers, Lines, Microkernel, with_buffers};
use crate::element::{Bfloat16, Element, Number};
use crate::matrix::{Floats, Matrix, for_each_panel, part};

/// The largest panel. Its right operand is packed once for an inner block, in 320 KiB; the left one in parts of at most 240 KiB,
/// so that both stay in the second cache.
const PANEL_ROWS: usize = 480;
const PANEL_COLUMNS: usize = 320;
const LEFT_ROWS: usize = 240;
/// Inner dimension that is packed at a time. A multiple of what microkernels take.
const INNER: usize = 512;
/// Panels are multiples of this: rows of every microkernel's tile (12 and 16), and its columns.
const TILE_ROWS: usize = 48;
const TILE_COLUMNS: usize = 32;
/// Panels wanted, so that the threads have something to share; products of fewer operations are not cut for it.
const PANELS: usize = 4;
const SMALL: usize = 1 << 20;

/// A number of float32 that counts as the nearest bfloat16.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Rounded(f32);

impl Number for Rounded {
    const ELEMENT: Element = Element::Float32;
    #[inline(always)]
    fn widen(self) -> f32 {
        Bfloat16::round(self.0).widen()
    }
    #[inline(always)]
    fn round(x: f32) -> Self {
        Self(x)
    }
    #[inline(always)]
    fn bfloat16(self) -> Bfloat16 {
        Bfloat16::round(self.0)
    }
}

pub fn rounded(of: Matrix) -> Matrix<Rounded> {
    let Matrix { data, rows, columns, stride } = of;
    Matrix { data: data.cast(), rows, columns, stride }
}

/// out = op(a) op(b), or += with `accumulate`, a and b rounded to bfloat16.
pub fn matmul(out: Matrix, a: Floats, b: Floats, transpose_a: bool, transpose_b: bool, accumulate: bool) {
    match (a, b) {
        (Floats::Float32(a), Floats::Float32(b)) => {
            product(out, rounded(a), rounded(b), transpose_a, transpose_b, accumulate)
        }
        (Floats::Float32(a), Floats::Bfloat16(b)) => product(out, rounded(a), b, transpose_a, transpose_b, accumulate),
        (Floats::Bfloat16(a), Floats::Float32(b)) => product(out, a, rounded(b), transpose_a, transpose_b, accumulate),
        (Floats::Bfloat16(a), Floats::Bfloat16(b)) => product(out, a, b, transpose_a, transpose_b, accumulate),
    }
}

fn product<A: Number, B: Number>(
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
    if !transpose_a && (m == 1 || (m <= FEW_ROWS && n >= MANY_COLUMNS && transpose_b)) {
        return multiply(out, a, b, false, transpose_b, accumulate);
    }
    let left = if transpose_a { Lines::columns(a) } else { Lines::rows(a) };
    let right = if transpose_b { Lines::rows(b) } else { Lines::columns(b) };
    let (rows, columns) = panel(m, n, inner);
    for_each_panel(out, rows, columns, |out, r, c| {
        with_buffers(|buffers| {
            panel_product(
                buffers,
                out,
                left.part(r, out.rows, 0, inner),
                right.part(c, out.columns, 0, inner),
                accumulate,
            )
        });
    });
}

/// The same of one panel, by this thread.
fn panel_product<A: Number, B: Number>(
    buffers: &mut Buffers,
    out: Matrix,
    left: Lines<A>,
    right: Lines<B>,
    accumulate: bool,
) {
    let kernel = Microkernel::here();
    let inner = left.depth();
    let mut from = 0;
    loop {
        let depth = INNER.min(inner - from);
        let b = right.part(0, right.count(), from, depth);
        let b = bf16::pack_right(kernel, b, buffers.right.words(bf16::right_words(kernel, b.count(), depth)));
        for first in (0..out.rows).step_by(LEFT_ROWS) {
            let rows = LEFT_ROWS.min(out.rows - first);
            let a = left.part(first, rows, from, depth);
            let a = bf16::pack_left(kernel, a, buffers.left.words(bf16::left_words(kernel, rows, depth)));
            bf16::multiply(kernel, part(out, first, 0, rows, out.columns), a, b, accumulate || from > 0);
        }
        from += depth;
        if from >= inner {
            return;
        }
    }
}

/// Rows and columns of a panel for an output [m, n].
fn panel(m: usize, n: usize, inner: usize) -> (usize, usize) {
    if m * n * inner < SMALL && m <= PANEL_ROWS && n <= PANEL_COLUMNS {
        return (m, n);
    }
    let mut down = m.div_ceil(PANEL_ROWS);
    let mut across = n.div_ceil(PANEL_COLUMNS);
    // Equal shares for 2 or 4 threads, as far as there are tiles.
    while !(down * across).is_multiple_of(PANELS) {
        if n.div_ceil(across) > TILE_COLUMNS && (down > 1 || n >= m) {
            across += 1;
        } else if m.div_ceil(down) > TILE_ROWS {
            down += 1;
        } else {
            break;
        }
    }
    (m.div_ceil(down).next_multiple_of(TILE_ROWS), n.div_ceil(across).next_multiple_of(TILE_COLUMNS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::{Key, normal_batch};

    fn numbers(count: usize, step: u32) -> Vec<f32> {
        let key = Key { seed: 7, step, stream: 1 };
        (0..count.div_ceil(16)).flat_map(|block| normal_batch(key, 4 * block as u32)).take(count).collect()
    }

    fn matrix(of: &mut [f32], rows: usize, columns: usize) -> Matrix {
        Matrix { data: of.as_mut_ptr(), rows, columns, stride: columns }
    }

    /// Those of this machine, and AMX in software where it has none.
    fn kernels() -> Vec<Microkernel> {
        #[allow(unused_mut)]
        let mut all = Microkernel::all();
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        if !all.contains(&Microkernel::Amx) {
            bf16::emulated::install();
            all.push(Microkernel::Amx);
        }
        all
    }

    #[test]
    fn every_microkernel_gives_the_product_of_the_rounded_operands() {
        for kernel in kernels() {
            for (m, n, k) in [
                (1, 1, 1),
                (3, 5, 2),
                (12, 32, 64),
                (13, 33, 65),
                (48, 64, 31),
                (37, 100, 513),
                (250, 300, 7),
                (5, 7, 0),
            ] {
                for transposed in 0..4 {
                    let (ta, tb) = (transposed & 1 == 1, transposed & 2 == 2);
                    let (mut a, mut b, mut out) = (numbers(m * k, 1), numbers(k * n, 2), numbers(m * n, 3));
                    let before = out.clone();
                    let (left, right) = (
                        if ta { Lines::columns(matrix(&mut a, k, m)) } else { Lines::rows(matrix(&mut a, m, k)) },
                        if tb { Lines::rows(matrix(&mut b, n, k)) } else { Lines::columns(matrix(&mut b, k, n)) },
                    );
                    let (mut la, mut lb) = (bf16::Buffer::default(), bf16::Buffer::default());
                    let (la, lb) = (
                        bf16::pack_left(kernel, left, la.words(bf16::left_words(kernel, m, k))),
                        bf16::pack_right(kernel, right, lb.words(bf16::right_words(kernel, n, k))),
                    );
                    bf16::multiply(kernel, matrix(&mut out, m, n), la, lb, true);
                    let rounded = |x: f32| Bfloat16::round(x).widen() as f64;
                    for r in 0..m {
                        for c in 0..n {
                            let product = |i: usize| {
                                let x = a[if ta { i * m + r } else { r * k + i }];
                                let y = b[if tb { c * k + i } else { i * n + c }];
                                rounded(x) * rounded(y)
                            };
                            let size: f64 = (0..k).map(|i| product(i).abs()).sum::<f64>() + 1.0;
                            let wanted = before[r * n + c] as f64 + (0..k).map(product).sum::<f64>();
                            let off = (out[r * n + c] as f64 - wanted).abs();
                            assert!(off <= 1e-6 * size, "{kernel:?} {m} {n} {k} {ta} {tb} at {r}, {c}: {off}");
                        }
                    }
                }
            }
        }
    }
}
