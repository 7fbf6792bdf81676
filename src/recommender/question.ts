// A resolved request for recommendations, as item indices: what to fold in, what to exclude, what to choose from.

import { UserError } from "../core/errors.js";
import type { Pauses } from "../core/shared-turns.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { itemsMatching } from "./filter/compile.js";
import type { Filter } from "./filter/filter.js";
import type { ItemId } from "./item-ids.js";
import type { ItemSet } from "./item-set.js";
import { type AmbiguousTitle, type LookUpOptions, lookUp } from "./look-up.js";
import { poolSize, type RuleOptions, type Rules, rulesOf } from "./rules/rules.js";

export interface RecommendOptions extends RuleOptions {
  /** The number of items; fewer are returned if the catalogue has no more. Default 10. */
  k?: number;
  /**
   * Ids or titles of items to exclude; a title excludes all items that have it. Items that are not in the catalogue are ignored. A
   * Uint32Array contains item indices.
   */
  exclude?: Iterable<ItemId>;
  /** Ids or titles of the items to choose from, in the same form as `exclude`. Default: the catalogue. */
  candidates?: Iterable<ItemId>;
  /** Which items may be recommended, by their attributes (filter/filter.ts); `parseWhere` reads one from text. */
  filter?: Filter;
  /** Whether items of the history can be recommended. Default false. */
  includeHistory?: boolean;
  /** Whether to explain each item by its most influential history items; a history of n items is then scored n + 1 more times. Default false. */
  explain?: boolean;
  /** Aborts the computation with AbortedError. */
  signal?: AbortSignal;
}

export interface Question {
  /** Indices of the items to fold in, each once. */
  readonly history: Uint32Array;
  /** The entries of the history that the model does not know. */
  readonly unknown: readonly string[];
  /** Ambiguous titles in the history, if they are not an error. */
  readonly ambiguous: readonly AmbiguousTitle[];
  /** Indices of items not to recommend, ascending. Questions can share the array. */
  readonly excluded: Uint32Array;
  /** Indices of items to choose from, ascending; undefined = the catalogue. Questions can share the array. */
  readonly candidates: Uint32Array | undefined;
  /** The items that the filter admits; undefined = all. Questions can share the set. */
  readonly admitted?: ItemSet;
  readonly includeHistory: boolean;
  readonly k: number;
  readonly explain: boolean;
  /** How the best items are re-ranked. Default: not at all. */
  readonly rules?: Rules;
}

/** The common part of all questions of a request, resolved once. */
export type Choice = Omit<Question, "history" | "unknown" | "ambiguous">;

interface ChoiceContext {
  readonly pauses?: Pauses;
  /** What precedes the names of the filter and of rules in messages, such as "body.". */
  readonly within?: string;
}

/**
 * Resolves the options. Throws UserError if k is not a positive integer, an id is not valid, the filter is not (`itemsMatching`), or a
 * rule cannot be applied.
 */
export async function choiceOf(
  items: Vocabulary,
  options: RecommendOptions = {},
  { pauses, within = "" }: ChoiceContext = {},
): Promise<Choice> {
  const { k = 10, exclude = [], candidates, filter, includeHistory = false, explain = false } = options;
  if (!(Number.isInteger(k) && k >= 1))
    throw new UserError({
      place: "k",
      problem: `${String(k)} is not a number of items`,
      expected: "a whole number of at least 1",
    });
  const rules = await rulesOf(items, options, { pauses, within });
  const sorted = async (given: unknown, place: string) =>
    (await lookUp(items, given, { place, severalOf: "all", pauses })).known.sort();
  return {
    k,
    excluded: await sorted(exclude, "exclude"),
    candidates: candidates === undefined ? undefined : await sorted(candidates, "candidates"),
    ...(filter !== undefined && {
      admitted: await itemsMatching(items, filter, { pauses, place: `${within}filter` }),
    }),
    includeHistory,
    explain,
    ...(rules && { rules }),
  };
}

/** The question for one history. Throws like `lookUp`. */
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
 * The question for a history and options. Throws UserError like `choiceOf`, and if a title in the history is ambiguous; RangeError for an index outside the catalogue.
 */
export async function askedOf(
  items: Vocabulary,
  history: readonly ItemId[] | Uint32Array,
  options: RecommendOptions = {},
): Promise<Question> {
  return questionOf(items, history, await choiceOf(items, options));
}

/** The indices that must not be in the answer, ascending. */
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

/** The number of best items that the answer is made of: k, or the pool of the rules. */
export function depthOf({ k, rules }: Question): number {
  return rules ? poolSize(k) : k;
}
