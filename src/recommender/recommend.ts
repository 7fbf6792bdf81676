// A history in, a ranked list out: fold the history in, mask it, take the best k, and say their names. Several questions
// are answered in one pass over the model's weights, which is what a server does with requests that come together.

import { UserError } from "../core/errors.js";
import { nearestName } from "../core/nearest.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { ItemId } from "./item-ids.js";
import { type NamedItem, namedItem } from "./look-up.js";
import { askedOf, type Question, type RecommendOptions } from "./question.js";
import { type Ranked, rank, reasons } from "./rank.js";
import type { Recommender, ScoreOptions } from "./recommender.js";

export type { ItemId } from "./item-ids.js";
export { type AmbiguousTitle, AmbiguousTitlesError, type NamedItem, namedItem } from "./look-up.js";
export { askedOf, type Question, type RecommendOptions } from "./question.js";

/** An item of the history, and what it adds to the score of a recommended one. */
export interface Influence extends NamedItem {
  /** The score with the whole history less the score without this item: positive where it speaks for the recommendation. */
  influence: number;
}

export interface RecommendedItem extends NamedItem {
  /** From 1. */
  rank: number;
  /** The model's score: only the order within one history means something. */
  score: number;
  /** The standard deviation of the score, where the model knows how sure it is (uncertain.ts). */
  deviation?: number;
  /** Where asked for: the history's items by what they add to the score, most first. */
  because?: Influence[];
}

export interface Recommendations {
  /** What was folded in, each item once, in the order given. */
  history: NamedItem[];
  /** What of the history the model does not know. */
  unknown: string[];
  /** Best first; equal scores by ascending item index. */
  items: RecommendedItem[];
}

/**
 * Recommends items for one user, who need not be known: the history is folded in. It holds ids (text, whole numbers or
 * BigInts, as in the source file) or titles; what the model does not know is reported in `unknown`. Item indices are given as
 * a Uint32Array. An empty history gets the model's answer to "nothing known". Throws UserError where no entry of a history
 * is known, a title means several items, an id is not one, or k is not a positive integer; RangeError for an index outside
 * the catalogue.
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
      remedy:
        near === undefined ? "Give ids of items that were in the training data" : `Did you mean "${near}"?`,
    });
  }
  const [answer] = await answerAll(recommender, [question], { signal: options.signal });
  return answer;
}

/** Answers questions, in order, the model being asked for the scores of all of them at once. Throws AbortedError on the signal. */
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
