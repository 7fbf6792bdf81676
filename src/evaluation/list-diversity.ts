// The diversity within a list: the mean of 1 - cosine over its pairs of items, where an item's vector is its column of the training
// matrix (which users have it). With x_i the vectors of length 1, the sum of the cosines of all pairs is
//
//   1/2 ( || sum_i x_i ||^2 - sum_i || x_i ||^2 )
//
// so that no pair is computed. Source: Smyth and McClave, Similarity vs. diversity (ICCBR 2001).

import { type CsrMatrix, transpose } from "../sparse/csr.js";

export class ListDiversity {
  /** [items, users]: the users of each item. */
  readonly #users: CsrMatrix;
  /** The sum of the vectors of a list; zeros between calls. */
  readonly #sum: Float64Array;

  constructor(train: CsrMatrix) {
    this.#users = transpose({ ...train, values: undefined });
    this.#sum = new Float64Array(train.rows);
  }

  /** The mean over the pairs, from 0 to 1; 0 for fewer than two items. The cosine with an item without users is 0. */
  of(list: Uint32Array): number {
    if (list.length < 2) return 0;
    const { offsets, indices } = this.#users;
    const sum = this.#sum;
    let square = 0;
    let lengths = 0;
    for (const item of list) {
      const [from, to] = [offsets[item], offsets[item + 1]];
      if (from === to) continue;
      lengths++;
      const weight = 1 / Math.sqrt(to - from);
      for (let u = from; u < to; u++) {
        const before = sum[indices[u]];
        square += weight * (2 * before + weight);
        sum[indices[u]] = before + weight;
      }
    }
    for (const item of list) for (let u = offsets[item]; u < offsets[item + 1]; u++) sum[indices[u]] = 0;
    const cosine = (square - lengths) / (list.length * (list.length - 1));
    return Math.min(1, Math.max(0, 1 - cosine));
  }
}
