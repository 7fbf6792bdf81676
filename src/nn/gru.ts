// The gated recurrent unit (Cho et al. 2014), in PyTorch's form, over sequences of different lengths. The sequences are sorted by
// decreasing length, so that step t computes only the first rows and nothing for sequences that have ended.
//
//   r = s(x W_r + b_r + h V_r + c_r),  z = s(x W_z + b_z + h V_z + c_z),  n = tanh(x W_n + b_n + r (h V_n + c_n)),  h' = n + z (h - n)

import { add, addScaled, product } from "../compute/ops/arithmetic.js";
import { columns } from "../compute/ops/columns.js";
import { linear } from "../compute/ops/linear.js";
import { sigmoid } from "../compute/ops/sigmoid.js";
import { tanh } from "../compute/ops/tanh.js";
import type { Parameter } from "../compute/parameter.js";
import type { Tape, Variable } from "../compute/tape.js";
import type { CsrMatrix } from "../sparse/csr.js";

/** One step: x W + b [rows, 3 units] as [r | z | n], h [rows, units], V [units, 3 units], c [1, 3 units] -> h' [rows, units]. */
export function gruStep(
  tape: Tape,
  input: Variable,
  h: Variable,
  weight: Parameter,
  bias: Parameter,
): Variable {
  const units = h.value.columns;
  const state = linear(tape, h, weight, bias);
  const part = (of: Variable, i: number) => columns(tape, of, i * units, (i + 1) * units);
  const r = sigmoid(tape, add(tape, part(input, 0), part(state, 0)));
  const z = sigmoid(tape, add(tape, part(input, 1), part(state, 1)));
  const n = tanh(tape, add(tape, part(input, 2), product(tape, r, part(state, 2))));
  return add(tape, n, product(tape, z, addScaled(tape, h, n, -1)));
}

/** Sequences step by step: the tokens of step 0, then those of step 1, ... */
export interface Steps {
  /** Non-empty sequences by decreasing length: row r of a step belongs to sequence order[r]. */
  readonly order: Uint32Array;
  /** The number of sequences that have a step t. */
  readonly counts: Uint32Array;
  /** The tokens of every step and row. */
  readonly tokens: Uint32Array;
}

/** The first `most` tokens of every sequence, step by step. */
export function stepsOf({ rows, offsets, indices }: CsrMatrix, most: number): Steps {
  const length = (r: number) => Math.min(most, offsets[r + 1] - offsets[r]);
  const order = Uint32Array.from({ length: rows }, (_, r) => r)
    .filter((r) => length(r) > 0)
    .sort((a, b) => length(b) - length(a) || a - b);
  const counts: number[] = [];
  const tokens: number[] = [];
  for (let t = 0; order.length > 0 && t < length(order[0]); t++) {
    let count = 0;
    for (; count < order.length && length(order[count]) > t; count++)
      tokens.push(indices[offsets[order[count]] + t]);
    counts.push(count);
  }
  return { order, counts: Uint32Array.from(counts), tokens: Uint32Array.from(tokens) };
}

/** One entry per row: [columns.length, width]; a row is empty if its column is at least `width`. */
export function oneHot(chosen: ArrayLike<number>, width: number): CsrMatrix {
  const offsets = new Uint32Array(chosen.length + 1);
  const indices = new Uint32Array(chosen.length);
  let count = 0;
  for (let r = 0; r < chosen.length; r++) {
    if (chosen[r] < width) indices[count++] = chosen[r];
    offsets[r + 1] = count;
  }
  return { rows: chosen.length, columns: width, offsets, indices: indices.subarray(0, count) };
}
