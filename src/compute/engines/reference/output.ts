// TypeScript twin of native/src/kernels/output.rs: the output layer over a selection of items (specified in kernels.ts). If the
// scratch covers all items, the forward pass stores what the gradient needs: exp(l - largest) or sigmoid(l), and the raw
// products if items have counts. A narrower scratch holds one block of items at a time.

import type { Likelihood } from "../../kernels.js";
import { BF16_ITEMS } from "../../output-scratch.js";
import { roundedToBfloat16 } from "./elements.js";
import { addSumOfRows } from "./elementwise.js";
import { matmul } from "./matmul.js";
import type { Matrix, SparseMatrix } from "./matrix.js";

/** `SelectedOutput` with its tensors opened. */
interface Output {
  readonly hidden: Matrix;
  readonly weights: Matrix;
  readonly bias: Matrix;
  readonly target: SparseMatrix;
  readonly likelihood: Likelihood;
  readonly from?: number;
  readonly items?: Uint32Array;
  readonly counts?: Matrix;
  readonly bf16?: boolean;
}

/** The items [first, first + count) and their products with the hidden activations, [rows, count]. */
interface Block {
  readonly first: number;
  readonly count: number;
  readonly weights: Matrix;
  readonly products: Matrix;
}

interface Target {
  /** The item's index in the selection. */
  readonly item: number;
  readonly x: number;
}

/** [largest, sum, chosen, n] of a row (kernels.ts). */
type Statistics = readonly [largest: number, sum: number, chosen: number, n: number];

/** A submatrix. */
const part = (of: Matrix, row: number, column: number, rows: number, columns: number): Matrix => ({
  ...{ data: of.data, rows, columns, rowStride: of.rowStride },
  offset: of.offset + row * of.rowStride + column,
});
const rowAt = ({ offset, rowStride }: Matrix, row: number) => offset + row * rowStride;
const read = ({ data, ...of }: Matrix, row: number): Statistics => {
  const at = rowAt({ data, ...of }, row);
  return [data[at], data[at + 1], data[at + 2], data[at + 3]];
};
const write = (into: Matrix, row: number, statistics: Statistics) =>
  into.data.set(statistics, rowAt(into, row));

/** The reference of the target's part: the largest logit that counts, or 0 if no item counts. */
const base = (largest: number) => (largest === -Infinity ? 0 : largest);
export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
export const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
/** With bfloat16, a block's statistics follow what is kept of all items. */
const isKept = ({ weights, counts, bf16 }: Output, scratch: Matrix) =>
  bf16
    ? !counts && scratch.columns >= weights.rows + 4 * Math.ceil(weights.rows / BF16_ITEMS)
    : scratch.columns >= weights.rows;

export function outputStatistics(statistics: Matrix, scratch: Matrix, output: Output): void {
  for (const block of blocksOf(output, scratch)) {
    const { bf16 } = output;
    matmul(block.products, output.hidden, block.weights, { transposeB: true, bf16 });
    for (let r = 0; r < statistics.rows; r++) {
      const of =
        output.likelihood === "multinomial" ? multinomial(output, block, r) : bernoulli(output, block, r);
      if (bf16 && isKept(output, scratch)) {
        const { data, columns } = block.products;
        const o = rowAt(block.products, r);
        for (let c = 0; c < columns; c++) data[o + c] = roundedToBfloat16(data[o + c]);
        write(statisticsOf(output, scratch, block), r, of);
      }
      write(statistics, r, block.first > 0 ? merged(read(statistics, r), of, output.likelihood) : of);
    }
  }
}

/** Consecutive blocks of the scratch's width, or of `BF16_ITEMS` items. Without items there is one empty block. */
function* blocksOf(output: Output, scratch: Matrix): Generator<Block> {
  const { hidden, weights, bf16 } = output;
  const most = bf16 ? BF16_ITEMS : Math.max(1, scratch.columns);
  const sideBySide = bf16 && isKept(output, scratch);
  for (let first = 0; first < Math.max(1, weights.rows); first += most) {
    const count = Math.min(most, weights.rows - first);
    yield {
      ...{ first, count },
      weights: part(weights, first, 0, count, weights.columns),
      products: part(scratch, 0, sideBySide ? first : 0, hidden.rows, count),
    };
  }
}

