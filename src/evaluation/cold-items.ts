// Cold items: items without training interactions, of which a model knows only the content ("out-of-matrix prediction", Wang and
// Blei 2011, section 4).

import type { TopK } from "../compute/engine.js";
import { NO_ITEM } from "../compute/engine.js";
import { largest } from "../core/largest.js";
import type { Scores } from "../recommender/recommender.js";
import { type CsrMatrix, rowIndices } from "../sparse/csr.js";

/** Restricts an evaluation to some items. */
export interface ItemSelection {
  /** Ascending item indices: of the held-out items, only these count. */
  readonly items: Uint32Array;
  /** "themselves": only these items are ranked; "all": they are ranked among all items. */
  readonly among: "themselves" | "all";
}

/** The items without a training interaction, ascending. */
export function coldItems(train: CsrMatrix): Uint32Array {
  const isWarm = new Uint8Array(train.columns);
  for (const item of train.indices) isWarm[item] = 1;
  return Uint32Array.from({ length: train.columns }, (_, item) => item).filter((item) => isWarm[item] === 0);
}

/** Like `Scores.topK`, but only for the given (ascending) items; returns catalogue indices. */
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
    const ordered = largest(of, width, places.subarray(0, candidates));
    for (const [rank, place] of ordered.entries()) {
      best.items[row * width + rank] = items[place];
      best.scores[row * width + rank] = of[place];
    }
  }
  return best;
}
