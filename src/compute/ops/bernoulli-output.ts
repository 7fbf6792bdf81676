// The output layer with the Bernoulli likelihood, fused: the logits are the engine's scratch and nobody else's.

import type { Differentiable, Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import type { SparseTensor } from "../tensor.js";

/**
 * -sum over i of x_ui log p_ui + (1 - x_ui) log(1 - p_ui) with p_u = sigmoid(h_u W^T + b), per row: [rows, 1], in nats.
 * hidden [rows, width], weight [items, width] (item-major), bias [1, items], target x [rows, items].
 */
export function bernoulliOutputLoss(
  tape: Tape,
  hidden: Differentiable,
  weight: Parameter,
  bias: Parameter,
  target: SparseTensor,
): Variable {
  const { engine } = tape;
  const { rows } = hidden.value;
  const loss = tape.empty(rows, 1);
  const logits = tape.empty(rows, weight.rows);
  engine.matmul(logits, hidden.value, weight.value, { transposeB: true });
  engine.bernoulliLoss(loss, logits, bias.value, target);
  return tape.record(loss, [hidden, weight, bias], (g) => {
    engine.bernoulliLossGradient(logits, target, g);
    if (bias.needsGradient) engine.addSumOfRows(bias.gradient(), logits);
    if (weight.needsGradient)
      weight.addGradient((to, accumulate) =>
        engine.matmul(to, logits, hidden.value, { transposeA: true, accumulate }),
      );
    if (hidden.needsGradient)
      hidden.addGradient((to, accumulate) => engine.matmul(to, logits, weight.value, { accumulate }));
  });
}
