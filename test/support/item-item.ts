// Histories for the solvers of item-item models, and how their matrices are compared.

import { RandomSequence } from "../../src/core/philox.js";
import { type CsrMatrix, fromRows } from "../../src/sparse/csr.js";
import { densify } from "./engines.js";

/** Users with up to `most` items, popular ones first; every seventh has none. */
export function someHistories(users: number, items: number, most: number, seed: number): CsrMatrix {
  const random = new RandomSequence({ seed, step: 0, stream: 0 });
  const lists = Array.from({ length: users }, (_, user) => {
    const count = user % 7 === 0 ? 0 : 1 + random.below(most);
    return [...new Set(Array.from({ length: count }, () => Math.floor(items * random.uniform() ** 2)))];
  });
  return fromRows(items, lists);
}

/** Numbers in two matrices that are to be the same but for rounding. */
export function difference(a: CsrMatrix, b: CsrMatrix): number {
  const [x, y] = [densify(a).data, densify(b).data];
  return Math.max(0, ...x.map((value, k) => Math.abs(value - y[k]) / (1 + Math.abs(y[k]))));
}
