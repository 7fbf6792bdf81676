// Element-wise kernels and reductions of the reference engine.

import type { Accumulate, DenseDropout } from "../../engine.js";
import type { Matrix } from "./matrix.js";
import { wordsOf } from "./positions.js";

export function fill(out: Matrix, value: number): void {
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    out.data.fill(value, o, o + out.columns);
  }
}

export function copy(out: Matrix, a: Matrix): void {
  for (let r = 0; r < out.rows; r++) {
    const i = a.offset + r * a.rowStride;
    out.data.set(a.data.subarray(i, i + a.columns), out.offset + r * out.rowStride);
  }
}

export function addScaled(out: Matrix, a: Matrix, factor: number): void {
  const { data, columns } = out;
  const from = a.data;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    for (let c = 0; c < columns; c++) data[o + c] += factor * from[i + c];
  }
}

export function addRow(out: Matrix, row: Matrix): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    for (let c = 0; c < columns; c++) data[o + c] += row.data[row.offset + c];
  }
}

export function addSumOfRows(out: Matrix, a: Matrix): void {
  const { data, columns } = a;
  const sums = new Float64Array(columns);
  for (let r = 0; r < a.rows; r++) {
    const i = a.offset + r * a.rowStride;
    for (let c = 0; c < columns; c++) sums[c] += data[i + c];
  }
  for (let c = 0; c < columns; c++) out.data[out.offset + c] += sums[c];
}

export function addSum(out: Matrix, a: Matrix, factor: number): void {
  out.data[out.offset] += factor * total(a, false);
}

export function addSumOfSquares(out: Matrix, a: Matrix, factor: number): void {
  out.data[out.offset] += factor * total(a, true);
}

/** Sum of all elements (or their squares) in float64: one partial sum per row, added in the order of the rows. */
function total(a: Matrix, squared: boolean): number {
  const { data, columns } = a;
  let all = 0;
  for (let r = 0; r < a.rows; r++) {
    const i = a.offset + r * a.rowStride;
    let row = 0;
    if (squared) for (let c = 0; c < columns; c++) row += data[i + c] * data[i + c];
    else for (let c = 0; c < columns; c++) row += data[i + c];
    all += row;
  }
  return all;
}

export function tanh(out: Matrix, a: Matrix): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    for (let c = 0; c < columns; c++) data[o + c] = Math.tanh(a.data[i + c]);
  }
}

export function tanhGradient(out: Matrix, y: Matrix, g: Matrix, { accumulate }: Accumulate = {}): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = y.offset + r * y.rowStride;
    const j = g.offset + r * g.rowStride;
    for (let c = 0; c < columns; c++) {
      const value = y.data[i + c];
      data[o + c] = (accumulate ? data[o + c] : 0) + g.data[j + c] * (1 - value * value);
    }
  }
}

export function relu(out: Matrix, a: Matrix): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    for (let c = 0; c < columns; c++) data[o + c] = Math.max(a.data[i + c], 0);
  }
}

export function reluGradient(out: Matrix, y: Matrix, g: Matrix): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = y.offset + r * y.rowStride;
    const j = g.offset + r * g.rowStride;
    for (let c = 0; c < columns; c++) if (y.data[i + c] > 0) data[o + c] += g.data[j + c];
  }
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

export function sigmoid(out: Matrix, a: Matrix): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    for (let c = 0; c < columns; c++) data[o + c] = logistic(a.data[i + c]);
  }
}

export function sigmoidGradient(out: Matrix, y: Matrix, g: Matrix): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = y.offset + r * y.rowStride;
    const j = g.offset + r * g.rowStride;
    for (let c = 0; c < columns; c++) {
      const value = y.data[i + c];
      data[o + c] += g.data[j + c] * value * (1 - value);
    }
  }
}

export function swish(out: Matrix, a: Matrix): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    for (let c = 0; c < columns; c++) {
      const x = a.data[i + c];
      data[o + c] = x * logistic(x);
    }
  }
}

export function swishGradient(out: Matrix, a: Matrix, g: Matrix): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    const j = g.offset + r * g.rowStride;
    for (let c = 0; c < columns; c++) {
      const x = a.data[i + c];
      const s = logistic(x);
      data[o + c] += g.data[j + c] * s * (1 + x * (1 - s));
    }
  }
}

export function addProduct(out: Matrix, a: Matrix, b: Matrix): void {
  const { data, columns } = out;
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    const j = b.offset + r * b.rowStride;
    for (let c = 0; c < columns; c++) data[o + c] += a.data[i + c] * b.data[j + c];
  }
}

export function dropout(out: Matrix, a: Matrix, { rate, key, ...position }: DenseDropout): void {
  const { data, columns } = out;
  const threshold = Math.floor(rate * 2 ** 32);
  const scale = 1 / (1 - rate);
  const words = wordsOf(out.rows, columns, key, position);
  for (let r = 0, k = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    for (let c = 0; c < columns; c++, k++) data[o + c] = words[k] >= threshold ? a.data[i + c] * scale : 0;
  }
}

export function takeRows(out: Matrix, a: Matrix, rows: Uint32Array): void {
  for (let r = 0; r < rows.length; r++) {
    const i = a.offset + rows[r] * a.rowStride;
    out.data.set(a.data.subarray(i, i + a.columns), out.offset + r * out.rowStride);
  }
}

export function takeColumns(out: Matrix, a: Matrix, columns: Uint32Array): void {
  for (let r = 0; r < out.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    for (let c = 0; c < columns.length; c++) out.data[o + c] = a.data[i + columns[c]];
  }
}
