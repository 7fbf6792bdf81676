// The vectors that a map of items is made of: those of the model, if it has any. For other models, an item's vector has the scores of
// some landmarks, the most popular items, for a history with this item alone, minus what all items have in common.

import { UserError } from "../core/errors.js";
import { largest } from "../core/largest.js";
import { ranksByProducts } from "../recommender/product-ranking.js";
import type { Recommender } from "../recommender/recommender.js";
import { hasVectors } from "../recommender/vectors.js";
import { fromRows } from "../sparse/csr.js";

/** Vectors of length 1. */
export interface MapVectors {
  /** What they are, in a few words. */
  readonly what: string;
  /** Indices of the items that have a vector, ascending. */
  readonly items: Uint32Array;
  readonly width: number;
  /** [items, width], row-major. */
  readonly data: Float32Array;
}

/** Items whose vectors are read at a time. */
const BLOCK = 512;
const MOST_LANDMARKS = 512;
/** With fewer items, positions mean nothing. */
const LEAST_ITEMS = 4;
/** A shorter vector than this, relative to the longest, is rounding noise. */
const SHORTEST = 1e-6;

/** The vectors of all items. Throws UserError if the model does not tell its items apart. */
export async function mapVectors(recommender: Recommender): Promise<MapVectors> {
  const { what, width, data } = await allVectors(recommender);
  const rows = recommender.items.size;
  const lengths = Float64Array.from({ length: rows }, (_, row) =>
    Math.hypot(...data.subarray(row * width, (row + 1) * width)),
  );
  const least = SHORTEST * lengths.reduce((most, length) => Math.max(most, length), 0);
  const items = Uint32Array.from(lengths.keys()).filter((item) => lengths[item] > least);
  if (items.length < LEAST_ITEMS)
    throw new UserError({
      problem:
        rows < LEAST_ITEMS
          ? `a map needs at least ${LEAST_ITEMS} items`
          : `a ${recommender.algorithm} model does not tell its items apart: their vectors are the same or zero`,
      remedy: "Choose another model",
    });
  const units = new Float32Array(items.length * width);
  for (const [place, item] of items.entries())
    for (let c = 0; c < width; c++) units[place * width + c] = data[item * width + c] / lengths[item];
  return { what, items, width, data: units };
}

async function allVectors(recommender: Recommender) {
  const { size } = recommender.items;
  if (ranksByProducts(recommender)) {
    const width = recommender.ranking.products.weights.columns;
    const read = (from: number, to: number) =>
      recommender.ranking.weightsOf(Uint32Array.from({ length: to - from }, (_, k) => from + k));
    return { what: "the model's item vectors", width, data: await inBlocks(size, width, read) };
  }
  if (hasVectors(recommender)) {
    const [{ name, dimensions, items }] = recommender.spaces;
    const read = (from: number, to: number) => recommender.itemVectors(from, to, name);
    return { what: items, width: dimensions, data: await inBlocks(size, dimensions, read) };
  }
  const landmarks = landmarksOf(recommender);
  const width = landmarks.length;
  const read = async (from: number, to: number) => {
    const alone = fromRows(
      size,
      Array.from({ length: to - from }, (_, k) => [from + k]),
    );
    const scores = await recommender.score(alone).at(landmarks);
    return scores.map((score) => (Number.isFinite(score) ? score : 0));
  };
  const data = await inBlocks(size, width, read);
  centre(data, size, width);
  return {
    what: `scores of the ${width} most popular items for a history with this item alone`,
    ...{ width, data },
  };
}

async function inBlocks(
  rows: number,
  width: number,
  read: (from: number, to: number) => Promise<ArrayLike<number>>,
): Promise<Float32Array> {
  const data = new Float32Array(rows * width);
  for (let from = 0; from < rows; from += BLOCK)
    data.set(await read(from, Math.min(rows, from + BLOCK)), from * width);
  return data;
}

/** The most popular items, or items at equal distances in the catalogue. */
function landmarksOf({ items: { size, popularity } }: Recommender): Uint32Array {
  const count = Math.min(MOST_LANDMARKS, size);
  if (popularity) return Uint32Array.from(largest(popularity.counts, count)).sort();
  return Uint32Array.from({ length: count }, (_, k) => Math.floor((k * size) / count));
}

/** Subtracts the mean of each row, then that of each column: neither general popularity nor a level of scores makes items similar. */
function centre(data: Float32Array, rows: number, width: number): void {
  const means = new Float64Array(width);
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * width, (row + 1) * width);
    const mean = own.reduce((sum, number) => sum + number, 0) / width;
    for (let c = 0; c < width; c++) {
      own[c] -= mean;
      means[c] += own[c] / rows;
    }
  }
  // What is left of equal numbers is rounding noise.
  const noise = 1e-6 * data.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
  for (let at = 0; at < data.length; at++) {
    const centred = data[at] - means[at % width];
    data[at] = Math.abs(centred) <= noise ? 0 : centred;
  }
}
