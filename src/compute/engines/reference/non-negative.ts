// Coordinate descent for non-negative least squares in plain TypeScript: the twin of native/src/kernels/non_negative.rs.

import type { NonNegativeIterations } from "../../solvers/solvers.js";
import type { Matrix } from "./matrix.js";

/** The iterations with their tensors opened. */
export type OpenNonNegativeIterations = Omit<NonNegativeIterations, "gram" | "products" | "violation"> & {
  readonly gram: Matrix;
  readonly products: Matrix;
  readonly violation?: Matrix;
};

export function nonNegativeIterations(factors: Matrix, job: OpenNonNegativeIterations): void {
  const { gram, products, l1, l2, iterations, tolerance, violation } = job;
  const w = new Float64Array(factors.columns);
  for (let r = 0; r < factors.rows; r++) {
    const at = factors.offset + r * factors.rowStride;
    const p = products.offset + r * products.rowStride;
    w.set(factors.data.subarray(at, at + w.length));
    let begun = 0;
    let violated = 0;
    for (let iteration = 0; iteration < iterations; iteration++) {
      violated = 0;
      for (let t = 0; t < w.length; t++) {
        const g = gram.offset + t * gram.rowStride;
        let gradient = l1 - products.data[p + t] + l2 * w[t];
        for (let s = 0; s < w.length; s++) gradient += gram.data[g + s] * w[s];
        // At 0, only a gradient that points into the feasible region counts as a violation.
        violated += Math.abs(w[t] === 0 ? Math.min(0, gradient) : gradient);
        const curvature = gram.data[g + t] + l2;
        if (curvature !== 0) w[t] = Math.max(w[t] - gradient / curvature, 0);
      }
      if (iteration === 0) begun = violated;
      if (violated <= tolerance * begun) break;
    }
    factors.data.set(w, at);
    if (violation) violation.data[violation.offset + r * violation.rowStride] = violated;
  }
}