/** The part of the scratch with the statistics of a block. */
function statisticsOf({ weights }: Output, scratch: Matrix, { first }: Block): Matrix {
  return part(scratch, 0, weights.rows + (4 * first) / BF16_ITEMS, scratch.rows, 4);
}

/** The entries of a row in a block. */
function targetsOf({ target, from = 0, items }: Output, { first, count }: Block, row: number): Target[] {
  const { offsets, indices, values } = target;
  const found: Target[] = [];
  for (let k = offsets[row]; k < offsets[row + 1]; k++) {
    const item = items ? placeOf(items, indices[k]) : indices[k] - from;
    if (item >= first && item < first + count) found.push({ item, x: values ? values[k] : 1 });
  }
  return found;
}

/** The index of a number in an ascending list, or -1. */
function placeOf(ascending: Uint32Array, wanted: number): number {
  let low = 0;
  for (let high = ascending.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return ascending[low] === wanted ? low : -1;
}

function multinomial(output: Output, block: Block, row: number): Statistics {
  const { bias, counts } = output;
  const { first, count, products } = block;
  const { data } = products;
  const o = rowAt(products, row) - first;
  const logit = (item: number) => data[o + item] + bias.data[bias.offset + item];
  const countOf = (item: number) => (counts ? counts.data[counts.offset + item] : 1);
  let largest = -Infinity;
  for (let item = first; item < first + count; item++) {
    // Use the rounded value that was stored.
    if (!counts) data[o + item] = logit(item);
    const l = counts ? logit(item) : data[o + item];
    if (countOf(item) > 0 && l > largest) largest = l;
  }
  let n = 0;
  let chosen = 0;
  for (const { item, x } of targetsOf(output, block, row)) {
    n += x;
    chosen += x * ((counts ? logit(item) : data[o + item]) - base(largest));
  }
  let sum = 0;
  for (let item = first; item < first + count; item++)
    if (counts) sum += countOf(item) > 0 ? countOf(item) * Math.exp(logit(item) - largest) : 0;
    else {
      const e = Math.exp(data[o + item] - largest);
      data[o + item] = e;
      sum += e;
    }
  return [largest, sum, chosen, n];
}

/** With l = logit + bias, -log p = max(l, 0) - l x + log(1 + e^-|l|), which cannot overflow. */
function bernoulli(output: Output, block: Block, row: number): Statistics {
  const { bias, counts } = output;
  const { first, count, products } = block;
  const { data } = products;
  const o = rowAt(products, row) - first;
  const logit = (item: number) => data[o + item] + bias.data[bias.offset + item];
  let n = 0;
  let sum = 0;
  for (const { item, x } of targetsOf(output, block, row)) {
    n += x;
    sum -= x * logit(item);
    if (counts) sum += (1 - counts.data[counts.offset + item]) * softplus(logit(item));
  }
  for (let item = first; item < first + count; item++) {
    const l = logit(item);
    if (counts) {
      const times = counts.data[counts.offset + item];
      if (times > 0) sum += times * softplus(l);
      continue;
    }
    const e = Math.exp(-Math.abs(l));
    sum += Math.max(l, 0) + Math.log1p(e);
    data[o + item] = (l < 0 ? e : 1) / (1 + e);
  }
  return [0, sum, 0, n];
}

function merged(a: Statistics, b: Statistics, likelihood: Likelihood): Statistics {
  if (likelihood === "bernoulli") return [0, a[1] + b[1], 0, a[3] + b[3]];
  const largest = Math.max(a[0], b[0]);
  const sum = ([its, of]: Statistics) => (of === 0 ? 0 : of * Math.exp(its - largest));
  const chosen = ([its, , of, n]: Statistics) => (n === 0 ? of : of + n * (base(its) - base(largest)));
  return [largest, sum(a) + sum(b), chosen(a) + chosen(b), a[3] + b[3]];
}

export function mergeOutputStatistics(statistics: Matrix, other: Matrix, likelihood: Likelihood): void {
  for (let r = 0; r < statistics.rows; r++)
    write(statistics, r, merged(read(statistics, r), read(other, r), likelihood));
}

export function outputLoss(loss: Matrix, statistics: Matrix, likelihood: Likelihood): void {
  for (let r = 0; r < loss.rows; r++) {
    const [, sum, chosen, n] = read(statistics, r);
    const empty = sum === 0 && n === 0;
    loss.data[rowAt(loss, r)] =
      likelihood === "bernoulli"
        ? sum
        : empty
          ? 0 - chosen
          : sum > 0
            ? n * Math.log(sum) - chosen
            : Number.NaN;
  }
}

interface Gradients {
  readonly hiddenGradient?: Matrix;
  readonly addToHidden?: boolean;
  readonly weightsGradient?: Matrix;
  readonly addToWeights?: boolean;
  readonly biasGradient?: Matrix;
}

export function outputGradient(
  scratch: Matrix,
  output: Output,
  own: Matrix,
  all: Matrix,
  g: Matrix,
  to: Gradients,
): void {
  const { bf16 } = output;
  const kept = isKept(output, scratch);
  for (const block of blocksOf(output, scratch)) {
    const { first, count, products } = block;
    if (!kept) matmul(products, output.hidden, block.weights, { transposeB: true, bf16 });
    const its = bf16 && kept ? statisticsOf(output, scratch, block) : own;
    for (let r = 0; r < products.rows; r++)
      rowGradient(output, block, r, kept ? read(its, r) : undefined, read(all, r), g.data[rowAt(g, r)]);
    if (to.biasGradient) addSumOfRows(part(to.biasGradient, 0, first, 1, count), products);
    if (to.weightsGradient) {
      const rows = part(to.weightsGradient, first, 0, count, to.weightsGradient.columns);
      matmul(rows, products, output.hidden, { transposeA: true, accumulate: to.addToWeights, bf16 });
    }
    if (to.hiddenGradient)
      matmul(to.hiddenGradient, products, block.weights, {
        ...{ accumulate: to.addToHidden || first > 0, bf16 },
      });
  }
}

/** Replaces a row of products (or what the statistics stored of them) by the gradient of the loss times `upstream`. */
function rowGradient(
  output: Output,
  block: Block,
  row: number,
  kept: Statistics | undefined,
  all: Statistics,
  upstream: number,
): void {
  const { bias, counts, likelihood } = output;
  const { first, count, products } = block;
  const { data } = products;
  const o = rowAt(products, row) - first;
  const logit = (item: number) => data[o + item] + bias.data[bias.offset + item];
  const countOf = (item: number) => (counts ? counts.data[counts.offset + item] : 1);
  const [largest, sum, , n] = all;
  const multinomial = likelihood === "multinomial";
  const targets = targetsOf(output, block, row).map(({ item, x }) => {
    if (!counts) return { item, gradient: -(upstream * x) };
    if (!multinomial) return { item, gradient: upstream * ((1 - countOf(item)) * sigmoid(logit(item)) - x) };
    return { item, gradient: -(upstream * x) };
  });
  const computed = kept !== undefined && !counts;
  const shift = computed ? Math.exp(kept[0] - largest) : 1;
  const factor = !multinomial ? upstream : sum === 0 && n === 0 ? 0 : ((upstream * n) / sum) * shift;
  for (let item = first; item < first + count; item++)
    if (computed) data[o + item] *= factor;
    else {
      const value = multinomial ? Math.exp(logit(item) - largest) : sigmoid(logit(item));
      // The exponential of an item that does not count may be infinite.
      data[o + item] = countOf(item) > 0 ? value * countOf(item) * factor : 0;
    }
  for (const { item, gradient } of targets) data[o + item] += gradient;
}

export function denseBernoulliLoss(loss: Matrix, logits: Matrix, target: Matrix): void {
  for (let r = 0; r < logits.rows; r++) {
    const [l, x] = [rowAt(logits, r), rowAt(target, r)];
    let sum = 0;
    for (let c = 0; c < logits.columns; c++)
      sum += softplus(logits.data[l + c]) - logits.data[l + c] * target.data[x + c];
    loss.data[rowAt(loss, r)] = sum;
  }
}

export function denseBernoulliLossGradient(out: Matrix, logits: Matrix, target: Matrix, g: Matrix): void {
  for (let r = 0; r < out.rows; r++) {
    const [o, l, x] = [rowAt(out, r), rowAt(logits, r), rowAt(target, r)];
    const upstream = g.data[rowAt(g, r)];
    for (let c = 0; c < out.columns; c++)
      out.data[o + c] += upstream * (sigmoid(logits.data[l + c]) - target.data[x + c]);
  }
}
