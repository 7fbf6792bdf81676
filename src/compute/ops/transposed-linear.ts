// A dense layer with the transposed weights of another layer, for a decoder that is tied to its encoder.

import type { Differentiable, Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** x W^T + b: [rows, out] x [in, out]^T -> [rows, in]; the bias is [1, in]. */
export function transposedLinear(
  tape: Tape,
  x: Differentiable,
  weight: Differentiable,
  bias: Parameter,
): Variable {
  const { engine } = tape;
  const { bf16 } = engine;
  const out = tape.empty(x.value.rows, weight.value.rows);
  engine.matmul(out, x.value, weight.value, { transposeB: true, bf16 });
  engine.addRow(out, bias.value);
  return tape.record(out, [x, weight, bias], (g) => {
    if (bias.needsGradient) engine.addSumOfRows(bias.gradient(), g);
    if (weight.needsGradient)
      weight.addGradient((to, accumulate) =>
        engine.matmul(to, g, x.value, { transposeA: true, accumulate, bf16 }),
      );
    if (x.needsGradient)
      x.addGradient((to, accumulate) => engine.matmul(to, g, weight.value, { accumulate, bf16 }));
  });
}
