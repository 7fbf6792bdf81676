import { DividedBatch } from "../division.js";
import type { Tape, Variable } from "../tape.js";
import type { SparseTensor } from "../tensor.js";

/** The sum of the values of every history, [rows, 1]: the number of items of a 0/1 row. A constant without a gradient. */
export function rowSums(tape: Tape, x: SparseTensor): Variable {
  const out = tape.empty(x.rows, 1);
  if (x instanceof DividedBatch) {
    tape.engine.write(out, x.sums);
    return tape.constant(out);
  }
  const ones = tape.empty(x.columns, 1);
  tape.engine.fill(ones, 1);
  tape.engine.sparseRowSum(out, x, ones, {});
  return tape.constant(out);
}
