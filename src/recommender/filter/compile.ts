// Finds the items that a filter admits, as a set of bits. Sets of conditions and of whole filters are kept, up to a number of bytes per
// catalogue, so that a filter that is used again costs nothing. A condition passes once over its column, which takes a few
// milliseconds for a million items: an index of sorted values would not be faster, because the result has a bit for every item.

import type { Pauses } from "../../core/shared-turns.js";
import {
  type AttributeColumn,
  type CodedColumn,
  type ItemAttributes,
  type ListColumn,
  type NumberColumn,
  requireAttributes,
} from "../../data/attributes/attributes.js";
import { NO_VALUE } from "../../data/attributes/dictionary.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import { ItemSet } from "../item-set.js";
import { type Condition, type Filter, type FilterValue, pathText, requireFilter } from "./filter.js";
import { spanOf, textValue, wrongType } from "./values.js";
import { placeOf } from "./where.js";

/** Bytes of kept sets per catalogue, with their keys. */
const MOST_BYTES = 32 << 20;
/** Filters with longer texts are not kept as a whole; their conditions are. */
const LONGEST_KEY = 2000;

export interface CompileOptions {
  /** The name of the option, for messages. Default "filter". */
  readonly place?: string;
  /** Yields to the event loop between conditions. */
  readonly pauses?: Pauses;
}

/**
 * The items that a filter admits. Throws UserError, naming the field (or the position in the text that the filter was parsed from), if it
 * is not a filter, the items have no such attribute, or a value does not have the type of its attribute.
 */
export async function itemsMatching(
  { attributes: given }: Vocabulary,
  filter: Filter,
  { place = "filter", pauses }: CompileOptions = {},
): Promise<ItemSet> {
  requireFilter(filter, place);
  const attributes = requireAttributes(given, place);
  const kept = keptOf(attributes);

  async function matching(part: Filter, path: readonly (string | number)[]): Promise<ItemSet> {
    if (pauses?.due) await pauses.yield();
    if ("not" in part) return (await matching(part.not, [...path, "not"])).complement();
    if ("and" in part || "or" in part) {
      const [kind, parts] = "and" in part ? (["and", part.and] as const) : (["or", part.or] as const);
      let all = kind === "and" ? ItemSet.all(attributes.size) : ItemSet.of(attributes.size, []);
      for (const [p, one] of parts.entries()) all = all[kind](await matching(one, [...path, kind, p]));
      return all;
    }
    return condition(part, placeOf(part) ?? pathText(place, path));
  }

  async function condition(part: Condition, place: string): Promise<ItemSet> {
    const { name } = attributes.find(part.attribute, place);
    const column = await attributes.column(name);
    const test = testOf(column, part, place);
    return kept.get(JSON.stringify([name, test]), () => scan(column, test, attributes.size));
  }

  const whole = JSON.stringify(filter);
  if (whole.length > LONGEST_KEY) return matching(filter, []);
  const before = kept.find(whole);
  if (before) return before;
  const found = await matching(filter, []);
  return kept.get(whole, () => found);
}

/** What a condition tests: codes of the dictionary, a span of numbers, or whether there is no value; and whether it is negated. */
type Test = { readonly isNot?: true } & (
  | { readonly codes: readonly number[] }
  | { readonly from: number; readonly to: number }
  | { readonly spans: readonly { readonly from: number; readonly to: number }[] }
  | { readonly missing: boolean }
);

function testOf(column: AttributeColumn, part: Condition, place: string): Test {
  if (part.missing !== undefined) return { missing: part.missing };
  const values = part.isOneOf ?? [part.is ?? part.isNot].filter((value) => value !== undefined);
  const isNot = part.isNot !== undefined && { isNot: true as const };
  if (part.isOneOf || part.is !== undefined || part.isNot !== undefined) {
    if ("numbers" in column) return { ...isNot, spans: values.map((value) => spanOf(column, value, place)) };
    const codes = values.map((value) => column.values.find(textValue(column, value, place)));
    return { ...isNot, codes: codes.filter((code) => code !== undefined) };
  }
  if (!("numbers" in column)) {
    const value = part.above ?? part.atLeast ?? part.below ?? (part.atMost as FilterValue);
    throw wrongType(column, value, place, "=, != or in, because only numbers and dates have an order");
  }
  const bound = (value: FilterValue | undefined) =>
    value === undefined ? undefined : spanOf(column, value, place);
  const [above, atLeast, below, atMost] = [part.above, part.atLeast, part.below, part.atMost].map(bound);
  // A date excludes or includes its whole day, month or year; the numbers next to a number are its bounds.
  const after = above && (above.to > above.from ? above.to : nextNumber(above.from));
  const until = atMost && (atMost.to > atMost.from ? atMost.to : nextNumber(atMost.to));
  return {
    from: after ?? atLeast?.from ?? Number.NEGATIVE_INFINITY,
    to: until ?? below?.from ?? Number.POSITIVE_INFINITY,
  };
}

