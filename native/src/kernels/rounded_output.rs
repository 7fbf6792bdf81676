//! The output layer where products take bfloat16 (kernels/output.rs has the layer, bf16/mod.rs the products). It goes block by
//! block of items, and a block never leaves the cache as float32: its products become statistics at once, and the scratch
//! keeps exp(l - largest of the block) or sigmoid(l) as bfloat16, half of what float32 would take. The gradient makes of a block
//! what the weights' gradient of its items and the hidden layer's need, and adds it to both. Where the scratch is too narrow, and
//! where items have counts, the products are computed a second time instead.
//!
//! Blocks depend on the shape alone. The hidden layer's gradient has a few sums, each over a run of blocks in order.

use super::output::{Gradients, Output, Statistics};
use crate::bf16::{self, Buffer, Lines, Microkernel, PART, Packed, with_buffers};
use crate::element::{Bfloat16, Number};
use crate::matrix::{Matrix, for_each_piece, for_each_row, for_each_task, part};
use crate::simd::vectorised;
use std::cell::RefCell;

/// Items in a block; as in src/compute/output-scratch.ts.
const BLOCK: usize = 256;
/// Sums of the hidden layer's gradient, at most, and blocks that each has at least. Their number is a power of two, so that
/// two or four threads have equal shares.
const SUMS: usize = 8;
const BLOCKS_PER_SUM: usize = 3;
/// Rows that are multiplied at a time: with a block's items, their products stay in the second cache.
const ROWS: usize = PART;
const ROWS_PER_TASK: usize = 4;

/// What all threads read, and the sums of the hidden layer's gradient.
#[derive(Default)]
struct Shared {
    hidden: Buffer,
    sums: Buffer,
}

/// Runs `body` with what the thread of the queue keeps from call to call.
fn with_shared<R>(body: impl FnOnce(&mut Shared) -> R) -> R {
    thread_local!(static SHARED: RefCell<Shared> = RefCell::default());
    // Taken out: while it waits for the others, this thread may begin another task of the pool.
    let mut shared = SHARED.take();
    let result = body(&mut shared);
    SHARED.set(shared);
    result
}

/// Where a row of the scratch has what a block keeps.
struct Kept {
    items: usize,
}

impl Kept {
    /// Absent where the products are to be computed again.
    fn of(output: &Output, scratch: Matrix) -> Option<Self> {
        let items = output.items();
        let columns = items.div_ceil(2) + 4 * items.div_ceil(BLOCK);
        (output.counts.is_none() && scratch.columns >= columns).then_some(Self { items })
    }

    fn numbers<'a>(&self, scratch: Matrix, row: usize, first: usize, count: usize) -> &'a mut [Bfloat16] {
        debug_assert!(first + count <= self.items);
        let numbers = scratch.at(row, 0).cast::<Bfloat16>();
        unsafe { std::slice::from_raw_parts_mut(numbers.add(first), count) }
    }

    fn statistics<'a>(&self, scratch: Matrix, row: usize, block: usize) -> &'a mut [f32] {
        scratch.get_mut(row, self.items.div_ceil(2) + 4 * block, 4)
    }
}

fn blocks(output: &Output) -> usize {
    output.items().div_ceil(BLOCK)
}

/// The rows of the hidden activations as the left operand.
fn pack_hidden<'a>(kernel: Microkernel, hidden: Matrix, into: &'a mut Buffer) -> Packed<'a> {
    let (rows, depth) = (hidden.rows, hidden.columns);
    bf16::pack_left(kernel, Lines::rows(hidden), into.words(bf16::left_words(kernel, rows, depth)))
}

/// statistics [rows, 4] of the selected items
pub fn statistics(statistics: Matrix, scratch: Matrix, output: &Output) {
    let kernel = Microkernel::here();
    let kept = Kept::of(output, scratch);
    let rows = output.rows();
    with_shared(|shared| {
        let hidden = pack_hidden(kernel, output.hidden, &mut shared.hidden);
        // By block, where the scratch does not have them.
        let mut aside = Buffer::default();
        let aside = match kept {
            Some(_) => Matrix { data: std::ptr::dangling_mut(), rows: 0, columns: 0, stride: 0 },
            None => matrix(aside.floats(rows * 4 * blocks(output)), rows, 4 * blocks(output)),
        };
        for_each_task(blocks(output), |task| {
            let block = output.block(task * BLOCK, BLOCK);
            let count = block.count();
            with_buffers(|buffers| {
                let words = buffers.right.words(bf16::right_words(kernel, count, block.weights.columns));
                let weights = bf16::pack_right(kernel, Lines::rows(block.weights), words);
                for first in (0..rows).step_by(ROWS) {
                    let some = ROWS.min(rows - first);
                    let products = matrix(buffers.tile.floats(some * count), some, count);
                    bf16::multiply(kernel, products, hidden.from(first), weights, false);
                    for r in 0..some {
                        let row = products.row_mut(r);
                        let of = output.row_statistics(first + r, row, block);
                        match &kept {
                            None => of.write(aside.get_mut(first + r, 4 * task, 4)),
                            Some(kept) => {
                                of.write(kept.statistics(scratch, first + r, task));
                                round(row, kept.numbers(scratch, first + r, block.first, count));
                            }
                        }
                    }
                }
            });
        });
        for_each_row(rows, ROWS_PER_TASK, |r| {
            let of = |block: usize| match &kept {
                Some(kept) => Statistics::read(kept.statistics(scratch, r, block)),
                None => Statistics::read(aside.get(r, 4 * block, 4)),
            };
            let all = (0..blocks(output)).map(of).reduce(|all, one| all.merge(one, output.likelihood));
            all.unwrap_or_else(|| Statistics::none(output.likelihood)).write(statistics.row_mut(r));
        });
    });
}

