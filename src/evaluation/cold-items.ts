// Items that no training user has touched: all that a model can know of them is their content ("out-of-matrix prediction",
// Wang and Blei 2011, section 4).

import type { TopK } from "../compute/engine.js";
import { NO_ITEM } from "../compute/engine.js";
import type { Scores } from "../recommender/recommender.js";
import { type CsrMatrix, rowIndices } from "../sparse/csr.js";

/** Judges some items only. */
export interface ItemSelection {
  /** Ascending indices of items: what was held out counts only where it is one of them. */
  readonly items: Uint32Array;
  /** "themselves": the lists hold only these items; "all": they compete with every other item. */
  readonly among: "themselves" | "all";
}

/** The items without a training interaction, ascending. */
export function coldItems(train: CsrMatrix): Uint32Array {
  const isWarm = new Uint8Array(train.columns);
  for (const item of train.indices) isWarm[item] = 1;
  return Uint32Array.from({ length: train.columns }, (_, item) => item).filter((item) => isWarm[item] === 0);
}

/** As `Scores.topK`, of the given (ascending) items alone: the items' indices are those of the catalogue. */
export async function topKOf(
  scores: Scores,
  items: Uint32Array,
  k: number,
  without?: CsrMatrix,
): Promise<TopK> {
  const all = await scores.at(items);
  const width = Math.min(k, items.length);
  const best: TopK = {
    rows: scores.rows,
    k: width,
    items: new Uint32Array(scores.rows * width).fill(NO_ITEM),
    scores: new Float32Array(scores.rows * width).fill(Number.NEGATIVE_INFINITY),
  };
  const places = new Uint32Array(items.length);
  for (let row = 0; row < scores.rows; row++) {
    const of = all.subarray(row * items.length, (row + 1) * items.length);
    const excluded = new Set(without ? rowIndices(without, row) : []);
    let candidates = 0;
    for (let place = 0; place < items.length; place++)
      if (!excluded.has(items[place])) {
        places[candidates++] = place;
        if (Number.isNaN(of[place])) of[place] = Number.NEGATIVE_INFINITY;
      }
    const ordered = largest(of, places.subarray(0, candidates), width);
    for (const [rank, place] of ordered.entries()) {
      best.items[row * width + rank] = items[place];
      best.scores[row * width + rank] = of[place];
    }
  }
  return best;
}

/** The k places of the largest numbers, best first; equal ones by their place. A heap whose root is the worst that is kept. */
function largest(numbers: Float32Array, places: Uint32Array, k: number): number[] {
  const heap: number[] = [];
  const isWorse = (a: number, b: number) => numbers[a] < numbers[b] || (numbers[a] === numbers[b] && a > b);
  const sink = () => {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) return;
      if (child + 1 < heap.length && isWorse(heap[child + 1], heap[child])) child++;
      if (!isWorse(heap[child], heap[at])) return;
      [heap[at], heap[child]] = [heap[child], heap[at]];
      at = child;
    }
  };
  for (const place of places) {
    if (heap.length < k) {
      heap.push(place);
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (!isWorse(heap[at], heap[parent])) break;
        [heap[at], heap[parent]] = [heap[parent], heap[at]];
        at = parent;
      }
    } else if (k > 0 && isWorse(heap[0], place)) {
      heap[0] = place;
      sink();
    }
  }
  return heap.sort((a, b) => numbers[b] - numbers[a] || a - b);
}
