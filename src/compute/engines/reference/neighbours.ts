// The nearest neighbours of columns in plain TypeScript: the twin of native/src/kernels/neighbours.rs.

import type { CsrMatrix } from "../../../sparse/csr.js";
import type { Similarity } from "../../solvers/solvers.js";
import { rowsOf } from "./elastic-net.js";
import { type Entry, keepLargest } from "./keep-largest.js";
import type { SparseMatrix } from "./matrix.js";

/** For each of the columns [from, to) of x, the k other columns with the largest positive similarity. */
export function neighbours(x: SparseMatrix, similarity: Similarity, from: number, to: number): CsrMatrix {
  const { left, right, size, shrink, k } = similarity;
  const products = new Float64Array(x.columns);
  const slotOf = new Map([...x.touched].map((column, slot) => [column, slot]));
  const lists: Entry[][] = [];
  for (let column = from; column < to; column++) {
    products.fill(0);
    const slot = slotOf.get(column);
    if (slot !== undefined)
      for (let at = x.columnOffsets[slot]; at < x.columnOffsets[slot + 1]; at++) {
        const row = x.rowOf[at];
        const factor = x.values?.[x.positionOf[at]] ?? 1;
        for (let e = x.offsets[row]; e < x.offsets[row + 1]; e++)
          products[x.indices[e]] += factor * (x.values?.[e] ?? 1);
      }
    const list: Entry[] = [];
    for (const [index, product] of products.entries()) {
      if (index === column || product <= 0) continue;
      const [l, r] = [left[column], right[index]];
      const value = product / ((size === "product" ? l * r : l + r - product) + shrink);
      if (value > 0 && Number.isFinite(value)) list.push({ index, value });
    }
    lists.push(keepLargest(list, k));
  }
  return rowsOf(lists, x.columns);
}
