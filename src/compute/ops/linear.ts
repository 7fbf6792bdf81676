// The dense layer.

import type { Differentiable, Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** x W + b: [rows, in] x [in, out] -> [rows, out]; the bias is [1, out]. */
export function linear(tape: Tape, x: Differentiable, weight: Differentiable, bias?: Parameter): Variable {
  const { engine } = tape;
  const { bf16 } = engine;
  const out = tape.empty(x.value.rows, weight.value.columns);
  engine.matmul(out, x.value, weight.value, { bf16 });
  if (bias) engine.addRow(out, bias.value);
  return tape.record(out, bias ? [x, weight, bias] : [x, weight], (g) => {
    if (bias?.needsGradient) engine.addSumOfRows(bias.gradient(), g);
    if (weight.needsGradient)
      weight.addGradient((to, accumulate) =>
        engine.matmul(to, x.value, g, { transposeA: true, accumulate, bf16 }),
      );
    if (x.needsGradient)
      x.addGradient((to, accumulate) =>
        engine.matmul(to, g, weight.value, { transposeB: true, accumulate, bf16 }),
      );
  });
}