const bits = new DataView(new ArrayBuffer(8));

/** The smallest float64 that is larger. */
function nextNumber(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  bits.setFloat64(0, value);
  bits.setBigInt64(0, bits.getBigInt64(0) + (value > 0 ? 1n : -1n));
  return bits.getFloat64(0);
}

function scan(column: AttributeColumn, test: Test, size: number): ItemSet {
  const words = "numbers" in column ? scanNumbers(column, test, size) : scanCodes(column, test, size);
  const set = new ItemSet(size, words);
  const isNot = "missing" in test ? !test.missing : test.isNot === true;
  return isNot ? set.complement() : set;
}

/** The items without a value for a test of `missing`, otherwise those with one of the numbers. */
function scanNumbers({ numbers }: NumberColumn, test: Test, size: number): Uint32Array {
  const words = ItemSet.of(size, []).words;
  if ("missing" in test) {
    for (let i = 0; i < size; i++) if (Number.isNaN(numbers[i])) words[i >>> 5] |= 1 << (i & 31);
    return words;
  }
  if ("from" in test) {
    const { from, to } = test;
    // NaN is not within any bounds.
    for (let i = 0; i < size; i++) if (numbers[i] >= from && numbers[i] < to) words[i >>> 5] |= 1 << (i & 31);
    return words;
  }
  if (!("spans" in test)) return words;
  const single = new Set(test.spans.filter(({ from, to }) => from === to).map(({ from }) => from));
  const spans = test.spans.filter(({ from, to }) => from < to);
  for (let i = 0; i < size; i++) {
    const value = numbers[i];
    if (single.has(value) || spans.some(({ from, to }) => value >= from && value < to))
      words[i >>> 5] |= 1 << (i & 31);
  }
  return words;
}

/** The items without a value for a test of `missing`, otherwise those with one of the codes. */
function scanCodes(column: CodedColumn | ListColumn, test: Test, size: number): Uint32Array {
  const words = ItemSet.of(size, []).words;
  const wanted = new Uint8Array(column.values.size);
  if ("codes" in test) for (const code of test.codes) wanted[code] = 1;
  const isMissing = "missing" in test;
  const { codes } = column;
  if (column.type === "list") {
    const { offsets } = column;
    for (let i = 0; i < size; i++) {
      let isIn = isMissing && offsets[i] === offsets[i + 1];
      for (let c = offsets[i]; c < offsets[i + 1] && !isIn; c++) isIn = wanted[codes[c]] === 1;
      if (isIn) words[i >>> 5] |= 1 << (i & 31);
    }
    return words;
  }
  for (let i = 0; i < size; i++)
    if (isMissing ? codes[i] === NO_VALUE : wanted[codes[i]] === 1) words[i >>> 5] |= 1 << (i & 31);
  return words;
}

/** Sets by key; those that were used least recently are dropped. */
class KeptSets {
  readonly #sets = new Map<string, ItemSet>();
  #bytes = 0;

  find(key: string): ItemSet | undefined {
    const set = this.#sets.get(key);
    if (!set) return undefined;
    this.#sets.delete(key);
    this.#sets.set(key, set);
    return set;
  }

  get(key: string, make: () => ItemSet): ItemSet {
    const before = this.find(key);
    if (before) return before;
    const made = make();
    this.#sets.set(key, made);
    this.#bytes += bytesOf(key, made);
    for (const [oldest, set] of this.#sets) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#sets.delete(oldest);
      this.#bytes -= bytesOf(oldest, set);
    }
    return made;
  }
}

const bytesOf = (key: string, { words }: ItemSet): number => 2 * key.length + words.byteLength + 200;

const keptSets = new WeakMap<ItemAttributes, KeptSets>();

function keptOf(attributes: ItemAttributes): KeptSets {
  const before = keptSets.get(attributes);
  if (before) return before;
  const kept = new KeptSets();
  keptSets.set(attributes, kept);
  return kept;
}
