// A question to a model in the model's own terms: what to fold in, what to leave out, what to choose from.

import { UserError } from "../core/errors.js";
import type { Pauses } from "../core/shared-turns.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { ItemId } from "./item-ids.js";
import { type AmbiguousTitle, type LookUpOptions, lookUp } from "./look-up.js";

export interface RecommendOptions {
  /** How many items; fewer come back where the catalogue has no more. Default 10. */
  k?: number;
  /**
   * Ids or titles of items never to recommend: all items of a title. Those that are not in the catalogue are ignored. A
   * Uint32Array holds item indices.
   */
  exclude?: Iterable<ItemId>;
  /** Ids or titles of the only items to choose from, taken as in `exclude`. Default: the catalogue. */
  candidates?: Iterable<ItemId>;
  /** Whether items of the history may be recommended too. Default false. */
  includeHistory?: boolean;
  /** Whether to say, with each item, which of the history speak for it: a history of n items is then scored n + 1 times more. Default false. */
  explain?: boolean;
  /** Ends the computation with AbortedError. */
  signal?: AbortSignal;
}

export interface Question {
  /** Indices of the items to fold in, each once. */
  readonly history: Uint32Array;
  /** What of the history the model does not know. */
  readonly unknown: readonly string[];
  /** Titles in the history that several items have, where that is not an error. */
  readonly ambiguous: readonly AmbiguousTitle[];
  /** Indices that are not to be recommended, ascending. Several questions may share them. */
  readonly excluded: Uint32Array;
  /** The only indices to choose from, ascending; undefined = the catalogue. Several questions may share them. */
  readonly candidates: Uint32Array | undefined;
  readonly includeHistory: boolean;
  readonly k: number;
  readonly explain: boolean;
}

/** What questions of one request have in common, looked up once. */
export type Choice = Omit<Question, "history" | "unknown" | "ambiguous">;

/** Looks up what recommendations are to be chosen from. Throws UserError where k is not a positive integer, or an id is not one. */
export async function choiceOf(
  items: Vocabulary,
  { k = 10, exclude = [], candidates, includeHistory = false, explain = false }: RecommendOptions = {},
  pauses?: Pauses,
): Promise<Choice> {
  if (!(Number.isInteger(k) && k >= 1))
    throw new UserError({
      place: "k",
      problem: `${String(k)} is not a number of items`,
      expected: "a whole number from 1",
    });
  const sorted = async (given: unknown, place: string) =>
    (await lookUp(items, given, { place, severalOf: "all", pauses })).known.sort();
  return {
    k,
    excluded: await sorted(exclude, "exclude"),
    candidates: candidates === undefined ? undefined : await sorted(candidates, "candidates"),
    includeHistory,
    explain,
  };
}

/** The question of one history. Throws as `lookUp`. */
export async function questionOf(
  items: Vocabulary,
  history: unknown,
  choice: Choice,
  { place = "history", severalOf = "refused", pauses }: Partial<LookUpOptions> = {},
): Promise<Question> {
  const { known, unknown, ambiguous } = await lookUp(items, history, { place, severalOf, pauses });
  return { ...choice, history: known, unknown, ambiguous };
}

/**
 * The question that a history and its options make of a catalogue. Throws UserError where k is not a positive integer, an
 * id is not one, or a title of the history means several items; RangeError for an index outside the catalogue.
 */
export async function askedOf(
  items: Vocabulary,
  history: readonly ItemId[] | Uint32Array,
  options: RecommendOptions = {},
): Promise<Question> {
  return questionOf(items, history, await choiceOf(items, options));
}

/** The indices that a question's answer leaves out, ascending. */
export function leftOut({ excluded, history, includeHistory }: Question): Uint32Array {
  if (includeHistory || history.length === 0) return excluded;
  const own = history.toSorted();
  if (excluded.length === 0) return own;
  const both = new Uint32Array(own.length + excluded.length);
  let count = 0;
  for (let a = 0, b = 0; a < own.length || b < excluded.length; ) {
    const next = b === excluded.length || own[a] < excluded[b] ? own[a++] : excluded[b++];
    if (count === 0 || both[count - 1] !== next) both[count++] = next;
  }
  return both.subarray(0, count);
}
