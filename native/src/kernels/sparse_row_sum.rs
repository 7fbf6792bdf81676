//! The sparse first layer: the product of (scaled, dropped-out) histories with the weights, at the cost of the entries.
//! The columns are processed in stripes whose sums stay in registers while the stripe's part of the weights stays in the L2
//! cache; an element is always summed in the order of its row's entries.

use crate::calls;
use crate::kept::{Entries, Kept, Options};
use crate::matrix::{Matrix, for_each_task};
use crate::philox::{for_words, for_words_at};
use crate::simd::{keep_if, vectorised};
use crate::sparse::Sparse;
use crate::table::kernels;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

kernels! {
    Kernel sparseRowSum(out: matrix input: batch weights: matrix row_scale: maybe_number
        dropout_rate: maybe_number key_seed: maybe_number key_step: maybe_number key_stream: maybe_number)
        sparse_row_sum(out, &input, weights, row_sum(row_scale, dropout_rate, [key_seed, key_step, key_stream]));
    Kernel sparseRowSumGradient(out: matrix input: batch g: matrix row_scale: maybe_number
        dropout_rate: maybe_number key_seed: maybe_number key_step: maybe_number key_stream: maybe_number)
        sparse_row_sum_gradient(out, &input, g, row_sum(row_scale, dropout_rate, [key_seed, key_step, key_stream]));
}

fn row_sum(row_scale: Option<f64>, rate: Option<f64>, word: [Option<f64>; 3]) -> Options {
    let [seed, step, stream] = word.map(|number| number.unwrap_or(0.0));
    Options {
        unit_rows: row_scale == Some(1.0),
        dropout: rate.map(|rate| calls::dropout(rate, calls::key(seed, step, stream))),
    }
}

/// Columns of a stripe: six vectors of AVX-512.
const STRIPE: usize = 96;
/// Rows that one task sums up.
const ROWS_PER_TASK: usize = 16;
/// Rows whose entries one task processes.
const ROWS_PER_COUNT: usize = 64;
/// Fewer products are computed faster by a single thread.
const ALONE: usize = 1 << 15;

/// The weighted entries for `options`, from the batch's cache if they were the last requested ones.
fn kept(input: &Sparse, options: Options) -> Arc<Kept> {
    let mut last = input.kept.lock().unwrap();
    match &*last {
        Some(kept) if kept.options == options => kept.clone(),
        _ => {
            let kept = Arc::new(Kept { options, by_row: by_row(input, options), by_touched_column: OnceLock::new() });
            *last = Some(kept.clone());
            kept
        }
    }
}

/// The weights of the entries of some rows; 0 for dropped entries.
fn factors(input: &Sparse, options: Options, rows: Range<usize>, factors: &mut [f32]) {
    let first = input.offsets[rows.start] as usize;
    for row in rows {
        let entries = input.entries(row);
        let scale = if options.unit_rows {
            let squares: f64 = match (&input.piece.squares, &input.values) {
                (Some(squares), _) => squares[row],
                (None, None) => entries.len() as f64,
                (None, Some(values)) => values[entries.clone()].iter().map(|&x| x as f64 * x as f64).sum(),
            };
            1.0 / squares.sqrt().max(1e-12)
        } else {
            1.0
        };
        for entry in entries {
            factors[entry - first] = (input.value(entry) as f64 * scale) as f32;
        }
    }
    if let Some(dropout) = options.dropout {
        let scale = dropout.scale as f32;
        vectorised(
            #[inline(always)]
            || {
                let count = factors.len();
                match &input.piece.positions {
                    None => for_words(
                        dropout.key,
                        input.piece.first + first,
                        count,
                        #[inline(always)]
                        |from, words| drop_some(&mut factors[from..], words, dropout.threshold, scale),
                    ),
                    Some(positions) => for_words_at(
                        dropout.key,
                        &positions[first..first + count],
                        #[inline(always)]
                        |from, words| drop_some(&mut factors[from..], words, dropout.threshold, scale),
                    ),
                }
            },
        )
    }
}

/// Applies dropout to factors, with one random word each. Only inside `vectorised`.
#[inline(always)]
fn drop_some(factors: &mut [f32], words: &[u32], threshold: u32, scale: f32) {
    for (factor, &word) in factors.iter_mut().zip(words) {
        *factor = keep_if(word >= threshold, *factor * scale);
    }
}

fn by_row(input: &Sparse, options: Options) -> Entries {
    let entries = input.indices.len();
    let mut kept = Entries { runs: vec![(0, 0); input.rows], indices: vec![0; entries], factors: vec![0.0; entries] };
    let to = Parts(kept.runs.as_mut_ptr(), kept.indices.as_mut_ptr(), kept.factors.as_mut_ptr());
    for_each_task(input.rows.div_ceil(ROWS_PER_COUNT), |task| {
        let rows = task * ROWS_PER_COUNT..input.rows.min((task + 1) * ROWS_PER_COUNT);
        let first = input.offsets[rows.start] as usize;
        let (runs, indices, factors) = to.of(rows.clone(), first..input.offsets[rows.end] as usize);
        self::factors(input, options, rows.clone(), factors);
        for (row, run) in rows.zip(runs) {
            let from = input.offsets[row];
            let mut count = from as usize - first;
            for entry in input.entries(row) {
                // Written unconditionally: about half of the entries are dropped, so a branch would often be mispredicted.
                let factor = factors[entry - first];
                indices[count] = input.indices[entry];
                factors[count] = factor;
                count += (factor != 0.0) as usize;
            }
            *run = (from, (first + count) as u32);
        }
    });
    kept
}

