// The VampPrior (Tomczak and Welling 2018): p(z) = 1/K sum over k of q(z | u_k), the mean of the posteriors of K
// pseudo-inputs u_k in [0, 1]^items, which are trained together with the other parameters.

import type { DenseDropout } from "../compute/engine.js";
import { mixtureLogDensity } from "../compute/ops/density.js";
import { dropClamped } from "../compute/ops/drop-clamped.js";
import { dropout } from "../compute/ops/dropout.js";
import { clamp } from "../compute/ops/gate.js";
import { unitRows } from "../compute/ops/unit-rows.js";
import { type Differentiable, Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import type { Initializer } from "./initializers.js";
import type { DiagonalNormal } from "./normal.js";

export interface PseudoInputsOptions {
  readonly count: number;
  readonly items: number;
  readonly initial?: Initializer;
  /** Whether they are divided by their L2 norm, like histories. */
  readonly l2Normalise: boolean;
}

/** The matrix "pseudoInputs" [K, items]; elements outside [0, 1] are clamped and get no gradient. */
export class PseudoInputs {
  readonly parameter: Parameter;
  readonly #l2Normalise: boolean;

  constructor({ count, items, initial, l2Normalise }: PseudoInputsOptions) {
    this.#l2Normalise = l2Normalise;
    this.parameter = Parameter.declare({
      ...{ name: "pseudoInputs", rows: count, columns: items, itemAxis: "columns" },
      initial,
    });
  }

  get parameters(): readonly Parameter[] {
    return [this.parameter];
  }

  /** u [K, items], clamped to [0, 1] (Hardtanh), with dropout. */
  forward(tape: Tape, rate?: DenseDropout): Variable {
    const { division } = this.parameter;
    if (division && this.#l2Normalise)
      throw new RangeError("pseudo-inputs of divided items cannot be normalised");
    const dropped =
      rate && division ? { ...rate, first: division.own.from, rowStride: division.items } : rate;
    if (dropped && !this.#l2Normalise) return dropClamped(tape, this.parameter, dropped);
    const u = clamp(tape, this.parameter, 0, 1);
    const scaled = this.#l2Normalise ? unitRows(tape, u) : u;
    return dropped ? dropout(tape, scaled, dropped) : scaled;
  }
}

/**
 * log p(z) per row of z [rows, latent] -> [rows, 1], without the constant -1/2 ln 2 pi per dimension; `components` are the
 * posteriors of the pseudo-inputs.
 */
export function vampLogDensity(tape: Tape, z: Differentiable, components: DiagonalNormal): Variable {
  return mixtureLogDensity(tape, z, components.mean, components.logVariance);
}
