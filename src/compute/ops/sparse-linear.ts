// The first layer over histories: a dense layer with sparse input, so that only touched rows of the weights are read and get a
// gradient. It includes row scaling and dropout of the input.

import type { SparseRowSumOptions } from "../engine.js";
import type { Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import type { SparseTensor } from "../tensor.js";

/** dropout(scale(x)) W + b: [rows, items] x [items, out] -> [rows, out]; the bias is [1, out]. */
export function sparseLinear(
  tape: Tape,
  x: SparseTensor,
  weight: Parameter,
  bias: Parameter | undefined,
  options: SparseRowSumOptions = {},
): Variable {
  const { engine } = tape;
  const out = tape.empty(x.rows, weight.columns);
  engine.sparseRowSum(out, x, weight.value, options);
  if (bias) engine.addRow(out, bias.value);
  return tape.record(out, bias ? [weight, bias] : [weight], (g) => {
    if (bias?.needsGradient) engine.addSumOfRows(bias.gradient(), g);
    if (weight.needsGradient)
      weight.addRowsGradient(x.touched, (to) => engine.sparseRowSumGradient(to, x, g, options));
  });
}
