// The sparse first layer: the product of (scaled, dropped-out) histories with the weights, at a cost proportional to the number
// of entries. Dropping a zero has no effect, so dropout runs over the stored entries.

import { randomWords } from "../../../core/philox.js";
import type { RandomKey, SparseRowSumOptions } from "../../engine.js";
import type { Matrix, SparseMatrix } from "./matrix.js";

/** The weight of each entry: value / max(norm of its row, 1e-12) if requested / (1 - rate), or 0 if it is dropped. */
function entryWeights(input: SparseMatrix, { rowScale, dropout }: SparseRowSumOptions): Float64Array {
  const { offsets, values, entries, piece } = input;
  const weights = new Float64Array(entries);
  for (let r = 0; r < input.rows; r++) {
    const from = offsets[r];
    const to = offsets[r + 1];
    let squares = piece.squares ? piece.squares[r] : 0;
    if (!piece.squares) for (let k = from; k < to; k++) squares += values ? values[k] * values[k] : 1;
    const scale = rowScale === "l2" ? 1 / Math.max(Math.sqrt(squares), 1e-12) : 1;
    for (let k = from; k < to; k++) weights[k] = values ? values[k] * scale : scale;
  }
  if (dropout && dropout.rate > 0) {
    const threshold = Math.floor(dropout.rate * 2 ** 32);
    const keep = 1 / (1 - dropout.rate);
    const words = wordsOfEntries(input, dropout.key);
    for (let k = 0; k < entries; k++) weights[k] = words[k] >= threshold ? weights[k] * keep : 0;
  }
  return weights;
}

function wordsOfEntries(
  { entries, piece: { first = 0, positions } }: SparseMatrix,
  key: RandomKey,
): Uint32Array {
  const words = new Uint32Array(entries);
  if (!positions) randomWords(key, first, words);
  else for (let k = 0; k < entries; k++) randomWords(key, positions[k], words.subarray(k, k + 1));
  return words;
}

export function sparseRowSum(
  out: Matrix,
  input: SparseMatrix,
  weights: Matrix,
  options: SparseRowSumOptions,
): void {
  const { indices, offsets } = input;
  const columns = weights.columns;
  const from = weights.data;
  const factors = entryWeights(input, options);
  const sums = new Float64Array(columns);
  for (let r = 0; r < input.rows; r++) {
    sums.fill(0);
    for (let k = offsets[r]; k < offsets[r + 1]; k++) {
      const factor = factors[k];
      if (factor === 0) continue;
      const i = weights.offset + indices[k] * weights.rowStride;
      for (let c = 0; c < columns; c++) sums[c] += factor * from[i + c];
    }
    out.data.set(sums, out.offset + r * out.rowStride);
  }
}

export function sparseRowSumGradient(
  out: Matrix,
  input: SparseMatrix,
  g: Matrix,
  options: SparseRowSumOptions,
): void {
  const { columnOffsets, rowOf, positionOf, touched } = input;
  const columns = g.columns;
  const from = g.data;
  const factors = entryWeights(input, options);
  const sums = new Float64Array(columns);
  for (let t = 0; t < touched.length; t++) {
    sums.fill(0);
    for (let k = columnOffsets[t]; k < columnOffsets[t + 1]; k++) {
      const factor = factors[positionOf[k]];
      if (factor === 0) continue;
      const i = g.offset + rowOf[k] * g.rowStride;
      for (let c = 0; c < columns; c++) sums[c] += factor * from[i + c];
    }
    out.data.set(sums, out.offset + t * out.rowStride);
  }
}
