// Elastic nets of one column on all others in plain TypeScript: the twin of native/src/kernels/elastic_net.rs, without its
// working sets. Cyclic coordinate descent on the Gram matrix (Friedman, Hastie, Tibshirani 2010, section 2.2) in float64.

import { type CsrMatrix, fromRows } from "../../../sparse/csr.js";
import type { ElasticNet } from "../../solvers/solvers.js";
import { type Entry, keepLargest } from "./keep-largest.js";
import type { Matrix } from "./matrix.js";

/** The weights for the columns [from, to), one row each, and the number of columns that have not reached the tolerance. */
export function elasticNet(
  gram: Matrix,
  net: ElasticNet,
  from: number,
  to: number,
): { weights: CsrMatrix; unfinished: number } {
  const lists: Entry[][] = [];
  let unfinished = 0;
  for (let target = from; target < to; target++) {
    const { weights, converged } = solveColumn(gram, net, target);
    lists.push(keepLargest(weights, net.k));
    if (!converged) unfinished++;
  }
  return { weights: rowsOf(lists, gram.columns), unfinished };
}

/** A matrix from a list of entries for each row. */
export function rowsOf(lists: readonly (readonly Entry[])[], columns: number): CsrMatrix {
  const indices = lists.map((list) => list.map(({ index }) => index));
  return {
    ...fromRows(columns, indices),
    values: Float32Array.from(lists.flatMap((list) => list.map(({ value }) => value))),
  };
}

function solveColumn(
  { data, offset, rowStride, columns }: Matrix,
  { l1, l2, tolerance, maxIterations }: ElasticNet,
  target: number,
): { weights: Entry[]; converged: boolean } {
  const g = (i: number, j: number) => data[offset + i * rowStride + j];
  const norm = g(target, target);
  const q = Float64Array.from({ length: columns }, (_, i) => (i === target ? 0 : g(target, i)));
  // G and w are not negative, so a column can only get a weight if q > l1.
  const candidates = [...q.keys()].filter((i) => q[i] > l1);
  const w = new Float64Array(columns);
  /** G w */
  const product = new Float64Array(columns);

  /** An upper bound of the distance from the minimum: the duality gap as in scikit-learn (_cd_fast.pyx). */
  const gap = () => {
    let [wq, wgw, sum, squares, dual] = [0, 0, 0, 0, 0];
    for (const i of candidates) {
      wq += w[i] * q[i];
      wgw += w[i] * product[i];
      sum += w[i];
      squares += w[i] * w[i];
      dual = Math.max(dual, q[i] - product[i] - l2 * w[i]);
    }
    const residual = norm + wgw - 2 * wq;
    const scale = dual > l1 ? l1 / dual : 1;
    const ends = dual > l1 ? (residual + residual * scale * scale) / 2 : residual;
    return ends + l1 * sum - scale * norm + scale * wq + 0.5 * l2 * (1 + scale * scale) * squares;
  };

  let converged = candidates.length === 0;
  for (let iteration = 0; iteration < maxIterations && !converged; iteration++) {
    let largest = 0;
    let change = 0;
    for (const i of candidates) {
      const slope = q[i] - product[i] + g(i, i) * w[i];
      const after = Math.max(0, slope - l1) / (g(i, i) + l2);
      const difference = after - w[i];
      if (difference !== 0) {
        for (const j of candidates) product[j] += difference * g(i, j);
        w[i] = after;
      }
      largest = Math.max(largest, after);
      change = Math.max(change, Math.abs(difference));
    }
    converged = change <= tolerance * largest && gap() <= tolerance * norm;
  }
  return {
    weights: candidates.filter((i) => w[i] > 0).map((index) => ({ index, value: w[index] })),
    converged,
  };
}
