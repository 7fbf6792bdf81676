// Log densities of diagonal Gaussians at samples, without the constant -1/2 ln 2 pi per dimension, which cancels in a difference of
// two of them, such as a one-sample estimate of a KL divergence.

import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import type { Tensor } from "../tensor.js";

/** log N(x; mean, exp(logVariance)) per row: all [rows, latent] -> [rows, 1], in nats. */
export function gaussianLogDensity(
  tape: Tape,
  x: Differentiable,
  mean: Differentiable,
  logVariance: Differentiable,
): Variable {
  const { engine } = tape;
  const out = tape.empty(x.value.rows, 1);
  engine.gaussianLogDensity(out, x.value, mean.value, logVariance.value);
  return tape.record(out, [x, mean, logVariance], (g) => {
    const into = (of: Differentiable) =>
      of.needsGradient ? of.gradient() : tape.zeros(of.value.rows, of.value.columns);
    const gradients: [Tensor, Tensor, Tensor] = [into(x), into(mean), into(logVariance)];
    engine.gaussianLogDensityGradient(...gradients, x.value, mean.value, logVariance.value, g);
  });
}

/**
 * log of the mean over k of N(x; mean_k, exp(logVariance_k)) per row: x [rows, latent], mean and logVariance
 * [components, latent] -> [rows, 1], in nats. By (x - m)^2 w = x^2 w - 2 x m w + m^2 w it is one product of matrices.
 */
export function mixtureLogDensity(
  tape: Tape,
  x: Differentiable,
  mean: Differentiable,
  logVariance: Differentiable,
): Variable {
  const { engine } = tape;
  const [rows, latent, components] = [x.value.rows, x.value.columns, mean.value.rows];
  const powers = tape.empty(rows, 2 * latent + 1);
  const factors = tape.empty(components, 2 * latent + 1);
  const densities = tape.empty(rows, components);
  const out = tape.empty(rows, 1);
  engine.densityPowers(powers, x.value);
  engine.densityFactors(factors, mean.value, logVariance.value);
  engine.matmul(densities, powers, factors, { transposeB: true });
  engine.logMeanExp(out, densities); // stores its gradient in `densities`
  return tape.record(out, [x, mean, logVariance], (g) => {
    engine.scaleRows(densities, densities, g);
    const gradient = tape.empty(rows, 2 * latent + 1);
    engine.matmul(gradient, densities, factors);
    if (x.needsGradient) engine.densityPowersGradient(x.gradient(), x.value, gradient);
    if (!mean.needsGradient && !logVariance.needsGradient) return;
    const into = (of: Differentiable) => (of.needsGradient ? of.gradient() : tape.zeros(components, latent));
    const ofFactors = tape.empty(components, 2 * latent + 1);
    engine.matmul(ofFactors, densities, powers, { transposeA: true });
    engine.densityFactorsGradient(into(mean), into(logVariance), mean.value, logVariance.value, ofFactors);
  });
}