fn round(from: &[f32], into: &mut [Bfloat16]) {
    vectorised(
        #[inline(always)]
        || from.iter().zip(into).for_each(|(&x, into)| *into = Bfloat16::round(x)),
    );
}

fn widen(from: &[Bfloat16], into: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || from.iter().zip(into).for_each(|(x, into)| *into = x.widen()),
    );
}

fn matrix(data: &mut [f32], rows: usize, columns: usize) -> Matrix {
    Matrix { data: data.as_mut_ptr(), rows, columns, stride: columns }
}

/// The gradients, as `output::gradient` has them.
pub fn gradient(scratch: Matrix, output: &Output, merged: Matrix, g: Matrix, to: &Gradients) {
    let kernel = Microkernel::here();
    let kept = Kept::of(output, scratch);
    let (rows, width) = (output.rows(), output.hidden.columns);
    let blocks = blocks(output);
    let sums = if to.hidden.is_some() { 1 << (blocks / BLOCKS_PER_SUM).clamp(1, SUMS).ilog2() } else { blocks.max(1) };
    with_shared(|Shared { hidden, sums: of_hidden }| {
        // The activations twice: for products that are computed again, and for the weights' gradient.
        let again = if kept.is_none() { bf16::left_words(kernel, rows, width) } else { 0 };
        let across = if to.weights.is_some() { bf16::right_words(kernel, width, rows) } else { 0 };
        let again = again.next_multiple_of(16);
        let (first, second) = hidden.words(again + across).split_at_mut(again);
        let left = kept.is_none().then(|| bf16::pack_left(kernel, Lines::rows(output.hidden), first));
        let right = to.weights.map(|_| bf16::pack_right(kernel, Lines::columns(output.hidden), second));
        let parts = to.hidden.map(|_| matrix(of_hidden.floats(sums * rows * width), sums * rows, width));
        for_each_task(sums, |sum| {
            let part_of_hidden = parts.map(|parts| part(parts, sum * rows, 0, rows, width));
            if let Some(part) = part_of_hidden {
                (0..rows).for_each(|r| part.row_mut(r).fill(0.0));
            }
            for b in sum * blocks / sums..(sum + 1) * blocks / sums {
                let block = output.block(b * BLOCK, BLOCK);
                let count = block.count();
                with_buffers(|buffers| {
                    let forward = left.map(|_| {
                        let words = buffers.forward.words(bf16::right_words(kernel, count, width));
                        bf16::pack_right(kernel, Lines::rows(block.weights), words)
                    });
                    let weights = part_of_hidden.map(|_| {
                        let words = buffers.right.words(bf16::right_words(kernel, width, count));
                        bf16::pack_right(kernel, Lines::columns(block.weights), words)
                    });
                    let transposed = buffers.transposed.words(bf16::left_words(kernel, count, rows));
                    for first in (0..rows).step_by(ROWS) {
                        let some = ROWS.min(rows - first);
                        let products = matrix(buffers.tile.floats(some * count), some, count);
                        if let (Some(left), Some(forward)) = (left, forward) {
                            bf16::multiply(kernel, products, left.from(first), forward, false);
                        }
                        for r in 0..some {
                            let row = products.row_mut(r);
                            let own = kept.as_ref().map(|kept| {
                                widen(kept.numbers(scratch, first + r, block.first, count), row);
                                Statistics::read(kept.statistics(scratch, first + r, b))
                            });
                            let merged = Statistics::read(merged.row(first + r));
                            output.row_gradient(first + r, row, block, own, merged, g.row(first + r)[0]);
                            if let Some(bias) = to.bias {
                                let into = bias.get_mut(0, block.first, count);
                                vectorised(
                                    #[inline(always)]
                                    || into.iter_mut().zip(row).for_each(|(into, x)| *into += *x),
                                );
                            }
                        }
                        if let (Some(part), Some(weights)) = (part_of_hidden, weights) {
                            let words = buffers.left.words(bf16::left_words(kernel, some, count));
                            let left = bf16::pack_left(kernel, Lines::rows(products), words);
                            let rows = self::part(part, first, 0, some, width);
                            bf16::multiply(kernel, rows, left, weights, true);
                        }
                        if right.is_some() {
                            bf16::pack_left_part(kernel, Lines::columns(products), transposed, rows, first);
                        }
                    }
                    if let (Some(right), Some(weights)) = (right, to.weights) {
                        let rows_of_items = part(weights, block.first, 0, count, width);
                        let left = bf16::left(kernel, transposed, count, rows);
                        bf16::multiply(kernel, rows_of_items, left, right, to.add_to_weights);
                    }
                });
            }
        });
        if let (Some(hidden), Some(parts)) = (to.hidden, parts) {
            for_each_piece(rows, width, |r, c, n| {
                let into = hidden.get_mut(r, c, n);
                if !to.add_to_hidden {
                    into.fill(0.0);
                }
                for sum in 0..sums {
                    let part = parts.get(sum * rows + r, c, n);
                    vectorised(
                        #[inline(always)]
                        || into.iter_mut().zip(part).for_each(|(into, &x)| *into += x),
                    );
                }
            });
        }
    });
}
