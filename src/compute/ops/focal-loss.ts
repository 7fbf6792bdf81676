// The focal cross-entropy (Lin, Goyal, Girshick, He, Dollar: "Focal loss for dense object detection", ICCV 2017) of VASP's
// probabilities, each the product of three sigmoids. It is computed from the logits, so that no probability is clipped.

import type { FocalLoss } from "../kernels.js";
import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import type { SparseTensor } from "../tensor.js";

/**
 * With p = sigmoid(a) sigmoid(b) sigmoid(c) per row and item, the sum over the row's target of -alpha (1 - p)^gamma log p, plus that
 * over all other items of -(1 - alpha) p^gamma log(1 - p): [rows, 1], in nats. Logits and target are [rows, items].
 */
export function focalLoss(
  tape: Tape,
  [a, b, c]: readonly [Differentiable, Differentiable, Differentiable],
  target: SparseTensor,
  focal: FocalLoss,
): Variable {
  const { engine } = tape;
  const loss = tape.empty(a.value.rows, 1);
  engine.focalLoss(loss, a.value, b.value, c.value, target, focal);
  return tape.record(loss, [a, b, c], (g) => {
    const into = (of: Differentiable) =>
      of.needsGradient ? of.gradient() : tape.zeros(of.value.rows, of.value.columns);
    engine.focalLossGradient(into(a), into(b), into(c), a.value, b.value, c.value, target, focal, g);
  });
}
