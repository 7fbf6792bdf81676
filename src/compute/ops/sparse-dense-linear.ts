// A first layer over concatenated histories and dense activations, [x | z] W + b, with one weight matrix for both; the
// concatenation is never formed.

import type { SparseRowSumOptions } from "../engine.js";
import type { Differentiable, Parameter } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import { type SparseTensor, viewRows } from "../tensor.js";
import { ownOf, sumOfRows } from "./sparse-linear.js";

/**
 * [dropout(scale(x)) | z] W + b: x [rows, items], z [rows, width], W [items + width, out] -> [rows, out]. Only the touched rows
 * and those of z get a gradient.
 */
export function sparseDenseLinear(
  tape: Tape,
  x: SparseTensor,
  z: Differentiable,
  weight: Parameter,
  bias: Parameter,
  options: SparseRowSumOptions = {},
): Variable {
  const { engine } = tape;
  const { bf16 } = engine;
  const out = tape.empty(x.rows, weight.columns);
  const own = ownOf(x);
  const ofZ = viewRows(weight.value, own.columns, weight.rows);
  sumOfRows(tape, out, x, viewRows(weight.value, 0, own.columns), options);
  engine.matmul(out, z.value, ofZ, { accumulate: true, bf16 });
  engine.addRow(out, bias.value);
  return tape.record(out, [z, weight, bias], (g) => {
    engine.addSumOfRows(bias.gradient(), g);
    const sparse = own.touched.length;
    const touched = new Uint32Array(sparse + z.value.columns);
    touched.set(own.touched);
    for (let c = 0; c < z.value.columns; c++) touched[sparse + c] = own.columns + c;
    weight.addRowsGradient(touched, (to) => {
      engine.sparseRowSumGradient(viewRows(to, 0, sparse), own, g, options);
      engine.matmul(viewRows(to, sparse, to.rows), z.value, g, { transposeA: true, bf16 });
    });
    if (z.needsGradient)
      z.addGradient((to, accumulate) => engine.matmul(to, g, ofZ, { transposeB: true, accumulate, bf16 }));
  });
}
