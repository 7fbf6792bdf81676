//! The sparse first layer: the product of (scaled, dropped-out) histories with the weights, at the cost of the entries.
//! The columns are taken in stripes whose sums stay in registers while the stripe's part of the weights stays in the
//! second cache; an element is summed in the order of its row's entries, whatever the stripes.

use crate::matrix::{Matrix, for_each_task};
use crate::philox::{Dropout, for_words};
use crate::simd::vectorised;
use crate::sparse::Sparse;
use std::sync::{Arc, OnceLock};

/// Columns of a stripe: six vectors of AVX-512.
const STRIPE: usize = 96;
/// Rows that one task sums up.
const ROWS_PER_TASK: usize = 16;
/// So few products are done sooner than a second thread wakes.
const ALONE: usize = 1 << 15;

#[derive(Clone, Copy, PartialEq)]
pub struct Options {
    /// Divide every row by max(its L2 norm, 1e-12), the norm taken before dropout.
    pub unit_rows: bool,
    pub dropout: Option<Dropout>,
}

/// The entries of a batch that count, and for how much: forward and gradient share them.
pub struct Kept {
    options: Options,
    by_row: Entries,
    by_touched_column: OnceLock<Entries>,
}

impl Kept {
    /// Bytes per entry of the batch, at most.
    pub const BYTES: usize = 16;
}

/// Runs of (index, factor).
struct Entries {
    offsets: Vec<u32>,
    indices: Vec<u32>,
    factors: Vec<f32>,
}

/// The entries as `options` have them, from the batch's memory where they were the last asked for.
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

/// What each entry counts for; 0 where it is dropped.
fn factors(input: &Sparse, options: Options) -> Vec<f32> {
    let mut factors = vec![0.0f32; input.indices.len()];
    for row in 0..input.rows {
        let entries = input.entries(row);
        let scale = if options.unit_rows {
            let squares: f64 = match &input.values {
                None => entries.len() as f64,
                Some(values) => values[entries.clone()].iter().map(|&x| x as f64 * x as f64).sum(),
            };
            1.0 / squares.sqrt().max(1e-12)
        } else {
            1.0
        };
        for entry in entries {
            factors[entry] = (input.value(entry) as f64 * scale) as f32;
        }
    }
    if let Some(dropout) = options.dropout {
        let scale = dropout.scale as f32;
        vectorised(
            #[inline(always)]
            || {
                for_words(
                    dropout.key,
                    0,
                    factors.len(),
                    #[inline(always)]
                    |from, words| {
                        for (factor, &word) in factors[from..from + words.len()].iter_mut().zip(words) {
                            *factor = if word >= dropout.threshold { *factor * scale } else { 0.0 };
                        }
                    },
                )
            },
        )
    }
    factors
}

fn by_row(input: &Sparse, options: Options) -> Entries {
    let factors = factors(input, options);
    let mut kept = Entries {
        offsets: Vec::with_capacity(input.rows + 1),
        indices: vec![0; factors.len()],
        factors: vec![0.0; factors.len()],
    };
    kept.offsets.push(0);
    let mut count = 0;
    for row in 0..input.rows {
        for entry in input.entries(row) {
            // Written whether it counts or not: half of them do not, and a branch would be guessed wrong as often.
            kept.indices[count] = input.indices[entry];
            kept.factors[count] = factors[entry];
            count += (factors[entry] != 0.0) as usize;
        }
        kept.offsets.push(count as u32);
    }
    kept.indices.truncate(count);
    kept.factors.truncate(count);
    kept
}

/// The same by touched column, within a column by ascending row.
fn by_touched_column(input: &Sparse, rows: &Entries) -> Entries {
    let touched = input.touched();
    let mut slot_of = vec![0u32; input.columns];
    for (slot, &column) in touched.iter().enumerate() {
        slot_of[column as usize] = slot as u32;
    }
    let mut offsets = vec![0u32; touched.len() + 1];
    for &index in &rows.indices {
        offsets[slot_of[index as usize] as usize + 1] += 1;
    }
    for slot in 1..offsets.len() {
        offsets[slot] += offsets[slot - 1];
    }
    let mut cursor = offsets.clone();
    let mut indices = vec![0u32; rows.indices.len()];
    let mut factors = vec![0.0f32; rows.indices.len()];
    for (row, run) in rows.offsets.windows(2).enumerate() {
        for entry in run[0] as usize..run[1] as usize {
            let next = &mut cursor[slot_of[rows.indices[entry] as usize] as usize];
            indices[*next as usize] = row as u32;
            factors[*next as usize] = rows.factors[entry];
            *next += 1;
        }
    }
    Entries { offsets, indices, factors }
}

/// out[r] = sum over run r of factor * a[index]
fn sum_runs(out: Matrix, runs: &Entries, a: Matrix) {
    let rows = runs.offsets.len() - 1;
    let groups = rows.div_ceil(ROWS_PER_TASK);
    let stripes = out.columns.div_ceil(STRIPE);
    // Tasks go through the groups of one stripe before the next: what they read of `a` stays in the cache.
    let task = |task: usize| {
        let first = task / groups * STRIPE;
        let width = STRIPE.min(out.columns - first);
        let from = task % groups * ROWS_PER_TASK;
        for row in from..rows.min(from + ROWS_PER_TASK) {
            let run = runs.offsets[row] as usize..runs.offsets[row + 1] as usize;
            let (indices, factors) = (&runs.indices[run.clone()], &runs.factors[run]);
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
    sum_runs(out, &kept(input, options).by_row, weights);
}

/// out[t] = sum over the entries of touched column t of factor * g[row], in ascending order of the rows
pub fn sparse_row_sum_gradient(out: Matrix, input: &Sparse, g: Matrix, options: Options) {
    let kept = kept(input, options);
    sum_runs(out, kept.by_touched_column.get_or_init(|| by_touched_column(input, &kept.by_row)), g);
}
