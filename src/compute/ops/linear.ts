// The dense layer.

import type { Division } from "../division.js";
import { type Differentiable, Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import { type Tensor, viewColumns, viewRows } from "../tensor.js";

/** x W + b: [rows, in] x [in, out] -> [rows, out]; the bias is [1, out]. */
export function linear(tape: Tape, x: Differentiable, weight: Differentiable, bias?: Parameter): Variable {
  if (weight instanceof Parameter && weight.division)
    return dividedLinear(tape, x, weight, weight.division, bias);
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

/** The same where the inputs are divided items: x has the own columns, the weights have the own rows. */
function dividedLinear(
  tape: Tape,
  x: Differentiable,
  weight: Parameter,
  { own, ownBlocks, communicator }: Division,
  bias: Parameter | undefined,
): Variable {
  const { engine } = tape;
  const blocks = ownBlocks.map(({ from, to }) => [from - own.from, to - own.from] as const);
  const products = blocks.map(([from, to]) => {
    const part = tape.empty(x.value.rows, weight.columns);
    engine.matmul(part, viewColumns(x.value, from, to), viewRows(weight.value, from, to));
    return part;
  });
  const out = tape.empty(x.value.rows, weight.columns);
  communicator.sum(out, products);
  if (bias) engine.addRow(out, bias.value);
  return tape.record(out, bias ? [x, weight, bias] : [x, weight], (g) => {
    if (bias?.needsGradient) engine.addSumOfRows(bias.gradient(), g);
    const each = (write: (from: number, to: number) => void) => {
      for (const [from, to] of blocks) write(from, to);
    };
    if (weight.needsGradient)
      weight.addGradient((out: Tensor, accumulate) =>
        each((from, to) =>
          engine.matmul(viewRows(out, from, to), viewColumns(x.value, from, to), g, {
            transposeA: true,
            accumulate,
          }),
        ),
      );
    if (x.needsGradient)
      x.addGradient((out, accumulate) =>
        each((from, to) =>
          engine.matmul(viewColumns(out, from, to), g, viewRows(weight.value, from, to), {
            transposeB: true,
            accumulate,
          }),
        ),
      );
  });
}
