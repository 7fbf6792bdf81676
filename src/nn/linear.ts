// Linear layers, over activations and over histories. Both keep weights as [in, out] and a bias as [1, out].

import type { SparseRowSumOptions } from "../compute/engine.js";
import { linear } from "../compute/ops/linear.js";
import { sparseDenseLinear } from "../compute/ops/sparse-dense-linear.js";
import { sparseLinear } from "../compute/ops/sparse-linear.js";
import { type Differentiable, Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import type { SparseTensor } from "../compute/tensor.js";
import { glorotUniform, type Initializer, truncatedNormal } from "./initializers.js";

export interface LayerOptions {
  /** Prefix of the parameters' names: "<name>.weight", "<name>.bias". */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Default Glorot uniform (Liang et al.'s notebook). */
  readonly weight?: Initializer;
  /** Default truncated normal with standard deviation 0.001 (the same). */
  readonly bias?: Initializer;
}

/** The default initial values of weights and biases. */
export const defaultWeight: Initializer = glorotUniform;
export const defaultBias: Initializer = truncatedNormal(0.001);

/** Declares weight [in, out] and bias [1, out]. */
export class LinearParameters {
  readonly weight: Parameter;
  readonly bias: Parameter;

  /** `itemAxis`: "rows" if the inputs begin with the catalogue's items. */
  constructor(options: LayerOptions, itemAxis?: "rows") {
    const { name, inputs, outputs, weight = defaultWeight, bias = defaultBias } = options;
    this.weight = Parameter.declare({
      ...{ name: `${name}.weight`, rows: inputs, columns: outputs, initial: weight },
      itemAxis,
    });
    this.bias = Parameter.declare({ name: `${name}.bias`, rows: 1, columns: outputs, initial: bias, inputs });
  }

  get parameters(): readonly Parameter[] {
    return [this.weight, this.bias];
  }
}

/** x W + b. */
export class Linear extends LinearParameters {
  /** [rows, in] -> [rows, out] */
  forward(tape: Tape, x: Differentiable): Variable {
    return linear(tape, x, this.weight, this.bias);
  }
}

/** dropout(scale(x)) W + b for histories x; its weights are [items, out]. */
export class SparseLinear extends LinearParameters {
  constructor(options: LayerOptions) {
    super(options, "rows");
  }

  /** [rows, items] -> [rows, out] */
  forward(tape: Tape, x: SparseTensor, options?: SparseRowSumOptions): Variable {
    return sparseLinear(tape, x, this.weight, this.bias, options);
  }

  /** x W + b for dense rows [rows, items], without scaling or dropout. */
  forwardDense(tape: Tape, x: Differentiable): Variable {
    return linear(tape, x, this.weight, this.bias);
  }
}

/** [dropout(scale(x)) | z] W + b for histories x and activations z; its weights are [items + width of z, out]. */
export class SparseDenseLinear extends LinearParameters {
  constructor(options: LayerOptions) {
    super(options, "rows");
  }

  /** x [rows, items], z [rows, width] -> [rows, out] */
  forward(tape: Tape, x: SparseTensor, z: Differentiable, options?: SparseRowSumOptions): Variable {
    return sparseDenseLinear(tape, x, z, this.weight, this.bias, options);
  }
}
