// The diagonal Gaussian posterior: reparameterised samples (Kingma and Welling 2014) and KL to the standard normal.

import type { Position, RandomKey } from "../../engine.js";
import type { Matrix } from "./matrix.js";
import { normalsOf } from "./positions.js";

export function gaussianSample(
  out: Matrix,
  mean: Matrix,
  logVariance: Matrix,
  key: RandomKey,
  position?: Position,
): void {
  const { rows, columns } = out;
  const normals = normalsOf(rows, columns, key, position);
  for (let r = 0, k = 0; r < rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = mean.offset + r * mean.rowStride;
    const j = logVariance.offset + r * logVariance.rowStride;
    for (let c = 0; c < columns; c++, k++)
      out.data[o + c] = mean.data[i + c] + Math.exp(0.5 * logVariance.data[j + c]) * normals[k];
  }
}

export function gaussianSampleGradient(
  meanGradient: Matrix,
  logVarianceGradient: Matrix,
  mean: Matrix,
  sample: Matrix,
  g: Matrix,
): void {
  const { rows, columns } = g;
  for (let r = 0; r < rows; r++) {
    const m = meanGradient.offset + r * meanGradient.rowStride;
    const l = logVarianceGradient.offset + r * logVarianceGradient.rowStride;
    const j = mean.offset + r * mean.rowStride;
    const k = sample.offset + r * sample.rowStride;
    const i = g.offset + r * g.rowStride;
    for (let c = 0; c < columns; c++) {
      const upstream = g.data[i + c];
      meanGradient.data[m + c] += upstream;
      logVarianceGradient.data[l + c] += 0.5 * upstream * (sample.data[k + c] - mean.data[j + c]);
    }
  }
}

export function gaussianKl(out: Matrix, mean: Matrix, logVariance: Matrix): void {
  const { rows, columns } = mean;
  for (let r = 0; r < rows; r++) {
    const i = mean.offset + r * mean.rowStride;
    const j = logVariance.offset + r * logVariance.rowStride;
    let sum = 0;
    for (let c = 0; c < columns; c++) {
      const m = mean.data[i + c];
      const l = logVariance.data[j + c];
      sum += Math.exp(l) + m * m - 1 - l;
    }
    out.data[out.offset + r * out.rowStride] = 0.5 * sum;
  }
}

export function gaussianKlGradient(
  meanGradient: Matrix,
  logVarianceGradient: Matrix,
  mean: Matrix,
  logVariance: Matrix,
  g: Matrix,
): void {
  const { rows, columns } = mean;
  for (let r = 0; r < rows; r++) {
    const upstream = g.data[g.offset + r * g.rowStride];
    const o = meanGradient.offset + r * meanGradient.rowStride;
    const p = logVarianceGradient.offset + r * logVarianceGradient.rowStride;
    const i = mean.offset + r * mean.rowStride;
    const j = logVariance.offset + r * logVariance.rowStride;
    for (let c = 0; c < columns; c++) {
      meanGradient.data[o + c] += upstream * mean.data[i + c];
      logVarianceGradient.data[p + c] += 0.5 * upstream * (Math.exp(logVariance.data[j + c]) - 1);
    }
  }
}
