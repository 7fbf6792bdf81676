// Applies rules to the best items of a user.

import type { Pauses } from "../../core/shared-turns.js";
import type { Recommender, ScoreOptions } from "../recommender.js";
import { unitVectors } from "./item-vectors.js";
import { select } from "./marginal-relevance.js";
import { relevanceOf } from "./relevance.js";
import { type Rules, valuesOf } from "./rules.js";

/** Items with their scores. */
export interface Best {
  readonly items: Uint32Array;
  readonly scores: Float32Array;
}

/** The k items that the rules choose from a pool, which is best first; with the scores of the model. Throws AbortedError. */
export async function rerank(
  recommender: Recommender,
  { items, scores }: Best,
  { k, rules }: { readonly k: number; readonly rules: Rules },
  pauses: Pauses,
  options?: ScoreOptions,
): Promise<Best> {
  const { diversity } = rules;
  const values = valuesOf(items, relevanceOf(scores), rules);
  const vectors = diversity > 0 ? await unitVectors(recommender, items, options) : undefined;
  const chosen = await select({ items, values, k, diversity, vectors }, pauses);
  return {
    items: Uint32Array.from(chosen, (place) => items[place]),
    scores: Float32Array.from(chosen, (place) => scores[place]),
  };
}
