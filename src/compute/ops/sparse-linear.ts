// The first layer over histories: a dense layer with sparse input, so that only touched rows of the weights are read and get a
// gradient. It includes row scaling and dropout of the input.

import { DividedBatch } from "../division.js";
import type { SparseRowSumOptions } from "../engine.js";
import type { Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import { type SparseTensor, type Tensor, viewRows } from "../tensor.js";

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
  sumOfRows(tape, out, x, weight.value, options);
  if (bias) engine.addRow(out, bias.value);
  return tape.record(out, bias ? [weight, bias] : [weight], (g) => {
    if (bias?.needsGradient) engine.addSumOfRows(bias.gradient(), g);
    if (weight.needsGradient)
      weight.addRowsGradient(ownOf(x).touched, (to) => engine.sparseRowSumGradient(to, ownOf(x), g, options));
  });
}

/** The columns of a batch that this member has. */
export function ownOf(x: SparseTensor): SparseTensor {
  return x instanceof DividedBatch ? x.own : x;
}

/** out = dropout(scale(x)) weights; if the items are divided, the sum of the blocks' products, and weights has the own rows. */
export function sumOfRows(
  tape: Tape,
  out: Tensor,
  x: SparseTensor,
  weights: Tensor,
  options: SparseRowSumOptions,
): void {
  const { engine } = tape;
  if (!(x instanceof DividedBatch)) {
    engine.sparseRowSum(out, x, weights, options);
    return;
  }
  const { stacked, division, rows } = x;
  const products = tape.empty(stacked.rows, weights.columns);
  engine.sparseRowSum(products, stacked, weights, options);
  division.communicator.sum(
    out,
    division.ownBlocks.map((_, place) => viewRows(products, place * rows, (place + 1) * rows)),
  );
}
