// The VampPrior (Tomczak and Welling 2018): p(z) = 1/K sum over k of q(z | u_k), the mean of the posteriors of K
// pseudo-inputs u_k in [0, 1]^items, which are learned with everything else.

import type { Engine } from "../compute/engine.js";
import { mixtureLogDensity } from "../compute/ops/density.js";
import { clamp } from "../compute/ops/gate.js";
import type { Differentiable, Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import type { Initializer } from "./initializers.js";
import { makeParameter } from "./linear.js";
import type { DiagonalNormal } from "./normal.js";

export interface PseudoInputsOptions {
  readonly count: number;
  readonly items: number;
  readonly seed: number;
  readonly initial: Initializer;
}

/** The matrix "pseudoInputs" [K, items]; its elements may leave [0, 1], and get no gradient while they are outside. */
export class PseudoInputs {
  readonly parameter: Parameter;

  constructor(engine: Engine, { count, items, seed, initial }: PseudoInputsOptions) {
    this.parameter = makeParameter(engine, "pseudoInputs", count, items, seed, initial);
  }

  get parameters(): readonly Parameter[] {
    return [this.parameter];
  }

  /** u [K, items], clamped to [0, 1] (Hardtanh). */
  forward(tape: Tape): Variable {
    return clamp(tape, this.parameter, 0, 1);
  }
}

/**
 * log p(z) per row of z [rows, latent] -> [rows, 1], `components` being the posteriors of the pseudo-inputs; the constant
 * -1/2 ln 2 pi per dimension is left out.
 */
export function vampLogDensity(tape: Tape, z: Differentiable, components: DiagonalNormal): Variable {
  return mixtureLogDensity(tape, z, components.mean, components.logVariance);
}