/// The output of the tasks of `by_row`, each of which writes its own rows and entries.
struct Parts(*mut (u32, u32), *mut u32, *mut f32);
unsafe impl Sync for Parts {}

impl Parts {
    /// No two tasks may request the same part.
    #[allow(clippy::mut_from_ref)]
    fn of(&self, rows: Range<usize>, entries: Range<usize>) -> (&mut [(u32, u32)], &mut [u32], &mut [f32]) {
        unsafe {
            (
                std::slice::from_raw_parts_mut(self.0.add(rows.start), rows.len()),
                std::slice::from_raw_parts_mut(self.1.add(entries.start), entries.len()),
                std::slice::from_raw_parts_mut(self.2.add(entries.start), entries.len()),
            )
        }
    }
}

/// The same by touched column, within a column by ascending row.
fn by_touched_column(input: &Sparse, rows: &Entries) -> Entries {
    let touched = input.touched();
    let places = input.places();
    let mut ends = vec![0u32; touched.len() + 1];
    for row in 0..input.rows {
        for &index in rows.run(row).0 {
            ends[places.of(index) as usize + 1] += 1;
        }
    }
    for slot in 1..ends.len() {
        ends[slot] += ends[slot - 1];
    }
    let entries = ends[touched.len()] as usize;
    let mut runs: Vec<_> = ends[..touched.len()].iter().map(|&start| (start, start)).collect();
    let (mut indices, mut factors) = (vec![0u32; entries], vec![0.0f32; entries]);
    for row in 0..input.rows {
        let (columns, counts) = rows.run(row);
        for (&column, &factor) in columns.iter().zip(counts) {
            let (_, next) = &mut runs[places.of(column) as usize];
            indices[*next as usize] = row as u32;
            factors[*next as usize] = factor;
            *next += 1;
        }
    }
    Entries { runs, indices, factors }
}

/// out[r] = sum over run r of factor * a[index]
fn sum_runs(out: Matrix, runs: &Entries, a: Matrix) {
    let rows = runs.runs.len();
    let groups = rows.div_ceil(ROWS_PER_TASK);
    let stripes = out.columns.div_ceil(STRIPE);
    // Tasks process all groups of one stripe before the next, so that the part of `a` that they read stays in the cache.
    let task = |task: usize| {
        let first = task / groups * STRIPE;
        let width = STRIPE.min(out.columns - first);
        let from = task % groups * ROWS_PER_TASK;
        for row in from..rows.min(from + ROWS_PER_TASK) {
            let (indices, factors) = runs.run(row);
            let out = out.get_mut(row, first, width);
            vectorised(
                #[inline(always)]
                || {
                    if let Ok(out) = <&mut [f32; STRIPE]>::try_from(&mut *out) {
                        let mut sums = [0.0f32; STRIPE];
                        for (&index, &factor) in indices.iter().zip(factors) {
                            let a: &[f32; STRIPE] = a.get(index as usize, first, STRIPE).try_into().expect("a stripe");
                            for l in 0..STRIPE {
                                sums[l] = a[l].mul_add(factor, sums[l]);
                            }
                        }
                        *out = sums;
                    } else {
                        out.fill(0.0);
                        for (&index, &factor) in indices.iter().zip(factors) {
                            for (o, &a) in out.iter_mut().zip(a.get(index as usize, first, width)) {
                                *o = a.mul_add(factor, *o);
                            }
                        }
                    }
                },
            )
        }
    };
    if runs.indices.len() * out.columns <= ALONE {
        (0..groups * stripes).for_each(task);
    } else {
        for_each_task(groups * stripes, task);
    }
}

/// out[r] = sum over the entries of row r of factor * weights[column]
pub fn sparse_row_sum(out: Matrix, input: &Sparse, weights: Matrix, options: Options) {
    let kept = kept(input, options);
    if options.dropout.is_some() {
        // A gradient will follow: an idle thread prepares its data.
        rayon::join(|| sum_runs(out, &kept.by_row, weights), || by_touched(input, &kept));
    } else {
        sum_runs(out, &kept.by_row, weights);
    }
}

/// out[t] = sum over the entries of touched column t of factor * g[row], in ascending order of the rows
pub fn sparse_row_sum_gradient(out: Matrix, input: &Sparse, g: Matrix, options: Options) {
    let kept = kept(input, options);
    sum_runs(out, by_touched(input, &kept), g);
}

fn by_touched<'a>(input: &Sparse, kept: &'a Kept) -> &'a Entries {
    kept.by_touched_column.get_or_init(|| by_touched_column(input, &kept.by_row))
}
