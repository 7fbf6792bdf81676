// Log densities of diagonal Gaussians, the constant -1/2 ln 2 pi per dimension left out: of one Gaussian per row, and of
// many Gaussians at many points as one product of matrices.

import type { Matrix } from "./matrix.js";

export function gaussianLogDensity(out: Matrix, x: Matrix, mean: Matrix, logVariance: Matrix): void {
  for (let r = 0; r < x.rows; r++) {
    const i = x.offset + r * x.rowStride;
    const j = mean.offset + r * mean.rowStride;
    const k = logVariance.offset + r * logVariance.rowStride;
    let sum = 0;
    for (let c = 0; c < x.columns; c++) {
      const distance = x.data[i + c] - mean.data[j + c];
      const l = logVariance.data[k + c];
      sum += l + distance * distance * Math.exp(-l);
    }
    out.data[out.offset + r * out.rowStride] = -0.5 * sum;
  }
}

export function gaussianLogDensityGradient(
  xGradient: Matrix,
  meanGradient: Matrix,
  logVarianceGradient: Matrix,
  x: Matrix,
  mean: Matrix,
  logVariance: Matrix,
  g: Matrix,
): void {
  for (let r = 0; r < x.rows; r++) {
    const i = x.offset + r * x.rowStride;
    const j = mean.offset + r * mean.rowStride;
    const k = logVariance.offset + r * logVariance.rowStride;
    const p = xGradient.offset + r * xGradient.rowStride;
    const q = meanGradient.offset + r * meanGradient.rowStride;
    const s = logVarianceGradient.offset + r * logVarianceGradient.rowStride;
    const upstream = g.data[g.offset + r * g.rowStride];
    for (let c = 0; c < x.columns; c++) {
      const distance = x.data[i + c] - mean.data[j + c];
      const pull = upstream * distance * Math.exp(-logVariance.data[k + c]);
      xGradient.data[p + c] -= pull;
      meanGradient.data[q + c] += pull;
      logVarianceGradient.data[s + c] += 0.5 * (pull * distance - upstream);
    }
  }
}

export function densityFactors(out: Matrix, mean: Matrix, logVariance: Matrix): void {
  const { columns } = mean;
  for (let r = 0; r < mean.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = mean.offset + r * mean.rowStride;
    const j = logVariance.offset + r * logVariance.rowStride;
    let sum = 0;
    for (let c = 0; c < columns; c++) {
      const m = mean.data[i + c];
      const l = logVariance.data[j + c];
      const precision = Math.exp(-l);
      out.data[o + c] = -0.5 * precision;
      out.data[o + columns + c] = m * precision;
      sum += l + m * m * precision;
    }
    out.data[o + 2 * columns] = -0.5 * sum;
  }
}

export function densityFactorsGradient(
  meanGradient: Matrix,
  logVarianceGradient: Matrix,
  mean: Matrix,
  logVariance: Matrix,
  g: Matrix,
): void {
  const { columns } = mean;
  for (let r = 0; r < mean.rows; r++) {
    const i = mean.offset + r * mean.rowStride;
    const j = logVariance.offset + r * logVariance.rowStride;
    const p = meanGradient.offset + r * meanGradient.rowStride;
    const q = logVarianceGradient.offset + r * logVarianceGradient.rowStride;
    const k = g.offset + r * g.rowStride;
    const constant = g.data[k + 2 * columns];
    for (let c = 0; c < columns; c++) {
      const m = mean.data[i + c];
      const precision = Math.exp(-logVariance.data[j + c]);
      const square = g.data[k + c];
      const linear = g.data[k + columns + c];
      meanGradient.data[p + c] += precision * (linear - constant * m);
      logVarianceGradient.data[q + c] +=
        0.5 * (precision * (square - 2 * linear * m + constant * m * m) - constant);
    }
  }
}

export function densityPowers(out: Matrix, x: Matrix): void {
  const { columns } = x;
  for (let r = 0; r < x.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = x.offset + r * x.rowStride;
    for (let c = 0; c < columns; c++) {
      out.data[o + c] = x.data[i + c] * x.data[i + c];
      out.data[o + columns + c] = x.data[i + c];
    }
    out.data[o + 2 * columns] = 1;
  }
}

export function densityPowersGradient(out: Matrix, x: Matrix, g: Matrix): void {
  const { columns } = x;
  for (let r = 0; r < x.rows; r++) {
    const o = out.offset + r * out.rowStride;
    const i = x.offset + r * x.rowStride;
    const k = g.offset + r * g.rowStride;
    for (let c = 0; c < columns; c++)
      out.data[o + c] += 2 * x.data[i + c] * g.data[k + c] + g.data[k + columns + c];
  }
}

/** What is less than this share of a mixture counts as nothing in float32. */
const LEAST_SHARE = 2 ** -40;

export function logMeanExp(out: Matrix, a: Matrix): void {
  const { data, columns } = a;
  const least = data instanceof Float32Array ? LEAST_SHARE : 0;
  for (let r = 0; r < a.rows; r++) {
    const i = a.offset + r * a.rowStride;
    let largest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < columns; c++) if (data[i + c] > largest) largest = data[i + c];
    let sum = 0;
    for (let c = 0; c < columns; c++) {
      const share = Math.exp(data[i + c] - largest);
      data[i + c] = share;
      sum += share;
    }
    for (let c = 0; c < columns; c++) {
      const share = data[i + c] / sum;
      data[i + c] = share < least ? 0 : share;
    }
    out.data[out.offset + r * out.rowStride] = largest + Math.log(sum / columns);
  }
}
