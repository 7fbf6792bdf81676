// TypeScript twin of native/src/kernels/sampled_targets.rs: the targets of a sampled softmax (specified in kernels.ts).

import type { Matrix, SparseMatrix } from "./matrix.js";
import { sigmoid, softplus } from "./output.js";

const rowAt = ({ offset, rowStride }: Matrix, row: number) => offset + row * rowStride;

export function targetLogits(
  out: Matrix,
  hidden: Matrix,
  weights: Matrix,
  bias: Matrix,
  target: SparseMatrix,
): void {
  const { offsets, indices } = target;
  const slots = slotsOf(target);
  for (let r = 0; r < target.rows; r++) {
    const h = rowAt(hidden, r);
    for (let k = offsets[r]; k < offsets[r + 1]; k++) {
      const w = rowAt(weights, indices[k]);
      let logit = bias.data[bias.offset + slots[k]];
      for (let c = 0; c < hidden.columns; c++) logit += hidden.data[h + c] * weights.data[w + c];
      out.data[out.offset + k] = logit;
    }
  }
}

export function sampledTargets(
  statistics: Matrix,
  coefficients: Matrix,
  target: SparseMatrix,
  hits?: Matrix,
): void {
  const { offsets, values } = target;
  const slots = slotsOf(target);
  for (let r = 0; r < target.rows; r++) {
    const at = rowAt(statistics, r);
    const [largest, sum] = statistics.data.subarray(at, at + 2);
    const entries: Entry[] = [];
    for (let k = offsets[r]; k < offsets[r + 1]; k++)
      entries.push({
        logit: coefficients.data[coefficients.offset + k],
        x: values ? values[k] : 1,
        hit: hits?.data[hits.offset + slots[k]] ?? 0,
      });
    const found = (hits ? exact : added)({ largest, sum }, entries);
    coefficients.data.set(found.coefficients, coefficients.offset + offsets[r]);
    statistics.data.set(found.statistics, at);
  }
}

interface Entry {
  readonly logit: number;
  readonly x: number;
  /** The weight with which the item is in the drawn items' sum. */
  readonly hit: number;
}

/** The sum of exponentials of the drawn items, relative to the largest. */
interface Drawn {
  readonly largest: number;
  readonly sum: number;
}

interface Found {
  readonly coefficients: readonly number[];
  readonly statistics: readonly [largest: number, sum: number, chosen: number, n: number];
}

/** Each target is added to its own denominator. */
function added({ largest, sum }: Drawn, entries: readonly Entry[]): Found {
  let n = 0;
  let loss = 0;
  const coefficients = entries.map(({ logit, x }) => {
    const odds = Math.log(sum) + (largest - logit);
    const pull = x * sigmoid(odds);
    n += pull;
    loss += x * softplus(odds);
    return pull;
  });
  return { coefficients, statistics: [largest, sum, (sum === 0 ? 0 : n * Math.log(sum)) - loss, n] };
}

/** All targets of the row count once in its denominator, whether they were drawn or not. */
function exact(drawn: Drawn, entries: readonly Entry[]): Found {
  const largest = entries.reduce((most, { logit }) => Math.max(most, logit), drawn.largest);
  let sum = drawn.sum === 0 ? 0 : drawn.sum * Math.exp(drawn.largest - largest);
  let [own, chosen, n] = [0, 0, 0];
  for (const { logit, x, hit } of entries) {
    own += Math.exp(logit - largest);
    sum += (1 - hit) * Math.exp(logit - largest);
    chosen += x * (logit - largest);
    n += x;
  }
  // Rounding must not leave less than the targets themselves. A NaN stays.
  if (sum < own) sum = own;
  const coefficients = entries.map(
    ({ logit, x, hit }) => x - (n * (1 - hit) * Math.exp(logit - largest)) / sum,
  );
  return { coefficients, statistics: [largest, sum, chosen, n] };
}

export function addSampledTargets(
  out: Matrix,
  weights: Matrix,
  { rows, offsets, indices }: SparseMatrix,
  coefficients: Matrix,
  g: Matrix,
): void {
  for (let r = 0; r < rows; r++)
    for (let k = offsets[r]; k < offsets[r + 1]; k++)
      addRow(out, r, weights, indices[k], -g.data[rowAt(g, r)] * coefficients.data[coefficients.offset + k]);
}

export function sampledTargetsToWeights(
  out: Matrix,
  biasGradient: Matrix,
  hidden: Matrix,
  { touched, columnOffsets, rowOf, positionOf }: SparseMatrix,
  coefficients: Matrix,
  g: Matrix,
  places: Uint32Array,
): void {
  for (let u = 0; u < out.rows; u++) out.data.fill(0, rowAt(out, u), rowAt(out, u) + out.columns);
  biasGradient.data.fill(0, biasGradient.offset, biasGradient.offset + biasGradient.columns);
  for (let t = 0; t < touched.length; t++)
    for (let k = columnOffsets[t]; k < columnOffsets[t + 1]; k++) {
      const row = rowOf[k];
      const pull = -g.data[rowAt(g, row)] * coefficients.data[coefficients.offset + positionOf[k]];
      addRow(out, places[t], hidden, row, pull);
      biasGradient.data[biasGradient.offset + places[t]] += pull;
    }
}

/** The place among the touched items of each entry's item. */
function slotsOf({ entries, touched, columnOffsets, positionOf }: SparseMatrix): Uint32Array {
  const slots = new Uint32Array(entries);
  for (let t = 0; t < touched.length; t++)
    for (let k = columnOffsets[t]; k < columnOffsets[t + 1]; k++) slots[positionOf[k]] = t;
  return slots;
}

/** out[row] += factor * a[other] */
function addRow(out: Matrix, row: number, a: Matrix, other: number, factor: number): void {
  const [o, i] = [rowAt(out, row), rowAt(a, other)];
  for (let c = 0; c < out.columns; c++) out.data[o + c] += factor * a.data[i + c];
}
