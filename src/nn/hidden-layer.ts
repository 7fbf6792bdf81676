// A hidden layer as in EVCF (Kim and Suh 2019, section 4.2; psywaves/EVCF, utils/nn.py): tanh(x W + b), or gated,
// (x W + b) * sigmoid(x V + c), without tanh (the gated linear unit of Dauphin et al. 2017). The input is activations,
// histories, or both concatenated.

import type { SparseRowSumOptions } from "../compute/engine.js";
import { gate } from "../compute/ops/gate.js";
import { tanh } from "../compute/ops/tanh.js";
import type { Differentiable, Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import type { SparseTensor } from "../compute/tensor.js";
import {
  type LayerOptions,
  Linear,
  type LinearParameters,
  SparseDenseLinear,
  SparseLinear,
} from "./linear.js";

export interface HiddenLayerOptions extends LayerOptions {
  readonly gated: boolean;
}

/** The linear layer "<name>" and, if it is gated, its gate "<name>.gate". */
class Gateable<Layer extends LinearParameters> {
  readonly #value: Layer;
  readonly #gate: Layer | undefined;

  constructor(make: (options: LayerOptions) => Layer, { gated, ...options }: HiddenLayerOptions) {
    this.#value = make(options);
    this.#gate = gated ? make({ ...options, name: `${options.name}.gate` }) : undefined;
  }

  get parameters(): readonly Parameter[] {
    return [...this.#value.parameters, ...(this.#gate?.parameters ?? [])];
  }

  protected activate(tape: Tape, linear: (layer: Layer) => Variable): Variable {
    const value = linear(this.#value);
    return this.#gate ? gate(tape, value, linear(this.#gate)) : tanh(tape, value);
  }
}

export class HiddenLayer extends Gateable<Linear> {
  constructor(options: HiddenLayerOptions) {
    super((layer) => new Linear(layer), options);
  }

  /** [rows, in] -> [rows, out] */
  forward(tape: Tape, x: Differentiable): Variable {
    return this.activate(tape, (layer) => layer.forward(tape, x));
  }
}

/** Over histories; the gate has the same dropout as the gated layer. */
export class SparseHiddenLayer extends Gateable<SparseLinear> {
  constructor(options: HiddenLayerOptions) {
    super((layer) => new SparseLinear(layer), options);
  }

  /** [rows, items] -> [rows, out] */
  forward(tape: Tape, x: SparseTensor, options?: SparseRowSumOptions): Variable {
    return this.activate(tape, (layer) => layer.forward(tape, x, options));
  }

  /** The same over dense rows [rows, items]: pseudo-inputs. */
  forwardDense(tape: Tape, x: Differentiable): Variable {
    return this.activate(tape, (layer) => layer.forwardDense(tape, x));
  }
}

/** Over concatenated histories and activations, [x | z]. */
export class SparseDenseHiddenLayer extends Gateable<SparseDenseLinear> {
  constructor(options: HiddenLayerOptions) {
    super((layer) => new SparseDenseLinear(layer), options);
  }

  /** x [rows, items], z [rows, in - items] -> [rows, out] */
  forward(tape: Tape, x: SparseTensor, z: Differentiable, options?: SparseRowSumOptions): Variable {
    return this.activate(tape, (layer) => layer.forward(tape, x, z, options));
  }
}
