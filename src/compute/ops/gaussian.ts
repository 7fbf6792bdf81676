// The diagonal Gaussian posterior of a variational autoencoder (Kingma and Welling 2014, section 2.4 and appendix B).

import type { Position, RandomKey } from "../engine.js";
import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** A sample mean + exp(logVariance / 2) * noise, [rows, latent]; the noise depends on the key and on the position of the rows in a larger batch. */
export function gaussianSample(
  tape: Tape,
  mean: Differentiable,
  logVariance: Differentiable,
  key: RandomKey,
  position?: Position,
): Variable {
  const { engine } = tape;
  const out = tape.empty(mean.value.rows, mean.value.columns);
  engine.gaussianSample(out, mean.value, logVariance.value, key, position);
  return tape.record(out, [mean, logVariance], (g) => {
    engine.gaussianSampleGradient(mean.gradient(), logVariance.gradient(), mean.value, out, g);
  });
}

/** KL(N(mean, exp(logVariance)) || N(0, I)) per row: [rows, 1], in nats. */
export function gaussianKl(tape: Tape, mean: Differentiable, logVariance: Differentiable): Variable {
  const { engine } = tape;
  const out = tape.empty(mean.value.rows, 1);
  engine.gaussianKl(out, mean.value, logVariance.value);
  return tape.record(out, [mean, logVariance], (g) => {
    engine.gaussianKlGradient(mean.gradient(), logVariance.gradient(), mean.value, logVariance.value, g);
  });
}
