// A history in, a ranked list out: fold the history in, mask it, take the best k, and say their names.

import { NO_ITEM } from "../compute/engine.js";
import { UserError } from "../core/errors.js";
import { nearestName } from "../core/nearest.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { fromRows } from "../sparse/csr.js";
import type { Recommender } from "./recommender.js";
import { isUncertain } from "./uncertain.js";

export interface RecommendOptions {
  /** How many items; fewer come back where the catalogue has no more. Default 10. */
  k?: number;
  /** Ids of items never to recommend; ids that are not in the catalogue are ignored. */
  exclude?: Iterable<string | number>;
  /** Whether items of the history may be recommended too. Default false. */
  includeHistory?: boolean;
}

/** An item of the catalogue, by all its names. */
export interface NamedItem {
  /** Index in the model's vocabulary. */
  index: number;
  id: string;
  /** Its title; its id where it has none. */
  title: string;
}

export interface RecommendedItem extends NamedItem {
  /** From 1. */
  rank: number;
  /** The model's score: only the order within one history means something. */
  score: number;
  /** The standard deviation of the score, where the model knows how sure it is (uncertain.ts). */
  deviation?: number;
}

export interface Recommendations {
  /** What was folded in, each item once, in the order given. */
  history: NamedItem[];
  /** Ids of the history that the model does not know. */
  unknown: string[];
  /** Best first; equal scores by ascending item index. */
  items: RecommendedItem[];
}

/**
 * Recommends items for one user, who need not be known: the history is folded in. Ids (text, or numbers as in the
 * source file) that the model does not know are reported in `unknown`; item indices are given as a Uint32Array.
 * An empty history gets the model's answer to "nothing known". Throws UserError where no id of a history is known, or k
 * is not a positive integer; RangeError for an index outside the catalogue.
 */
export async function recommend(
  recommender: Recommender,
  history: readonly (string | number)[] | Uint32Array,
  { k = 10, exclude = [], includeHistory = false }: RecommendOptions = {},
): Promise<Recommendations> {
  if (!(Number.isInteger(k) && k >= 1))
    throw new UserError({
      place: "k",
      problem: `${k} is not a number of items`,
      expected: "a whole number from 1",
    });
  const { items } = recommender;
  const { known, unknown } =
    history instanceof Uint32Array ? indices(history, items) : lookUp(history, items);
  if (known.length === 0 && unknown.length > 0) {
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
  const without = new Set<number>(includeHistory ? [] : known);
  for (const id of exclude) {
    const index = items.indexOf(String(id));
    if (index !== undefined) without.add(index);
  }
  const histories = fromRows(items.size, [known]);
  const best = await recommender
    .score(histories)
    .topK(k, without.size > 0 ? fromRows(items.size, [[...without].sort((a, b) => a - b)]) : undefined);
  const recommended: RecommendedItem[] = [];
  for (let rank = 0; rank < best.k && best.items[rank] !== NO_ITEM; rank++)
    recommended.push({ rank: rank + 1, ...named(best.items[rank], items), score: best.scores[rank] });
  if (isUncertain(recommender)) {
    const listed = Uint32Array.from(recommended, ({ index }) => index);
    const { deviations } = await recommender.scoreWithUncertainty(histories, listed);
    for (const [place, item] of recommended.entries()) item.deviation = deviations[place];
  }
  return { history: known.map((index) => named(index, items)), unknown, items: recommended };
}

function named(index: number, items: Vocabulary): NamedItem {
  return { index, id: items.ids[index], title: items.titleOf(index) };
}

/** The indices of ids, each once, and the ids that have none. */
function lookUp(
  ids: readonly (string | number)[],
  items: Vocabulary,
): { known: number[]; unknown: string[] } {
  const known = new Set<number>();
  const unknown = new Set<string>();
  for (const id of ids) {
    const index = items.indexOf(String(id));
    if (index === undefined) unknown.add(String(id));
    else known.add(index);
  }
  return { known: [...known], unknown: [...unknown] };
}

function indices(history: Uint32Array, items: Vocabulary): { known: number[]; unknown: string[] } {
  for (const index of history)
    if (index >= items.size) throw new RangeError(`recommend: item ${index} is outside [0, ${items.size})`);
  return { known: [...new Set(history)], unknown: [] };
}
