// A history in, a ranked list out: fold the history in, mask it, take the best k, and say their names. Several questions
// are answered in one pass over the model's weights, which is what a server does with requests that come together.

import { NO_ITEM } from "../compute/engine.js";
import { UserError } from "../core/errors.js";
import { nearestName } from "../core/nearest.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { fromRows } from "../sparse/csr.js";
import { influences } from "./explain.js";
import type { Recommender, ScoreOptions } from "./recommender.js";
import { isUncertain } from "./uncertain.js";

/** An item's id: text, or a number as in the source file. */
export type ItemId = string | number;

export interface RecommendOptions {
  /** How many items; fewer come back where the catalogue has no more. Default 10. */
  k?: number;
  /** Ids of items never to recommend; ids that are not in the catalogue are ignored. */
  exclude?: Iterable<ItemId>;
  /** Ids of the only items to choose from; ids that are not in the catalogue are ignored. Default: the catalogue. */
  candidates?: Iterable<ItemId>;
  /** Whether items of the history may be recommended too. Default false. */
  includeHistory?: boolean;
  /** Whether to say, with each item, which of the history speak for it: a history of n items is then scored n + 1 times more. Default false. */
  explain?: boolean;
  /** Ends the computation with AbortedError. */
  signal?: AbortSignal;
}

/** An item of the catalogue, by all its names. */
export interface NamedItem {
  /** Index in the model's vocabulary. */
  index: number;
  id: string;
  /** Its title; its id where it has none. */
  title: string;
}

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
  /** Ids of the history that the model does not know. */
  unknown: string[];
  /** Best first; equal scores by ascending item index. */
  items: RecommendedItem[];
}

/** A question in the model's own terms: indices of its items. */
export interface Question {
  /** Each item once. */
  readonly history: readonly number[];
  /** Ids that the model does not know. */
  readonly unknown: readonly string[];
  /** Indices that are not to be recommended, ascending. */
  readonly without: ArrayLike<number>;
  readonly k: number;
  readonly explain: boolean;
}

/**
 * Recommends items for one user, who need not be known: the history is folded in. Ids (text, or numbers as in the
 * source file) that the model does not know are reported in `unknown`; item indices are given as a Uint32Array.
 * An empty history gets the model's answer to "nothing known". Throws UserError where no id of a history is known, or k
 * is not a positive integer; RangeError for an index outside the catalogue.
 */
export async function recommend(
  recommender: Recommender,
  history: readonly ItemId[] | Uint32Array,
  options: RecommendOptions = {},
): Promise<Recommendations> {
  const { items } = recommender;
  const question = askedOf(items, history, options);
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

/**
 * The question that a history and its options make of a catalogue. Throws UserError where k is not a positive integer,
 * RangeError for an index outside the catalogue.
 */
export function askedOf(
  items: Vocabulary,
  given: readonly ItemId[] | Uint32Array,
  { k = 10, exclude = [], candidates, includeHistory = false, explain = false }: RecommendOptions = {},
): Question {
  if (!(Number.isInteger(k) && k >= 1))
    throw new UserError({
      place: "k",
      problem: `${k} is not a number of items`,
      expected: "a whole number from 1",
    });
  const { known, unknown } = given instanceof Uint32Array ? indices(given, items) : lookUp(given, items);
  const left = new Set(lookUp(exclude, items).known);
  if (!includeHistory) for (const item of known) left.add(item);
  const without = candidates
    ? complement(lookUp(candidates, items).known, left, items.size)
    : Uint32Array.from(left).sort();
  return { history: known, unknown, without, k, explain };
}

/** Answers questions, in order, the model being asked for the scores of all of them at once. Throws AbortedError on the signal. */
export async function answerAll(
  recommender: Recommender,
  questions: readonly Question[],
  options?: ScoreOptions,
): Promise<Recommendations[]> {
  if (questions.length === 0) return [];
  const { items } = recommender;
  const k = questions.reduce((most, question) => Math.max(most, question.k), 1);
  const histories = fromRows(
    items.size,
    questions.map(({ history }) => history),
  );
  const without = questions.some(({ without }) => without.length > 0)
    ? fromRows(
        items.size,
        questions.map(({ without }) => without),
      )
    : undefined;
  const best = await recommender.score(histories, options).topK(k, without);
  const answers = questions.map(({ history, unknown, k }, row): Recommendations => {
    const recommended: RecommendedItem[] = [];
    for (let rank = 0; rank < Math.min(k, best.k); rank++) {
      const at = row * best.k + rank;
      if (best.items[at] === NO_ITEM) break;
      recommended.push({ rank: rank + 1, ...namedItem(best.items[at], items), score: best.scores[at] });
    }
    return {
      history: history.map((index) => namedItem(index, items)),
      unknown: [...unknown],
      items: recommended,
    };
  });
  for (const [q, { explain, history }] of questions.entries())
    if (explain) await addReasons(recommender, history, answers[q], options);
  if (isUncertain(recommender))
    for (const [q, { history }] of questions.entries()) {
      const { items: listed } = answers[q];
      const { deviations } = await recommender.scoreWithUncertainty(
        fromRows(items.size, [history]),
        Uint32Array.from(listed, ({ index }) => index),
      );
      for (const [place, item] of listed.entries()) item.deviation = deviations[place];
    }
  return answers;
}

async function addReasons(
  recommender: Recommender,
  history: readonly number[],
  answer: Recommendations,
  options?: ScoreOptions,
): Promise<void> {
  const columns = answer.items.length;
  const added = await influences(
    recommender,
    history,
    Uint32Array.from(answer.items, ({ index }) => index),
    options,
  );
  for (const [column, item] of answer.items.entries())
    item.because = answer.history
      .map((of, row) => ({ ...of, influence: added[row * columns + column] }))
      .sort((a, b) => b.influence - a.influence);
}

/** An item by all its names. */
export function namedItem(index: number, items: Vocabulary): NamedItem {
  return { index, id: items.ids[index], title: items.titleOf(index) };
}

/** All indices below `size` that are no candidate, or are left out; ascending. */
function complement(candidates: readonly number[], left: ReadonlySet<number>, size: number): Uint32Array {
  const chosen = new Uint8Array(size);
  for (const item of candidates) if (!left.has(item)) chosen[item] = 1;
  const others = new Uint32Array(size - chosen.reduce((sum, one) => sum + one, 0));
  for (let item = 0, at = 0; item < size; item++) if (chosen[item] === 0) others[at++] = item;
  return others;
}

/** The indices of ids, each once, and the ids that have none. */
function lookUp(ids: Iterable<ItemId>, items: Vocabulary): { known: number[]; unknown: string[] } {
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
