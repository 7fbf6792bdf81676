// Interactions as parallel arrays in the order of the source. Ids are replaced by their index in the sorted vocabulary
// (codes), so that "ascending by id" means "ascending by code" from here on.

import { inspect } from "node:util";
import { throwIfAborted, UserError } from "../core/errors.js";
import { LargeMap } from "../core/large-map.js";
import { orderIds, Vocabulary } from "./vocabulary.js";

/** One interaction, as a TypeScript caller passes it. */
export interface Interaction {
  /** Text, or a whole number, which is converted to its decimal digits. */
  readonly user: string | number | bigint;
  readonly item: string | number | bigint;
  readonly rating?: number | bigint | null;
  /** Seconds since 1970 (or any number that grows with time), or a date. */
  readonly time?: number | bigint | Date | null;
  /** Whether it is for training, validation or test, if the source says so (protocol "given"). */
  readonly part?: GivenPart | null;
}

export const givenParts = ["train", "validation", "test"] as const;
export type GivenPart = (typeof givenParts)[number];

export interface Interactions {
  /** The ids in ascending order; a code may be unused after filtering. */
  readonly users: Vocabulary;
  readonly items: Vocabulary;
  /** [rows]: the user's code. */
  readonly userOf: Uint32Array;
  /** [rows]: the item's code. */
  readonly itemOf: Uint32Array;
  /** [rows]: the rating, if the source has ratings. */
  readonly ratingOf?: Float32Array;
  /** [rows]: the time in the source's own unit (a date: seconds since 1970); NaN = missing. */
  readonly timeOf?: Float64Array;
  /** [rows]: an index of `givenParts`, if the source has parts. */
  readonly partOf?: Uint8Array;
  /** Rows of the source, before filtering. */
  readonly sourceRows: number;
  /** Of these, headers among the rows. */
  readonly repeatedHeaders?: number;
  /** Rows dropped while reading because an earlier row has the same user and item. */
  readonly duplicates?: number;
  /** Whether the times were read from dates: then they are seconds since 1970, whatever their magnitude. */
  readonly dated?: boolean;
  /** The place of the first interaction without a time, if others have one. */
  readonly untimed?: string;
}

/** Appends numbers to a typed array that grows block by block, so that no row is copied more than once. */
export class GrowingColumn<A extends Uint8Array | Uint32Array | Float32Array | Float64Array> {
  readonly #make: (length: number) => A;
  readonly #full: A[] = [];
  #block: A;
  #used = 0;

  constructor(make: (length: number) => A) {
    this.#make = make;
    this.#block = make(blockRows);
  }

  push(value: number): void {
    if (this.#used === blockRows) {
      this.#full.push(this.#block);
      this.#block = this.#make(blockRows);
      this.#used = 0;
    }
    this.#block[this.#used++] = value;
  }

