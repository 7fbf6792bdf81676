// The one-sample KL to RecVAE's composite prior (Shenbin et al. 2020, section 3.3), a separate mixture in every coordinate:
//
//   log q(z | x) - log sum over k of w_k N(z; mu_k, sigma_k^2),   k: the standard normal, a former posterior, a wide normal
//
// The constant -log(2 pi) / 2 of every log density cancels.

import type { CompositeMixture } from "../../engine.js";
import type { Matrix } from "./matrix.js";

/** -(log-variance + distance^2 / variance) / 2 */
const logDensity = (distance: number, logVariance: number) =>
  -0.5 * (logVariance + distance * distance * Math.exp(-logVariance));

/** The log densities of the three parts at z, weighted. */
function parts(z: number, mean: number, logVariance: number, mixture: CompositeMixture) {
  const standard = Math.log(mixture.standard) + logDensity(z, 0);
  const former = Math.log(mixture.former) + logDensity(z - mean, logVariance);
  const broad = Math.log(mixture.broad) + logDensity(z, mixture.broadLogVariance);
  const largest = Math.max(standard, former, broad);
  const sum = Math.exp(standard - largest) + Math.exp(former - largest) + Math.exp(broad - largest);
  return { standard, former, broad, total: largest + Math.log(sum) };
}

export function compositeKl(
  out: Matrix,
  z: Matrix,
  mean: Matrix,
  logVariance: Matrix,
  formerMean: Matrix,
  formerLogVariance: Matrix,
  mixture: CompositeMixture,
): void {
  const { rows, columns } = z;
  for (let r = 0; r < rows; r++) {
    const i = z.offset + r * z.rowStride;
    const m = mean.offset + r * mean.rowStride;
    const l = logVariance.offset + r * logVariance.rowStride;
    const n = formerMean.offset + r * formerMean.rowStride;
    const k = formerLogVariance.offset + r * formerLogVariance.rowStride;
    let sum = 0;
    for (let c = 0; c < columns; c++) {
      const at = z.data[i + c];
      const prior = parts(at, formerMean.data[n + c], formerLogVariance.data[k + c], mixture);
      sum += logDensity(at - mean.data[m + c], logVariance.data[l + c]) - prior.total;
    }
    out.data[out.offset + r * out.rowStride] = sum;
  }
}

export function compositeKlGradient(
  zGradient: Matrix,
  meanGradient: Matrix,
  logVarianceGradient: Matrix,
  z: Matrix,
  mean: Matrix,
  logVariance: Matrix,
  formerMean: Matrix,
  formerLogVariance: Matrix,
  mixture: CompositeMixture,
  g: Matrix,
): void {
  const { rows, columns } = z;
  for (let r = 0; r < rows; r++) {
    const upstream = g.data[g.offset + r * g.rowStride];
    const o = zGradient.offset + r * zGradient.rowStride;
    const p = meanGradient.offset + r * meanGradient.rowStride;
    const q = logVarianceGradient.offset + r * logVarianceGradient.rowStride;
    const i = z.offset + r * z.rowStride;
    const m = mean.offset + r * mean.rowStride;
    const l = logVariance.offset + r * logVariance.rowStride;
    const n = formerMean.offset + r * formerMean.rowStride;
    const k = formerLogVariance.offset + r * formerLogVariance.rowStride;
    for (let c = 0; c < columns; c++) {
      const at = z.data[i + c];
      const distance = at - mean.data[m + c];
      const pull = distance * Math.exp(-logVariance.data[l + c]);
      const formerDistance = at - formerMean.data[n + c];
      const former = formerLogVariance.data[k + c];
      const prior = parts(at, formerMean.data[n + c], former, mixture);
      // -d log p / d z: the gradients of the components, weighted by their responsibilities.
      const priorPull =
        Math.exp(prior.standard - prior.total) * at +
        Math.exp(prior.former - prior.total) * formerDistance * Math.exp(-former) +
        Math.exp(prior.broad - prior.total) * at * Math.exp(-mixture.broadLogVariance);
      zGradient.data[o + c] += upstream * (priorPull - pull);
      meanGradient.data[p + c] += upstream * pull;
      logVarianceGradient.data[q + c] += 0.5 * upstream * (distance * pull - 1);
    }
  }
}
