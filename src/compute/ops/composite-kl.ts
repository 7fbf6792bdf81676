import type { CompositeMixture } from "../engine.js";
import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import type { Tensor } from "../tensor.js";

/** A diagonal Gaussian per row, [rows, latent] each. */
export interface GaussianTensors<T> {
  readonly mean: T;
  readonly logVariance: T;
}

/**
 * log q(z) - log p(z) per row [rows, 1] at samples z of q = `posterior`, in nats: the one-sample KL to a prior that is, separately in
 * every coordinate, a mixture of the standard normal, `former` and a wide normal (Shenbin et al. 2020, section 3.3). `former` gets no gradient.
 */
export function compositeKl(
  tape: Tape,
  z: Differentiable,
  { mean, logVariance }: GaussianTensors<Differentiable>,
  former: GaussianTensors<Tensor>,
  mixture: CompositeMixture,
): Variable {
  const { engine } = tape;
  const out = tape.empty(z.value.rows, 1);
  const inputs = [z.value, mean.value, logVariance.value, former.mean, former.logVariance] as const;
  engine.compositeKl(out, ...inputs, mixture);
  return tape.record(out, [z, mean, logVariance], (g) => {
    engine.compositeKlGradient(z.gradient(), mean.gradient(), logVariance.gradient(), ...inputs, mixture, g);
  });
}
