// Applies rules to the best items of a user.

import type { Pauses } from "../../core/shared-turns.js";
import type { Recommender, ScoreOptions } from "../recommender.js";
import { Caps } from "./caps.js";
import { unitVectors } from "./item-vectors.js";
import { select } from "./marginal-relevance.js";
import { relevanceOf } from "./relevance.js";
import { largerPool, type Rules, valuesOf } from "./rules.js";

/** Items with their scores. */
export interface Best {
  readonly items: Uint32Array;
  readonly scores: Float32Array;
}

export interface Reranking {
  readonly k: number;
  readonly rules: Rules;
  /** The number of items that the pool was to have; it has fewer if there are no more. */
  readonly depth: number;
  /** The given number of best items, for a larger pool. */
  deeper(depth: number): Promise<Best>;
}

/**
 * The k items that the rules choose from a pool, which is best first; with the scores of the model. If limits leave fewer than k, the
 * pool grows (`largerPool`), and the choice is made again. Throws AbortedError.
 */
export async function rerank(
  recommender: Recommender,
  pool: Best,
  { k, rules, depth, deeper }: Reranking,
  pauses: Pauses,
  options?: ScoreOptions,
): Promise<Best> {
  for (let best = pool, size = depth; ; ) {
    const list = await choose(recommender, best, k, rules, pauses, options);
    const larger = largerPool(size);
    if (list.items.length >= k || best.items.length < size || larger === size) return list;
    size = larger;
    best = await deeper(size);
  }
}

async function choose(
  recommender: Recommender,
  { items, scores }: Best,
  k: number,
  rules: Rules,
  pauses: Pauses,
  options?: ScoreOptions,
): Promise<Best> {
  const { diversity, caps } = rules;
  const values = valuesOf(items, relevanceOf(scores), rules);
  const vectors = diversity > 0 ? await unitVectors(recommender, items, options) : undefined;
  const limits = caps.length > 0 ? new Caps(caps) : undefined;
  const chosen = await select({ items, values, k, diversity, vectors, caps: limits }, pauses);
  return {
    items: Uint32Array.from(chosen, (place) => items[place]),
    scores: Float32Array.from(chosen, (place) => scores[place]),
  };
}