  /** Appends all numbers of an array. */
  append(values: Uint8Array | Uint32Array | Float32Array | Float64Array): void {
    for (let from = 0; from < values.length; ) {
      if (this.#used === blockRows) {
        this.#full.push(this.#block);
        this.#block = this.#make(blockRows);
        this.#used = 0;
      }
      const count = Math.min(values.length - from, blockRows - this.#used);
      const piece = values.subarray(from, from + count);
      this.#block.set(piece as never, this.#used);
      this.#used += count;
      from += count;
    }
  }

  /** Returns the numbers pushed so far in one array and empties the column. */
  take(): A {
    const rows = this.#full.length * blockRows + this.#used;
    const all = this.#make(rows);
    let place = 0;
    const full = this.#full.splice(0).reverse();
    // Each block is released once it is copied.
    for (let block = full.pop(); block !== undefined; block = full.pop()) {
      all.set(block as never, place);
      place += blockRows;
    }
    all.set(this.#block.subarray(0, this.#used) as never, place);
    this.#block = this.#make(blockRows);
    this.#used = 0;
    return all;
  }
}

const blockRows = 1 << 18;

export interface IterableOptions {
  /** Keep rows with at least this rating. */
  minRating?: number;
  signal?: AbortSignal;
}

/**
 * Reads interactions from an iterable. Throws UserError, naming the interaction by its number from 1, if the user or item is
 * missing, if a rating is not a number, or if `minRating` is given and a rating is missing.
 */
export async function fromIterable(
  rows: Iterable<Interaction> | AsyncIterable<Interaction>,
  { minRating, signal }: IterableOptions = {},
): Promise<Interactions> {
  const users = new Coder();
  const items = new Coder();
  const userOf = new GrowingColumn((length) => new Uint32Array(length));
  const itemOf = new GrowingColumn((length) => new Uint32Array(length));
  const values = new GrowingColumn((length) => new Float32Array(length));
  const times = new GrowingColumn((length) => new Float64Array(length));
  const parts = new GrowingColumn((length) => new Uint8Array(length));
  let withRating = 0;
  let withTime = 0;
  let row = 0;
  let dates = 0;
  let untimed: string | undefined;
  const take = (interaction: Interaction) => {
    row++;
    const fail = (problem: string, expected: string) =>
      new UserError({ place: `interaction ${row}`, problem, expected });
    if (typeof interaction !== "object" || interaction === null)
      throw fail(`it is ${show(interaction)}`, "an object with user and item");
    const { user, item, part } = interaction;
    const rating = numberOf(interaction.rating);
    if (!isId(user)) throw fail(`the user is ${show(user)}`, idExpected);
    if (!isId(item)) throw fail(`the item is ${show(item)}`, idExpected);
    if (rating !== undefined) {
      if (typeof rating !== "number" || !Number.isFinite(rating))
        throw fail(`the rating is ${show(rating)}`, "a number");
      withRating++;
    } else if (minRating !== undefined) {
      throw fail("the rating is missing", "a rating in every interaction, because a minimum rating is set");
    }
    if (minRating !== undefined && !((rating as number) >= minRating)) return;
    const { time } = interaction;
    const seconds = time instanceof Date ? time.getTime() / 1000 : numberOf(time);
    if (seconds !== undefined) {
      if (typeof seconds !== "number" || !Number.isFinite(seconds))
        throw fail(`the time is ${show(time)}`, "a number or a date");
      withTime++;
      if (time instanceof Date) dates++;
    } else untimed ??= `interaction ${row}`;
    if (part !== undefined && part !== null) {
      const place = givenParts.indexOf(part);
      if (place < 0) throw fail(`the part is ${show(part)}`, givenParts.join(", "));
      parts.push(place);
    }
    userOf.push(users.code(String(user)));
    itemOf.push(items.code(String(item)));
    values.push(rating ?? Number.NaN);
    times.push(seconds ?? Number.NaN);
    if (row % 65536 === 0) throwIfAborted(signal);
  };
  if (typeof rows !== "object" || rows === null || !(Symbol.asyncIterator in rows || Symbol.iterator in rows))
    throw new UserError({
      problem: `the input is ${show(rows)}`,
      expected: "file names, or an iterable of interactions",
    });
  if (Symbol.asyncIterator in rows) for await (const interaction of rows) take(interaction);
  else for (const interaction of rows) take(interaction);
  throwIfAborted(signal);
  if (withRating > 0 && withRating < row)
    throw new UserError({
      problem: `${row - withRating} of ${row} interactions have no rating`,
      expected: "a rating in all interactions or in none",
    });
  const partOf = parts.take();
  const codedUsers = userOf.take();
  if (partOf.length > 0 && partOf.length < codedUsers.length)
    throw new UserError({
      problem: `${codedUsers.length - partOf.length} of ${codedUsers.length} interactions have no part`,
      expected: `a part (${givenParts.join(", ")}) in all interactions or in none`,
    });
  const codedItems = itemOf.take();
  return {
    users: users.finish(codedUsers),
    items: items.finish(codedItems),
    userOf: codedUsers,
    itemOf: codedItems,
    ratingOf: withRating > 0 ? values.take() : undefined,
    timeOf: withTime > 0 ? times.take() : undefined,
    dated: dates > 0 && dates === withTime,
    untimed,
    partOf: partOf.length > 0 ? partOf : undefined,
    sourceRows: row,
  };
}

/** Turns a missing value into undefined and a BigInt into a number; returns anything else unchanged. */
const numberOf = <T>(value: T | bigint | null | undefined): T | number | undefined =>
  typeof value === "bigint" ? Number(value) : (value ?? undefined);

/** Whether a caller's value can be an id. */
export const isId = (id: unknown): id is string | number | bigint =>
  (typeof id === "string" && id !== "") ||
  typeof id === "bigint" ||
  (typeof id === "number" && Number.isSafeInteger(id) && !Object.is(id, -0));

/** What `isId` accepts, for messages. */
export const idExpected = "non-empty text, or a whole number below 2^53; larger numbers as text or BigInt";

/** A caller's value as shown in a message: at most one line long. */
export function show(value: unknown): string {
  const text =
    typeof value === "string" ? JSON.stringify(value) : inspect(value, { depth: 0, breakLength: Infinity });
  const [line] = text.split("\n");
  return line.length > 80 || line !== text ? `${line.slice(0, 79)}…` : line;
}

/** Codes ids in the order of appearance; `finish` changes the codes to the order of the ids. */
class Coder {
  readonly #codeOf = new LargeMap<string, number>();

  code(id: string): number {
    let code = this.#codeOf.get(id);
    if (code === undefined) {
      code = this.#codeOf.size;
      this.#codeOf.set(id, code);
    }
    return code;
  }

  /** Recodes in place. */
  finish(codes: Uint32Array): Vocabulary {
    const ids = orderIds(this.#codeOf.keys());
    const place = new Uint32Array(ids.length);
    for (let index = 0; index < ids.length; index++) place[this.#codeOf.get(ids[index]) as number] = index;
    for (let row = 0; row < codes.length; row++) codes[row] = place[codes[row]];
    return new Vocabulary(ids);
  }
}

/** Replaces integer ids in place by their rank among the distinct ids; returns the distinct ids, ascending. */
export function codeIntegers(ids: Uint32Array): Uint32Array {
  let largest = 0;
  for (let row = 0; row < ids.length; row++) if (ids[row] > largest) largest = ids[row];
  if (largest >= 1 << 25) return codeSparseIntegers(ids);
  const codeOf = new Uint32Array(largest + 1);
  for (let row = 0; row < ids.length; row++) codeOf[ids[row]] = 1;
  let count = 0;
  for (let id = 0; id <= largest; id++) count += codeOf[id];
  const known = new Uint32Array(count);
  let next = 0;
  for (let id = 0; id <= largest; id++)
    if (codeOf[id] === 1) {
      known[next] = id;
      codeOf[id] = next++;
    }
  for (let row = 0; row < ids.length; row++) ids[row] = codeOf[ids[row]];
  return known;
}

function codeSparseIntegers(ids: Uint32Array): Uint32Array {
  const sorted = ids.slice().sort();
  let count = 0;
  for (let k = 0; k < sorted.length; k++)
    if (k === 0 || sorted[k] !== sorted[k - 1]) sorted[count++] = sorted[k];
  const known = sorted.slice(0, count);
  for (let row = 0; row < ids.length; row++) {
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const half = (low + high) >>> 1;
      if (known[half] < ids[row]) low = half + 1;
      else high = half;
    }
    ids[row] = low;
  }
  return known;
}

/**
 * The rows with a non-zero entry in `keep`, in their order. With `reuse` they are moved to the beginning of the argument's own
 * arrays, which must not be used afterwards.
 */
export function takeInteractions(
  interactions: Interactions,
  keep: Uint8Array,
  { reuse = false }: { reuse?: boolean } = {},
): Interactions {
  let rows = 0;
  for (let row = 0; row < keep.length; row++) if (keep[row] !== 0) rows++;
  if (rows === keep.length) return interactions;
  const pick = <A extends Uint8Array | Uint32Array | Float32Array | Float64Array>(
    from: A | undefined,
    make: new (length: number) => A,
  ): A | undefined => {
    if (from === undefined) return undefined;
    const to = reuse ? from : new make(rows);
    let next = 0;
    for (let row = 0; row < keep.length; row++) if (keep[row] !== 0) to[next++] = from[row];
    return to.subarray(0, rows) as A;
  };
  const { userOf, itemOf, ratingOf, timeOf, partOf } = interactions;
  return {
    ...interactions,
    userOf: pick(userOf, Uint32Array) as Uint32Array,
    itemOf: pick(itemOf, Uint32Array) as Uint32Array,
    ratingOf: pick(ratingOf, Float32Array),
    timeOf: pick(timeOf, Float64Array),
    partOf: pick(partOf, Uint8Array),
  };
}

/** The same interactions with `ids` added to the catalogue, whether or not they have interactions. */
export function withCatalogue(interactions: Interactions, ids: Iterable<string>): Interactions {
  const all = new LargeMap<string, true>();
  for (const id of interactions.items.ids) all.set(id, true);
  for (const id of ids) all.set(id, true);
  const items = new Vocabulary(orderIds(all.keys()));
  const place = Uint32Array.from(interactions.items.ids, (id) => items.indexOf(id) as number);
  return { ...interactions, items, itemOf: interactions.itemOf.map((code) => place[code]) };
}

/** Rows by their code (a user, an item): rows[offsets[c] .. offsets[c + 1]) are those of code c, in their order. */
export interface Grouped {
  readonly offsets: Uint32Array;
  readonly rows: Uint32Array;
}

export function groupRows(codeOf: Uint32Array, codes: number): Grouped {
  const offsets = new Uint32Array(codes + 1);
  for (let row = 0; row < codeOf.length; row++) offsets[codeOf[row] + 1]++;
  for (let code = 0; code < codes; code++) offsets[code + 1] += offsets[code];
  const cursor = offsets.slice(0, codes);
  const rows = new Uint32Array(codeOf.length);
  for (const bucket of bucketRows(codeOf, codes)) for (const row of bucket) rows[cursor[codeOf[row]]++] = row;
  return { offsets, rows };
}

/** Rows in a bucket, if their codes are spread evenly: few enough for a processor's cache. */
const rowsPerBucket = 1 << 18;
const mostBuckets = 512;

/**
 * The rows divided by ranges of their codes, in ascending order within each bucket. Work on one bucket after the other touches
 * little memory at a time, which is several times faster for many rows.
 */
export function bucketRows(
  codeOf: Uint32Array,
  codes: number,
  { perBucket = rowsPerBucket } = {},
): Uint32Array[] {
  const wanted = Math.max(1, Math.min(mostBuckets, Math.floor(codeOf.length / perBucket)));
  let shift = 0;
  while ((codes - 1) >>> shift >= wanted && shift < 31) shift++;
  const begins = new Uint32Array(wanted + 1);
  for (let row = 0; row < codeOf.length; row++) begins[(codeOf[row] >>> shift) + 1]++;
  for (let bucket = 0; bucket < wanted; bucket++) begins[bucket + 1] += begins[bucket];
  const cursor = begins.slice(0, wanted);
  const rows = new Uint32Array(codeOf.length);
  for (let row = 0; row < codeOf.length; row++) rows[cursor[codeOf[row] >>> shift]++] = row;
  return Array.from(cursor, (end, bucket) => rows.subarray(begins[bucket], end));
}

/** A hash of a user and an item, as an int32. */
export function hashOfPair(user: number, item: number): number {
  let hash = Math.imul(user, 0x9e3779b1) ^ Math.imul(item ^ (item >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}

/** How many rows each code has: [codes]. */
export function countRows(codeOf: Uint32Array, codes: number): Uint32Array {
  const counts = new Uint32Array(codes);
  for (let row = 0; row < codeOf.length; row++) counts[codeOf[row]]++;
  return counts;
}
