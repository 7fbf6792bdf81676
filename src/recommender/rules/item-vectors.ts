// Vectors by which the items of a pool are compared. A model whose scores are products with item vectors has its own. For other models
// an item's vector has the scores that the model gives the items of the pool for a history with this item alone, minus their mean:
// two items are similar if the same items go with them.

import { fromRows } from "../../sparse/csr.js";
import { ranksByProducts } from "../product-ranking.js";
import type { Recommender, ScoreOptions } from "../recommender.js";
import { hasVectors, type Vectors } from "../vectors.js";

/** Vectors of length 1, or 0 for items without one. */
export interface UnitVectors {
  readonly width: number;
  /** [items, width], row-major. */
  readonly data: Float64Array;
}

/** The vectors of these items, in order. Throws AbortedError if the signal is aborted. */
export async function unitVectors(
  recommender: Recommender,
  items: Uint32Array,
  options?: ScoreOptions,
): Promise<UnitVectors> {
  if (items.length === 0) return { width: 0, data: new Float64Array() };
  const vectors = ranksByProducts(recommender)
    ? await recommender.ranking.weightsOf(items)
    : hasVectors(recommender)
      ? await ownVectors(recommender, items)
      : await profiles(recommender, items, options);
  return scaled(vectors, vectors.length / items.length);
}

/** The vectors of single items; neighbours in the catalogue are read together. */
async function ownVectors(recommender: Vectors, items: Uint32Array): Promise<Float32Array> {
  const [{ name, dimensions }] = recommender.spaces;
  const vectors = new Float32Array(items.length * dimensions);
  const order = Uint32Array.from(items.keys()).sort((a, b) => items[a] - items[b]);
  for (let at = 0; at < order.length; ) {
    let end = at + 1;
    while (end < order.length && items[order[end]] === items[order[end - 1]] + 1) end++;
    const some = await recommender.itemVectors(items[order[at]], items[order[end - 1]] + 1, name);
    for (let first = 0; at < end; at++, first += dimensions)
      vectors.set(some.subarray(first, first + dimensions), order[at] * dimensions);
  }
  return vectors;
}

async function profiles(
  recommender: Recommender,
  items: Uint32Array,
  options?: ScoreOptions,
): Promise<Float64Array> {
  const alone = Array.from(items, (item) => [item]);
  const scores = await recommender.score(fromRows(recommender.items.size, alone), options).at(items);
  const centred = Float64Array.from(scores, (score) => (Number.isFinite(score) ? score : 0));
  for (let first = 0; first < centred.length; first += items.length) {
    const row = centred.subarray(first, first + items.length);
    const mean = row.reduce((sum, score) => sum + score, 0) / row.length;
    for (let c = 0; c < row.length; c++) row[c] -= mean;
  }
  return centred;
}

function scaled(vectors: ArrayLike<number>, width: number): UnitVectors {
  const data = Float64Array.from(vectors);
  for (let first = 0; first < data.length; first += width) {
    const row = data.subarray(first, first + width);
    const length = Math.sqrt(row.reduce((sum, number) => sum + number * number, 0));
    if (length > 0) for (let c = 0; c < width; c++) row[c] /= length;
  }
  return { width, data };
}
