import type { Tape, Variable } from "../tape.js";
import { viewColumns } from "../tensor.js";

/** Columns [from, to) of x, sharing its memory: how an encoder's output is split into mean and log-variance. */
export function columns(tape: Tape, x: Variable, from: number, to: number): Variable {
  return tape.view(x, (tensor) => viewColumns(tensor, from, to));
}
