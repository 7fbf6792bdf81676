//! The output layer over a selection of items: statistics of the likelihood, how they merge, the loss, and all gradients
//! (specified in src/compute/kernels.ts). If the scratch covers all items, the forward pass stores what the gradient needs, so that
//! nothing is computed twice: exp(l - largest) or sigmoid(l), and the raw products if items have counts. A narrower scratch holds
//! one block of items at a time, whose products are recomputed for the gradient. Rows are independent and blocks are processed in
//! order, so results do not depend on the number of threads, bit for bit.

use super::matmul::multiply;
use super::reductions::sum_rows;
use super::rounded_output;
use crate::calls;
use crate::matrix::{Matrix, for_each_row, part};
use crate::simd::{LANES, SUM_BLOCK, exp, ln, sum_block, vectorised};
use crate::sparse::Sparse;
use crate::table::kernels;

kernels! {
    Kernel outputStatistics(statistics: matrix scratch: matrix
        hidden: matrix weights: matrix bias: matrix target: batch likelihood: number
        from: maybe_number items: maybe_list counts: maybe_matrix bf16: maybe_number)
        self::statistics(statistics, scratch, &Output::new(
            [hidden, weights, bias], &target, likelihood, from, items.as_deref(), counts, bf16,
        ));
    Kernel mergeOutputStatistics(statistics: matrix other: matrix likelihood: number)
        merge(statistics, other, Likelihood::of(likelihood));
    Kernel outputLoss(loss: matrix statistics: matrix likelihood: number)
        self::loss(loss, statistics, Likelihood::of(likelihood));
    Kernel outputGradient(scratch: matrix
        hidden: matrix weights: matrix bias: matrix target: batch likelihood: number
        from: maybe_number items: maybe_list counts: maybe_matrix bf16: maybe_number
        own: matrix merged: matrix g: matrix
        hidden_gradient: maybe_matrix add_to_hidden: maybe_number
        weights_gradient: maybe_matrix add_to_weights: maybe_number bias_gradient: maybe_matrix)
        gradient(
            scratch,
            &Output::new(
                [hidden, weights, bias], &target, likelihood, from, items.as_deref(), counts, bf16,
            ),
            own, merged, g,
            &Gradients {
                hidden: hidden_gradient, add_to_hidden: calls::is_set(add_to_hidden),
                weights: weights_gradient, add_to_weights: calls::is_set(add_to_weights), bias: bias_gradient,
            },
        );
    Kernel denseBernoulliLoss(loss: matrix logits: matrix target: matrix)
        dense_bernoulli_loss(loss, logits, target);
    Kernel denseBernoulliLossGradient(out: matrix logits: matrix target: matrix g: matrix)
        dense_bernoulli_loss_gradient(out, logits, target, g);
}

const ROWS_PER_TASK: usize = 4;

#[derive(Clone, Copy, PartialEq)]
pub enum Likelihood {
    Multinomial,
    Bernoulli,
}

impl Likelihood {
    /// By its number in the kernel table.
    pub fn of(number: f64) -> Self {
        if number == 0.0 { Self::Multinomial } else { Self::Bernoulli }
    }
}

pub struct Output<'a> {
    pub hidden: Matrix,
    pub weights: Matrix,
    pub bias: Matrix,
    pub target: &'a Sparse,
    pub likelihood: Likelihood,
    /// The target's column of the first item.
    pub from: usize,
    /// The target's columns of the items, if they are not consecutive.
    pub items: Option<&'a [u32]>,
    /// The weight of an item in a row's sum.
    pub counts: Option<Matrix>,
    /// Products take bfloat16.
    pub bf16: bool,
}

/// The statistics of a row, relative to `base`; for Bernoulli, only `sum` is used.
#[derive(Clone, Copy)]
pub struct Statistics {
    /// The largest logit that counts.
    pub largest: f64,
    /// Sum of exp(l - largest); for Bernoulli the row's negative log-likelihood.
    pub sum: f64,
    /// Sum of x (l - base).
    pub chosen: f64,
    /// Sum of x.
    pub n: f64,
}

