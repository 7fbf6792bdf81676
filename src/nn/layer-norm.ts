// Layer normalisation with a weight and a bias per column.

import { layerNorm } from "../compute/ops/layer-norm.js";
import { type Differentiable, Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import { constant, zeros } from "./initializers.js";

export interface LayerNormOptions {
  /** Prefix of the parameters' names: "<name>.weight", "<name>.bias". */
  readonly name: string;
  readonly width: number;
  /** Added to the variance of a row; 1e-5 in most implementations. */
  readonly epsilon: number;
}

/** Initial values: weight 1, bias 0. */
export class LayerNorm {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly #epsilon: number;

  constructor({ name, width, epsilon }: LayerNormOptions) {
    this.weight = Parameter.declare({
      name: `${name}.weight`,
      rows: 1,
      columns: width,
      initial: constant(1),
    });
    this.bias = Parameter.declare({ name: `${name}.bias`, rows: 1, columns: width, initial: zeros });
    this.#epsilon = epsilon;
  }

  get parameters(): readonly Parameter[] {
    return [this.weight, this.bias];
  }

  /** [rows, width] -> [rows, width] */
  forward(tape: Tape, x: Differentiable): Variable {
    return layerNorm(tape, x, this.weight, this.bias, this.#epsilon);
  }
}
