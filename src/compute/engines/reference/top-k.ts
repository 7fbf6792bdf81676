// The k best columns per row without sorting the row: a heap of size k whose root is the worst kept column. Columns are visited in
// ascending order, so a column that only equals the root is rejected, which breaks ties by ascending index.

import { hasBit, wordsFor } from "../../../core/bits.js";
import { NO_ITEM, type TopK } from "../../engine.js";
import { addRow } from "./elementwise.js";
import { matmul } from "./matmul.js";
import type { Matrix, SparseMatrix } from "./matrix.js";

export function topK(scores: Matrix, wanted: number, without?: SparseMatrix, allowed?: Uint32Array): TopK {
  const { rows, columns } = scores;
  const k = Math.min(wanted, columns);
  const items = new Uint32Array(rows * k).fill(NO_ITEM);
  const best = new Float32Array(rows * k).fill(-Infinity);
  if (k === 0) return { rows, k, items, scores: best };

  const excluded = new Uint8Array(columns);
  const heapScores = new Float64Array(k);
  const heapItems = new Uint32Array(k);
  /** Whether heap entry a ranks below entry b. */
  const worse = (a: number, b: number) =>
    heapScores[a] < heapScores[b] || (heapScores[a] === heapScores[b] && heapItems[a] > heapItems[b]);
  const swap = (a: number, b: number) => {
    const score = heapScores[a];
    heapScores[a] = heapScores[b];
    heapScores[b] = score;
    const item = heapItems[a];
    heapItems[a] = heapItems[b];
    heapItems[b] = item;
  };
  const siftDown = (size: number) => {
    for (let parent = 0; ; ) {
      let worst = parent;
      const left = 2 * parent + 1;
      if (left < size && worse(left, worst)) worst = left;
      if (left + 1 < size && worse(left + 1, worst)) worst = left + 1;
      if (worst === parent) return;
      swap(parent, worst);
      parent = worst;
    }
  };

  for (let r = 0; r < rows; r++) {
    const offset = scores.offset + r * scores.rowStride;
    const from = without?.offsets[r] ?? 0;
    const to = without?.offsets[r + 1] ?? 0;
    if (without) for (let e = from; e < to; e++) excluded[without.indices[e]] = 1;
    const set = allowed && setOf(allowed, r, columns);
    let size = 0;
    for (let c = 0; c < columns; c++) {
      if (excluded[c] || (set && !hasBit(set, c))) continue;
      let score = scores.data[offset + c];
      if (Number.isNaN(score)) score = -Infinity;
      if (size < k) {
        let child = size++;
        heapScores[child] = score;
        heapItems[child] = c;
        while (child > 0) {
          const parent = (child - 1) >> 1;
          if (!worse(child, parent)) break;
          swap(child, parent);
          child = parent;
        }
      } else if (score > heapScores[0]) {
        heapScores[0] = score;
        heapItems[0] = c;
        siftDown(k);
      }
    }
    for (let rank = size - 1; rank >= 0; rank--) {
      items[r * k + rank] = heapItems[0];
      best[r * k + rank] = heapScores[0];
      swap(0, rank);
      siftDown(rank);
    }
    if (without) for (let e = from; e < to; e++) excluded[without.indices[e]] = 0;
  }
  return { rows, k, items, scores: best };
}

/** The set of a row. */
export function setOf(allowed: Uint32Array, row: number, columns: number): Uint32Array {
  const length = wordsFor(columns);
  return allowed.length === length ? allowed : allowed.subarray(row * length, (row + 1) * length);
}

/** This implementation computes all products. */
export function bestProducts(
  a: Matrix,
  { weights, bias }: { readonly weights: Matrix; readonly bias: Matrix },
  k: number,
  without?: SparseMatrix,
  allowed?: Uint32Array,
): TopK {
  const [rows, columns] = [a.rows, weights.rows];
  const data =
    a.data instanceof Float32Array ? new Float32Array(rows * columns) : new Float64Array(rows * columns);
  const scores = { data, offset: 0, rows, columns, rowStride: columns };
  matmul(scores, a, weights, { transposeB: true });
  addRow(scores, bias);
  return topK(scores, k, without, allowed);
}
