// The output layer: from hidden activations to a loss per row or to scores. Its weights are item-major [items, width], so that
// scoring a subset of the items reads only their weights.

import { type OutputOptions, outputLoss } from "../compute/ops/output-loss.js";
import { type Differentiable, Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import type { SparseTensor, Tensor } from "../compute/tensor.js";
import { defaultBias, defaultWeight, type LayerOptions } from "./linear.js";

/** `inputs` is the width of the hidden activations, `outputs` the number of items. */
export class OutputLayer {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(options: LayerOptions) {
    const { name, inputs, outputs, weight = defaultWeight, bias = defaultBias } = options;
    this.weight = Parameter.declare({
      ...{ name: `${name}.weight`, rows: outputs, columns: inputs, itemAxis: "rows" },
      ...{ initial: weight, inputs },
    });
    this.bias = Parameter.declare({
      ...{ name: `${name}.bias`, rows: 1, columns: outputs, itemAxis: "columns" },
      ...{ initial: bias, inputs },
    });
  }

  get parameters(): readonly Parameter[] {
    return [this.weight, this.bias];
  }

  /** -log p(target | hidden) per row: [rows, 1], in nats; by default multinomial and over all items. */
  loss(tape: Tape, hidden: Differentiable, target: SparseTensor, options?: OutputOptions): Variable {
    return outputLoss(tape, hidden, this.weight, this.bias, target, options);
  }

  /** The logits [rows, items] of a block of rows; the caller releases the tensor. Keep blocks small. */
  scores(hidden: Tensor): Tensor {
    const { engine } = this.weight;
    const out = engine.empty(hidden.rows, this.weight.rows);
    engine.matmul(out, hidden, this.weight.value, { transposeB: true, bf16: engine.bf16 });
    engine.addRow(out, this.bias.value);
    return out;
  }
}
