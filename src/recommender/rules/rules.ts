// Rules of a recommendation: they re-rank the best items of a user. The value of an item in the user's pool of best items is
//
//   value = (1 - novelty) relevance + novelty information            (relevance.ts, item-popularity.ts)
//
// and the list is built item by item (marginal-relevance.ts): next is the item with the largest
//
//   (1 - diversity) value - diversity (largest cosine with an item that is already in the list)

import { UserError } from "../../core/errors.js";
import { type ItemPopularity, selfInformation } from "../../data/item-popularity.js";
import type { Vocabulary } from "../../data/vocabulary.js";

export interface RuleOptions {
  /**
   * Maximal marginal relevance: the weight of the similarity with items that rank higher, from 0 (none) to 1 (relevance only breaks
   * ties). Default 0.
   */
  diversity?: number;
  /** The weight of items that few users have, against relevance, from 0 (none) to 1 (the least popular of the best items first). Default 0. */
  novelty?: number;
}

/** Checked rules; at least one of them changes the ranking. */
export interface Rules {
  readonly diversity: number;
  readonly novelty: number;
  /** Given if novelty > 0. */
  readonly popularity: ItemPopularity | undefined;
}

/** The smallest pool, and the largest one for k below it. */
const POOL = { least: 200, perItem: 10, most: 1000 };

/** The number of best items from which rules choose k: 10 k, at least 200, and at most 1,000 or k. */
export function poolSize(k: number): number {
  return Math.max(k, Math.min(POOL.most, Math.max(POOL.least, POOL.perItem * k)));
}

/**
 * The rules for a catalogue; undefined if no option changes the ranking. Throws UserError for a weight outside [0, 1], and for
 * `novelty` if the popularity of the items is not known.
 */
export function rulesOf(items: Vocabulary, { diversity = 0, novelty = 0 }: RuleOptions): Rules | undefined {
  for (const [name, weight] of Object.entries({ diversity, novelty }))
    if (!(typeof weight === "number" && weight >= 0 && weight <= 1))
      throw new UserError({
        place: name,
        problem: `${String(weight)} is not a weight`,
        expected: "a number from 0 to 1",
      });
  if (diversity === 0 && novelty === 0) return undefined;
  const { popularity } = items;
  if (novelty > 0 && !popularity)
    throw new UserError({
      place: "novelty",
      problem: "the model was saved without the popularity of its items",
      remedy: "Train it again: models of earlier versions do not have it",
    });
  return { diversity, novelty, popularity: novelty > 0 ? popularity : undefined };
}

/** The value of each item of a pool, given their relevance. */
export function valuesOf(
  pool: Uint32Array,
  relevance: Float64Array,
  { novelty, popularity }: Rules,
): Float64Array {
  if (!popularity) return relevance;
  const most = Math.log2(Math.max(2, popularity.users));
  return relevance.map(
    (value, place) => (1 - novelty) * value + (novelty * selfInformation(popularity, pool[place])) / most,
  );
}
