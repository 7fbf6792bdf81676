// What an output layer's activations say about a history. A likelihood is a function from hidden activations and the
// output layer's parameters to a loss per row, so that the logits of a batch need never be seen from outside.

import { bernoulliOutputLoss } from "../compute/ops/bernoulli-output.js";
import { multinomialOutputLoss } from "../compute/ops/multinomial-output.js";
import type { Differentiable, Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import type { SparseTensor } from "../compute/tensor.js";

/** hidden [rows, width], weight [items, width], bias [1, items], target [rows, items] -> -log p(target) per row [rows, 1], in nats. */
export type Likelihood = (
  tape: Tape,
  hidden: Differentiable,
  weight: Parameter,
  bias: Parameter,
  target: SparseTensor,
) => Variable;

/** -sum over i of x_ui log softmax(logits)_i, constants left out (Liang et al. 2018, equation 2). */
export const multinomial: Likelihood = multinomialOutputLoss;

/** -sum over i of x_ui log p_ui + (1 - x_ui) log(1 - p_ui), p = sigmoid(logits); from the logits, so nothing is clipped. */
export const bernoulli: Likelihood = bernoulliOutputLoss;
