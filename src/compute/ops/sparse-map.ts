// A fixed sparse linear map of rows: used to gather the windows of a convolution, to scatter them in a transposed convolution, and
// to assign the steps of sequences to their items.

import type { CsrMatrix } from "../../sparse/csr.js";
import type { Differentiable, Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";

/** map x + b: [out, in] x [in, width] -> [out, width]; the bias is [1, width]. No row of the map has a column twice. */
export function sparseMap(tape: Tape, map: CsrMatrix, x: Differentiable, bias?: Parameter): Variable {
  const { engine } = tape;
  const width = x.value.columns;
  const sparse = tape.sparse(map);
  const out = tape.empty(map.rows, width);
  engine.sparseRowSum(out, sparse, x.value, {});
  if (bias) engine.addRow(out, bias.value);
  return tape.record(out, bias ? [x, bias] : [x], (g) => {
    if (bias?.needsGradient) engine.addSumOfRows(bias.gradient(), g);
    if (!x.needsGradient) return;
    const touched = tape.empty(sparse.touched.length, width);
    engine.sparseRowSumGradient(touched, sparse, g, {});
    engine.addRows(x.gradient(), touched, sparse.touched);
  });
}