/// The reference of the target's part: the largest logit that counts, or 0 if no item counts.
fn base(largest: f64) -> f64 {
    if largest == f64::NEG_INFINITY { 0.0 } else { largest }
}

impl Statistics {
    /// Of no items.
    pub fn none(likelihood: Likelihood) -> Self {
        let largest = if likelihood == Likelihood::Bernoulli { 0.0 } else { f64::NEG_INFINITY };
        Self { largest, sum: 0.0, chosen: 0.0, n: 0.0 }
    }

    pub fn read(row: &[f32]) -> Self {
        let [largest, sum, chosen, n] = std::array::from_fn(|i| row[i] as f64);
        Self { largest, sum, chosen, n }
    }

    pub fn write(self, row: &mut [f32]) {
        row.copy_from_slice(&[self.largest as f32, self.sum as f32, self.chosen as f32, self.n as f32]);
    }

    pub fn merge(self, other: Self, likelihood: Likelihood) -> Self {
        if likelihood == Likelihood::Bernoulli {
            let [largest, chosen] = [0.0; 2];
            return Self { largest, sum: self.sum + other.sum, chosen, n: self.n + other.n };
        }
        let largest = if other.largest > self.largest { other.largest } else { self.largest };
        let sum = |of: Self| if of.sum == 0.0 { 0.0 } else { of.sum * (of.largest - largest).exp() };
        let chosen =
            |of: Self| if of.n == 0.0 { of.chosen } else { of.chosen + of.n * (base(of.largest) - base(largest)) };
        Self { largest, sum: sum(self) + sum(other), chosen: chosen(self) + chosen(other), n: self.n + other.n }
    }

    fn loss(self, likelihood: Likelihood) -> f64 {
        if likelihood == Likelihood::Bernoulli {
            self.sum
        } else if self.sum == 0.0 && self.n == 0.0 {
            0.0 - self.chosen
        } else if self.sum > 0.0 && self.sum.is_finite() {
            self.n * ln(self.sum) - self.chosen
        } else {
            f64::NAN
        }
    }
}

