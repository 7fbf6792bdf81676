// Rules of a recommendation: they re-rank the best items of a user. The value of an item in the user's pool of best items is
//
//   value = (1 - novelty) relevance + novelty information + boosts      (relevance.ts, item-popularity.ts)
//
// and the list is built item by item (marginal-relevance.ts): next is, of the items that the limits admit (caps.ts), the one with the
// largest
//
//   (1 - diversity) value - diversity (largest cosine with an item that is already in the list)

import { UserError } from "../../core/errors.js";
import type { Pauses } from "../../core/shared-turns.js";
import { requireAttributes } from "../../data/attributes/attributes.js";
import { type ItemPopularity, selfInformation } from "../../data/item-popularity.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import { itemsMatching } from "../filter/compile.js";
import type { Filter } from "../filter/filter.js";
import type { ItemSet } from "../item-set.js";
import type { Cap } from "./caps.js";

/** Raises (or lowers) the value of some items. */
export interface Boost {
  /** The items: a filter on their attributes. */
  readonly where: Filter;
  /** What is added, from -1 to 1: 1 is the difference between the best and the last item of the user's pool. */
  readonly by: number;
}

export interface RuleOptions {
  /**
   * Maximal marginal relevance: the weight of the similarity with items that rank higher, from 0 (none) to 1 (relevance only breaks
   * ties). Default 0.
   */
  diversity?: number;
  /** The weight of items that few users have, against relevance, from 0 (none) to 1 (the least popular of the best items first). Default 0. */
  novelty?: number;
  /** By the name of an attribute: at most this number of items per value, such as { series: 1 }. */
  atMost?: Readonly<Record<string, number>>;
  /** Items to rank higher or lower. */
  boost?: readonly Boost[];
}

/** Checked rules; at least one of them changes the ranking. */
export interface Rules {
  readonly diversity: number;
  readonly novelty: number;
  /** Given if novelty > 0. */
  readonly popularity: ItemPopularity | undefined;
  readonly caps: readonly Cap[];
  readonly boosts: readonly { readonly items: ItemSet; readonly by: number }[];
}

/** The smallest pool, and the largest one for k below it. */
const POOL = { least: 200, perItem: 10, most: 1000 };
/** The largest pool if limits left too few items. */
const LARGEST_POOL = 10_000;
/** The maximum number of limits, and of boosts. */
export const MOST_RULES = 20;

/** The number of best items from which rules choose k: 10 k, at least 200, and at most 1,000 or k. */
export function poolSize(k: number): number {
  return Math.max(k, Math.min(POOL.most, Math.max(POOL.least, POOL.perItem * k)));
}

/** The next pool if limits left too few items of one: ten times as many, up to 10,000; the same number if there is none. */
export function largerPool(size: number): number {
  return Math.max(size, Math.min(LARGEST_POOL, POOL.perItem * size));
}

/**
 * The rules for a catalogue; undefined if no option changes the ranking. `within` precedes the names of options in messages. Throws UserError for a weight or limit that is not valid, for
 * `novelty` if the popularity of the items is not known, and for attributes and filters like `itemsMatching`.
 */
export async function rulesOf(
  items: Vocabulary,
  { diversity = 0, novelty = 0, atMost = {}, boost = [] }: RuleOptions,
  { pauses, within = "" }: { readonly pauses?: Pauses; readonly within?: string } = {},
): Promise<Rules | undefined> {
  requireNumber(diversity, `${within}diversity`, 0);
  requireNumber(novelty, `${within}novelty`, 0);
  const caps = await capsOf(items, atMost, `${within}atMost`);
  const boosts = await boostsOf(items, boost, `${within}boost`, pauses);
  if (diversity === 0 && novelty === 0 && caps.length === 0 && boosts.length === 0) return undefined;
  const { popularity } = items;
  if (novelty > 0 && !popularity)
    throw new UserError({
      place: `${within}novelty`,
      problem: "the model was saved without the popularity of its items",
      remedy: "Train it again: models of earlier versions do not have it",
    });
  return { diversity, novelty, popularity: novelty > 0 ? popularity : undefined, caps, boosts };
}

function requireNumber(value: unknown, place: string, least: number): void {
  if (typeof value === "number" && value >= least && value <= 1) return;
  throw new UserError({
    place,
    problem: `${String(value)} is not a weight`,
    expected: `a number from ${least} to 1`,
  });
}

async function capsOf(
  items: Vocabulary,
  atMost: Readonly<Record<string, number>>,
  place: string,
): Promise<Cap[]> {
  const limits = Object.entries(atMost);
  requireFew(limits.length, place);
  const caps: Cap[] = [];
  for (const [name, most] of limits) {
    const attributes = requireAttributes(items.attributes, place);
    const found = attributes.find(name, place);
    if (!(Number.isSafeInteger(most) && most >= 1))
      throw new UserError({
        place: `${place}.${name}`,
        problem: `${String(most)} is not a number of items`,
        expected: "a whole number of at least 1",
      });
    caps.push({ column: await attributes.column(found.name), most });
  }
  return caps;
}

async function boostsOf(
  items: Vocabulary,
  boost: readonly Boost[],
  place: string,
  pauses: Pauses | undefined,
): Promise<Rules["boosts"]> {
  requireFew(boost.length, place);
  const boosts: Rules["boosts"][number][] = [];
  for (const [b, { where, by }] of boost.entries()) {
    requireNumber(by, `${place}[${b}].by`, -1);
    const matching = await itemsMatching(items, where, { place: `${place}[${b}].where`, pauses });
    if (by !== 0) boosts.push({ items: matching, by });
  }
  return boosts;
}

function requireFew(count: number, place: string): void {
  if (count > MOST_RULES)
    throw new UserError({ place, problem: `has ${count} entries`, expected: `at most ${MOST_RULES}` });
}

/** The value of each item of a pool, given their relevance. */
export function valuesOf(
  pool: Uint32Array,
  relevance: Float64Array,
  { novelty, popularity, boosts }: Rules,
): Float64Array {
  const most = Math.log2(Math.max(2, popularity?.users ?? 0));
  return relevance.map((relevant, place) => {
    const item = pool[place];
    const information = popularity ? selfInformation(popularity, item) / most : 0;
    let value = (1 - novelty) * relevant + novelty * information;
    for (const { items, by } of boosts) if (items.has(item)) value += by;
    return value;
  });
}
