// Recommends items for a history: folds the history in, masks it, takes the best k and adds ids and titles. Several questions are
// answered in one pass over the model's weights, which the server uses for concurrent requests.

import { UserError } from "../core/errors.js";
import { nearestName } from "../core/nearest.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { ItemId } from "./item-ids.js";
import { type NamedItem, namedItem } from "./look-up.js";
import { askedOf, type Question, type RecommendOptions } from "./question.js";
import { type Ranked, rank, reasons } from "./rank.js";
import type { Recommender, ScoreOptions } from "./recommender.js";

export type { Condition, Filter, FilterValue } from "./filter/filter.js";
export { parseWhere } from "./filter/where.js";
export type { ItemId } from "./item-ids.js";
export { ItemSet } from "./item-set.js";
export { type AmbiguousTitle, AmbiguousTitlesError, type NamedItem, namedItem } from "./look-up.js";
export { askedOf, type Question, type RecommendOptions } from "./question.js";

/** An item of the history, and its contribution to the score of a recommended item. */
export interface Influence extends NamedItem {
  /** The score with the whole history minus the score without this item: positive if it supports the recommendation. */
  influence: number;
}

export interface RecommendedItem extends NamedItem {
  /** From 1. */
  rank: number;
  /** The model's score; it is only comparable within one history. */
  score: number;
  /** The standard deviation of the score, if the model provides it (uncertain.ts). */
  deviation?: number;
  /** If requested: the items of the history by their contribution to the score, largest first. */
  because?: Influence[];
}

export interface Recommendations {
  /** The items that were folded in, each once, in the given order. */
  history: NamedItem[];
  /** The entries of the history that the model does not know. */
  unknown: string[];
  /** Best first; equal scores by ascending item index. In the order of the rules, if there are any. */
  items: RecommendedItem[];
}

/**
 * Recommends items for one user, who need not be in the training data: the history is folded in. It contains ids (text, whole
 * numbers or BigInts, as in the source file) or titles; unknown entries are returned in `unknown`. A Uint32Array contains item
 * indices. For an empty history, the result is the model's recommendation for a user without interactions. Throws UserError if
 * no entry of the history is known, a title is ambiguous, an id or the filter is not valid, k is not a positive integer, or a rule
 * cannot be applied; RangeError for an index outside the catalogue.
 */
export async function recommend(
  recommender: Recommender,
  history: readonly ItemId[] | Uint32Array,
  options: RecommendOptions = {},
): Promise<Recommendations> {
  const { items } = recommender;
  const question = await askedOf(items, history, options);
  const { unknown } = question;
  if (question.history.length === 0 && unknown.length > 0) {
    const near = nearestName(unknown[0], items.ids.slice(0, 50_000));
    throw new UserError({
      place: "history",
      problem:
        unknown.length === 1
          ? `the item "${unknown[0]}" is not in the model's catalogue`
          : `none of the ${unknown.length} items ("${unknown[0]}", ...) is in the model's catalogue`,
      expected: `ids such as ${items.ids.slice(0, 3).join(", ")}`,
      remedy: near === undefined ? "Pass ids of items in the training data" : `Did you mean "${near}"?`,
    });
  }
  const [answer] = await answerAll(recommender, [question], { signal: options.signal });
  return answer;
}

/** Answers questions, in order; the model scores all of them at once. Throws AbortedError if the signal is aborted. */
export async function answerAll(
  recommender: Recommender,
  questions: readonly Question[],
  options?: ScoreOptions,
): Promise<Recommendations[]> {
  const ranked = await rank(recommender, questions, options);
  return ranked.map((answer) => named(answer, recommender.items));
}

function named(ranked: Ranked, items: Vocabulary): Recommendations {
  const { question, scores, deviations, influences } = ranked;
  return {
    history: Array.from(question.history, (index) => namedItem(index, items)),
    unknown: [...question.unknown],
    items: Array.from(ranked.items, (index, place) => ({
      rank: place + 1,
      ...namedItem(index, items),
      score: scores[place],
      ...(deviations && { deviation: deviations[place] }),
      ...(influences && {
        because: reasons(ranked, place).map(({ index, influence }) => ({
          ...namedItem(index, items),
          influence,
        })),
      }),
    })),
  };
}
