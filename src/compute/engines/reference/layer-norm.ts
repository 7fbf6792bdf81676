// Layer normalisation (Ba, Kiros and Hinton 2016): every row is normalised to mean 0 and variance 1, then scaled and shifted by
// a weight and a bias per column. The variance is the biased estimate plus epsilon, as in PyTorch's LayerNorm.

import type { Matrix } from "./matrix.js";

export function layerNorm(
  out: Matrix,
  a: Matrix,
  weight: Matrix,
  bias: Matrix,
  statistics: Matrix,
  epsilon: number,
): void {
  const { rows, columns } = a;
  for (let r = 0; r < rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += a.data[i + c];
    const mean = sum / columns;
    let squares = 0;
    for (let c = 0; c < columns; c++) squares += (a.data[i + c] - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / columns + epsilon);
    for (let c = 0; c < columns; c++)
      out.data[o + c] =
        weight.data[weight.offset + c] * ((a.data[i + c] - mean) * scale) + bias.data[bias.offset + c];
    const s = statistics.offset + r * statistics.rowStride;
    statistics.data[s] = mean;
    statistics.data[s + 1] = scale;
  }
}

/** With h = (a - mean) scale and d = g weight: out += scale (d - mean(d) - h mean(d h)). */
export function layerNormGradient(
  out: Matrix,
  a: Matrix,
  weight: Matrix,
  statistics: Matrix,
  g: Matrix,
): void {
  const { rows, columns } = a;
  for (let r = 0; r < rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = a.offset + r * a.rowStride;
    const j = g.offset + r * g.rowStride;
    const s = statistics.offset + r * statistics.rowStride;
    const mean = statistics.data[s];
    const scale = statistics.data[s + 1];
    let sum = 0;
    let product = 0;
    for (let c = 0; c < columns; c++) {
      const d = g.data[j + c] * weight.data[weight.offset + c];
      sum += d;
      product += d * (a.data[i + c] - mean) * scale;
    }
    for (let c = 0; c < columns; c++) {
      const d = g.data[j + c] * weight.data[weight.offset + c];
      const h = (a.data[i + c] - mean) * scale;
      out.data[o + c] += scale * (d - sum / columns - (h * product) / columns);
    }
  }
}

export function layerNormWeightGradient(out: Matrix, a: Matrix, statistics: Matrix, g: Matrix): void {
  const { rows, columns } = a;
  const sums = new Float64Array(columns);
  for (let r = 0; r < rows; r++) {
    const i = a.offset + r * a.rowStride;
    const j = g.offset + r * g.rowStride;
    const s = statistics.offset + r * statistics.rowStride;
    const mean = statistics.data[s];
    const scale = statistics.data[s + 1];
    for (let c = 0; c < columns; c++) sums[c] += g.data[j + c] * (a.data[i + c] - mean) * scale;
  }
  for (let c = 0; c < columns; c++) out.data[out.offset + c] += sums[c];
}
