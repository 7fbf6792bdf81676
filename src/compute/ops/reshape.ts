import type { Tape, Variable } from "../tape.js";
import { viewReshaped, viewRows } from "../tensor.js";

/** The elements of x, row-major, as [rows, columns], sharing its memory. Throws RangeError if the number of elements differs or x is not contiguous. */
export function reshape(tape: Tape, x: Variable, rows: number, columns: number): Variable {
  return tape.view(x, (tensor) => viewReshaped(tensor, rows, columns));
}

/** Rows [from, to) of x, sharing its memory. */
export function rowsOf(tape: Tape, x: Variable, from: number, to: number): Variable {
  return tape.view(x, (tensor) => viewRows(tensor, from, to));
}
