// The loss of ELSA: the squared distance between x / |x| and y / |y| for the reconstruction y = x U U' - x, with all rows of U of
// length 1. It depends on y only through |y| and x.y, so it is computed from products of the width k of U, and no scores of the
// outputs [rows, items] exist: with z = x U,
//
//   x.y = z.z - x.x,   |y|^2 = z U'U z' - 2 z.z + x.x
//
// z U'U is (z U') U for a few rows, and z (U'U) for more rows than U is wide, whichever has less to multiply.

import type { Differentiable } from "../parameter.js";
import type { Tape, Variable } from "../tape.js";
import type { SparseTensor, Tensor } from "../tensor.js";

/**
 * ||y / |y| - x / |x|||^2 for every row of x [rows, items], as [rows, 1]; u [items, k], squares [rows, 1] = x.x.
 */
export function linearCosine(tape: Tape, x: SparseTensor, u: Differentiable, squares: Tensor): Variable {
  const { engine } = tape;
  const { rows: items, columns: k } = u.value;
  const z = tape.empty(x.rows, k);
  engine.sparseRowSum(z, x, u.value, {});
  const products = tape.empty(x.rows, k);
  const few = x.rows < k ? tape.empty(x.rows, items) : undefined;
  if (few) {
    engine.matmul(few, z, u.value, { transposeB: true });
    engine.matmul(products, few, u.value);
  } else {
    const gram = tape.empty(k, k);
    engine.matmul(gram, u.value, u.value, { transposeA: true });
    engine.matmul(products, z, gram);
  }
  const loss = tape.empty(x.rows, 1);
  const slopes = tape.empty(x.rows, 2);
  engine.linearCosine(loss, slopes, z, products, squares);

  return tape.record(loss, [u], (g) => {
    const zGradient = tape.zeros(x.rows, k);
    const weighted = tape.empty(x.rows, k);
    engine.linearCosineGradient(zGradient, weighted, z, products, slopes, g);
    u.addGradient((out, accumulate) => {
      if (few) engine.matmul(out, few, weighted, { transposeA: true, accumulate });
      else {
        const outer = tape.empty(k, k);
        engine.matmul(outer, z, weighted, { transposeA: true });
        engine.matmul(out, u.value, outer, { accumulate });
      }
    });
    const touched = tape.empty(x.touched.length, k);
    engine.sparseRowSumGradient(touched, x, zGradient, {});
    engine.addRows(u.gradient(), touched, x.touched);
  });
}
