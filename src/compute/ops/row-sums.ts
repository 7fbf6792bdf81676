import type { Tape, Variable } from "../tape.js";
import type { SparseTensor } from "../tensor.js";

/** The sum of every history's values, [rows, 1]: of a 0/1 row its number of items. A constant, without a gradient. */
export function rowSums(tape: Tape, x: SparseTensor): Variable {
  const ones = tape.empty(x.columns, 1);
  const out = tape.empty(x.rows, 1);
  tape.engine.fill(ones, 1);
  tape.engine.sparseRowSum(out, x, ones, {});
  return tape.constant(out);
}