/// 1 / (1 + e^-x)
pub fn sigmoid_of(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// ln(1 + e^x)
pub fn softplus_of(x: f64) -> f64 {
    (if x < 0.0 { 0.0 } else { x }) + (-x.abs()).exp().ln_1p()
}

/// A block of items [first, first + count), its weights and bias.
#[derive(Clone, Copy)]
pub struct Block {
    pub first: usize,
    pub weights: Matrix,
    bias: Matrix,
    counts: Option<Matrix>,
}

impl Block {
    pub fn count(&self) -> usize {
        self.weights.rows
    }
}

impl<'a> Output<'a> {
    /// `tensors`: hidden, weights, bias; the numbers as the call has them.
    pub fn new(
        tensors: [Matrix; 3],
        target: &'a Sparse,
        likelihood: f64,
        from: Option<f64>,
        items: Option<&'a [u32]>,
        counts: Option<Matrix>,
        bf16: Option<f64>,
    ) -> Self {
        let [hidden, weights, bias] = tensors;
        let (likelihood, from) = (Likelihood::of(likelihood), from.unwrap_or(0.0) as usize);
        let bf16 = calls::is_set(bf16);
        Self { hidden, weights, bias, target, likelihood, from, items, counts, bf16 }
    }

    pub fn rows(&self) -> usize {
        self.hidden.rows
    }

    pub fn items(&self) -> usize {
        self.weights.rows
    }

    pub fn block(&self, first: usize, most: usize) -> Block {
        let count = most.min(self.items() - first);
        let columns = |of: Matrix| part(of, 0, first, 1, count);
        Block {
            first,
            weights: part(self.weights, first, 0, count, self.weights.columns),
            bias: columns(self.bias),
            counts: self.counts.map(columns),
        }
    }

    /// Those entries of a row that may lie in a block.
    fn entries(&self, row: usize, block: Block) -> std::ops::Range<usize> {
        let entries = self.target.entries(row);
        if self.items.is_some() || !self.target.ascending || block.count() == self.items() {
            return entries;
        }
        let columns = &self.target.indices[entries.clone()];
        let from = (self.from + block.first) as u64;
        let place = |bound: u64| columns.partition_point(|&column| (column as u64) < bound);
        entries.start + place(from)..entries.start + place(from + block.count() as u64)
    }

    /// The entries of a row that lie in a block: the item's place there, and the entry's value.
    pub fn targets(&self, row: usize, block: Block) -> impl Iterator<Item = (usize, f32)> {
        self.entries(row, block).filter_map(move |entry| {
            let column = self.target.indices[entry];
            let place = match self.items {
                Some(items) => items.binary_search(&column).ok()?,
                None => (column as usize).checked_sub(self.from)?,
            };
            let place = place.checked_sub(block.first).filter(|&place| place < block.count())?;
            Some((place, self.target.value(entry)))
        })
    }

    /// Of a row of products, which become what the gradient wants to find; those of items with counts stay.
    pub fn row_statistics(&self, r: usize, row: &mut [f32], block: Block) -> Statistics {
        match self.likelihood {
            Likelihood::Multinomial => self.multinomial(r, row, block),
            Likelihood::Bernoulli => self.bernoulli(r, row, block),
        }
    }

    fn multinomial(&self, r: usize, row: &mut [f32], block: Block) -> Statistics {
        let (bias, counts) = (block.bias.row(0), block.counts.map(|counts| counts.row(0)));
        let largest = vectorised(
            #[inline(always)]
            || match counts {
                None => largest_sum(row, bias),
                Some(counts) => largest_counted(row, bias, counts),
            },
        );
        let (mut n, mut chosen) = (0.0f64, 0.0f64);
        let base = base(largest as f64) as f32;
        for (item, x) in self.targets(r, block) {
            n += x as f64;
            chosen += x as f64 * ((row[item] + bias[item]) - base) as f64;
        }
        let sum = vectorised(
            #[inline(always)]
            || match counts {
                None => exponentials(row, bias, largest),
                Some(counts) => counted_exponentials(row, bias, counts, largest),
            },
        );
        Statistics { largest: largest as f64, sum, chosen, n }
    }

    fn bernoulli(&self, r: usize, row: &mut [f32], block: Block) -> Statistics {
        let bias = block.bias.row(0);
        let (mut n, mut chosen) = (0.0f64, 0.0f64);
        for (item, x) in self.targets(r, block) {
            n += x as f64;
            chosen += (x * (row[item] + bias[item])) as f64;
        }
        let mut sum = 0.0f64;
        if let Some(counts) = block.counts {
            let counts = counts.row(0);
            for ((&x, &bias), &count) in row.iter().zip(bias).zip(counts) {
                sum += if count > 0.0 { count as f64 * softplus_of((x + bias) as f64) } else { 0.0 };
            }
            for (item, _) in self.targets(r, block) {
                sum += (1.0 - counts[item] as f64) * softplus_of((row[item] + bias[item]) as f64);
            }
        } else {
            for (row, bias) in row.chunks_mut(SUM_BLOCK).zip(bias.chunks(SUM_BLOCK)) {
                let (positive, product) = vectorised(
                    #[inline(always)]
                    || sigmoids(row, bias),
                );
                // `ln` is only defined for finite numbers; a NaN among the logits must remain NaN.
                sum += if product.is_finite() { positive + ln(product) } else { f64::NAN };
            }
        }
        Statistics { largest: 0.0, sum: sum - chosen, chosen: 0.0, n }
    }

    /// A row of products, or of what the statistics left of them, becomes the gradient of the loss times g.
    pub fn row_gradient(
        &self,
        r: usize,
        row: &mut [f32],
        block: Block,
        kept: Option<Statistics>,
        merged: Statistics,
        g: f32,
    ) {
        let bias = block.bias.row(0);
        let counts = block.counts.map(|counts| counts.row(0));
        let targets = self.target_gradients(r, row, block, g);
        let factor = match self.likelihood {
            Likelihood::Bernoulli => g,
            Likelihood::Multinomial => {
                let shift =
                    kept.filter(|_| counts.is_none()).map_or(1.0, |kept| exp((kept.largest - merged.largest) as f32));
                let empty = merged.sum == 0.0 && merged.n == 0.0;
                if empty { 0.0 } else { (g as f64 * merged.n / merged.sum * shift as f64) as f32 }
            }
        };
        if kept.is_none() || counts.is_some() {
            for (row, bias) in row.chunks_mut(SUM_BLOCK).zip(bias.chunks(SUM_BLOCK)) {
                vectorised(
                    #[inline(always)]
                    || match self.likelihood {
                        Likelihood::Multinomial => exponentials(row, bias, merged.largest as f32),
                        Likelihood::Bernoulli => sigmoids(row, bias).0,
                    },
                );
            }
        }
        vectorised(
            #[inline(always)]
            || match counts {
                None => row.iter_mut().for_each(|x| *x *= factor),
                // The exponential of an item that does not count may be infinite.
                Some(counts) => row.iter_mut().zip(counts).for_each(|(x, &count)| {
                    *x = if count > 0.0 { *x * (count * factor) } else { 0.0 };
                }),
            },
        );
        match targets {
            None => self.targets(r, block).for_each(|(item, x)| row[item] -= g * x),
            Some(targets) => targets.into_iter().for_each(|(item, gradient)| row[item] += gradient),
        }
    }

    /// The contribution of a row's targets to the gradient if it depends on their logits, which `row` still contains.
    fn target_gradients(&self, r: usize, row: &[f32], block: Block, g: f32) -> Option<Vec<(usize, f32)>> {
        let counts = block.counts?.row(0);
        let bias = block.bias.row(0);
        let of = |(item, x): (usize, f32)| {
            let logit = row[item] + bias[item];
            let gradient = match self.likelihood {
                Likelihood::Bernoulli => (1.0 - counts[item] as f64) * sigmoid_of(logit as f64) - x as f64,
                Likelihood::Multinomial => -(x as f64),
            };
            (item, (g as f64 * gradient) as f32)
        };
        Some(self.targets(r, block).map(of).collect())
    }
}

/// statistics [rows, 4] of the selected items; scratch [rows, some or all items].
pub fn statistics(statistics: Matrix, scratch: Matrix, output: &Output) {
    if output.bf16 {
        return rounded_output::statistics(statistics, scratch, output);
    }
    each_block(output, scratch, |block, products| {
        multiply(products, output.hidden, block.weights, false, true, false);
        for_each_row(output.rows(), ROWS_PER_TASK, |r| {
            let of = output.row_statistics(r, products.row_mut(r), block);
            let into = statistics.row_mut(r);
            let before = (block.first > 0).then(|| Statistics::read(into));
            before.map_or(of, |before| before.merge(of, output.likelihood)).write(into);
        });
    });
}

/// Runs `body` on consecutive blocks of items, each with its part of the scratch. Without items there is one empty block.
fn each_block(output: &Output, scratch: Matrix, body: impl Fn(Block, Matrix)) {
    let most = scratch.columns.max(1);
    for first in (0..output.items().max(1)).step_by(most) {
        let block = output.block(first, most);
        body(block, part(scratch, 0, 0, output.rows(), block.count()));
    }
}

fn is_kept(output: &Output, scratch: Matrix) -> bool {
    scratch.columns >= output.items()
}

/// Merges the statistics of two selections into `statistics`.
pub fn merge(statistics: Matrix, other: Matrix, likelihood: Likelihood) {
    for r in 0..statistics.rows {
        let into = statistics.row_mut(r);
        Statistics::read(into).merge(Statistics::read(other.row(r)), likelihood).write(into);
    }
}

/// loss [rows, 1]
pub fn loss(loss: Matrix, statistics: Matrix, likelihood: Likelihood) {
    for r in 0..loss.rows {
        loss.row_mut(r)[0] = Statistics::read(statistics.row(r)).loss(likelihood) as f32;
    }
}

/// The outputs for gradients; absent gradients are not computed.
pub struct Gradients {
    pub hidden: Option<Matrix>,
    pub add_to_hidden: bool,
    pub weights: Option<Matrix>,
    pub add_to_weights: bool,
    /// Added to.
    pub bias: Option<Matrix>,
}

/// `own`: the result of `statistics`; `merged`: the statistics of all items that share the loss; g [rows, 1].
pub fn gradient(scratch: Matrix, output: &Output, own: Matrix, merged: Matrix, g: Matrix, to: &Gradients) {
    if output.bf16 {
        return rounded_output::gradient(scratch, output, merged, g, to);
    }
    let kept = is_kept(output, scratch);
    each_block(output, scratch, |block, products| {
        if !kept {
            multiply(products, output.hidden, block.weights, false, true, false);
        }
        for_each_row(output.rows(), ROWS_PER_TASK, |r| {
            let own = kept.then(|| Statistics::read(own.row(r)));
            output.row_gradient(r, products.row_mut(r), block, own, Statistics::read(merged.row(r)), g.row(r)[0]);
        });
        if let Some(bias) = to.bias {
            sum_rows(part(bias, 0, block.first, 1, block.count()), products);
        }
        if let Some(weights) = to.weights {
            let rows = part(weights, block.first, 0, block.count(), weights.columns);
            multiply(rows, products, output.hidden, true, false, to.add_to_weights);
        }
        if let Some(hidden) = to.hidden {
            multiply(hidden, products, block.weights, false, false, to.add_to_hidden || block.first > 0);
        }
    });
}

/// max over i of row[i] + bias[i], ignoring NaNs.
#[inline(always)]
fn largest_sum(row: &[f32], bias: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (row, bias) = (row.chunks_exact(LANES), bias.chunks_exact(LANES));
    let mut largest = f32::NEG_INFINITY;
    for (&x, &bias) in row.remainder().iter().zip(bias.remainder()) {
        largest = if x + bias > largest { x + bias } else { largest };
    }
    for (row, bias) in row.zip(bias) {
        for ((lane, &x), &bias) in lanes.iter_mut().zip(row).zip(bias) {
            *lane = if x + bias > *lane { x + bias } else { *lane };
        }
    }
    lanes.iter().fold(largest, |a, &b| if b > a { b } else { a })
}

/// The same of the items that count.
#[inline(always)]
fn largest_counted(row: &[f32], bias: &[f32], counts: &[f32]) -> f32 {
    let mut largest = f32::NEG_INFINITY;
    for ((&x, &bias), &count) in row.iter().zip(bias).zip(counts) {
        largest = if count > 0.0 && x + bias > largest { x + bias } else { largest };
    }
    largest
}

/// row = exp(row + bias - largest); returns the sum, block by block.
#[inline(always)]
fn exponentials(row: &mut [f32], bias: &[f32], largest: f32) -> f64 {
    let mut sum = 0.0;
    for (row, bias) in row.chunks_mut(SUM_BLOCK).zip(bias.chunks(SUM_BLOCK)) {
        for (x, &bias) in row.iter_mut().zip(bias) {
            *x = exp((*x + bias) - largest);
        }
        sum += sum_block(row);
    }
    sum
}

/// The sum of count exp(row + bias - largest) of the items that count.
#[inline(always)]
fn counted_exponentials(row: &[f32], bias: &[f32], counts: &[f32], largest: f32) -> f64 {
    let mut sum = 0.0;
    let mut terms = [0.0f32; SUM_BLOCK];
    for ((row, bias), counts) in row.chunks(SUM_BLOCK).zip(bias.chunks(SUM_BLOCK)).zip(counts.chunks(SUM_BLOCK)) {
        for (((term, &x), &bias), &count) in terms.iter_mut().zip(row).zip(bias).zip(counts) {
            let e = exp((x + bias) - largest);
            *term = if count > 0.0 { count * e } else { 0.0 };
        }
        sum += sum_block(&terms[..row.len()]);
    }
    sum
}

/// row = sigmoid(row + bias) for at most `SUM_BLOCK` elements; returns the sum of max(l, 0) and the product of 1 + e^-|l|,
/// at most 2^`SUM_BLOCK`: a block needs only one logarithm, that of the product.
#[inline(always)]
fn sigmoids(row: &mut [f32], bias: &[f32]) -> (f64, f64) {
    let mut positive = [0.0f32; LANES];
    let mut product = [1.0f64; LANES];
    let mut row = row.chunks_exact_mut(LANES);
    let bias = bias.chunks_exact(LANES);
    let last_bias = bias.remainder();
    for (row, bias) in row.by_ref().zip(bias) {
        for (((x, &bias), positive), product) in row.iter_mut().zip(bias).zip(&mut positive).zip(&mut product) {
            let (value, above, factor) = sigmoid(*x + bias);
            *x = value;
            *positive += above;
            *product *= factor as f64;
        }
    }
    for (((x, &bias), positive), product) in
        row.into_remainder().iter_mut().zip(last_bias).zip(&mut positive).zip(&mut product)
    {
        let (value, above, factor) = sigmoid(*x + bias);
        *x = value;
        *positive += above;
        *product *= factor as f64;
    }
    (positive.iter().map(|&lane| lane as f64).sum(), product.iter().product())
}

/// sigmoid(l), max(l, 0), 1 + e^-|l|; NaN gives NaN.
#[inline(always)]
fn sigmoid(l: f32) -> (f32, f32, f32) {
    let e = exp(-l.abs());
    let factor = 1.0 + e;
    let value = if l < 0.0 { e } else { 1.0 } / factor;
    (value, if l < 0.0 { 0.0 } else { l }, factor)
}

/// loss[r, 0] = sum over i of max(l, 0) - l x + log(1 + e^-|l|), of dense logits and targets.
pub fn dense_bernoulli_loss(loss: Matrix, logits: Matrix, target: Matrix) {
    for_each_row(logits.rows, ROWS_PER_TASK, |r| {
        let mut sum = 0.0f64;
        for (logits, target) in logits.row(r).chunks(SUM_BLOCK).zip(target.row(r).chunks(SUM_BLOCK)) {
            let (terms, product) = vectorised(
                #[inline(always)]
                || dense_terms(logits, target),
            );
            sum += if product.is_finite() { terms + ln(product) } else { f64::NAN };
        }
        loss.row_mut(r)[0] = sum as f32;
    });
}

/// The sum of max(l, 0) - l x over at most `SUM_BLOCK` elements, and the product of 1 + e^-|l|.
#[inline(always)]
fn dense_terms(logits: &[f32], target: &[f32]) -> (f64, f64) {
    let (mut terms, mut product) = ([0.0f64; LANES], [1.0f64; LANES]);
    for (logits, target) in logits.chunks(LANES).zip(target.chunks(LANES)) {
        for (((&l, &x), term), product) in logits.iter().zip(target).zip(&mut terms).zip(&mut product) {
            let (_, above, factor) = sigmoid(l);
            *term += above as f64 - l as f64 * x as f64;
            *product *= factor as f64;
        }
    }
    (terms.iter().sum(), product.iter().product())
}

/// out += g_r (sigmoid(l) - x)
pub fn dense_bernoulli_loss_gradient(out: Matrix, logits: Matrix, target: Matrix, g: Matrix) {
    for_each_row(logits.rows, ROWS_PER_TASK, |r| {
        let (out, logits, target, g) = (out.row_mut(r), logits.row(r), target.row(r), g.row(r)[0]);
        vectorised(
            #[inline(always)]
            || {
                for ((out, &l), &x) in out.iter_mut().zip(logits).zip(target) {
                    *out = (*out + sigmoid(l).0 * g) - x * g;
                }
            },
        );
    });
}
