// Interactions as parallel arrays in the order of the source. Ids are replaced by their index in the sorted vocabulary
// (codes), so that "ascending by id" means "ascending by code" from here on.

import { inspect } from "node:util";
import { throwIfAborted, UserError } from "../core/errors.js";
import { LargeMap } from "../core/large-map.js";
import { PresentCodes } from "./row-buckets.js";
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

/**
 * Appends numbers to a typed array that grows block by block, so that no row is copied more than once. With a known capacity the
 * first block has that many rows, and they are not copied at all.
 */
export class GrowingColumn<A extends Uint8Array | Uint32Array | Float32Array | Float64Array> {
  readonly #make: (length: number) => A;
  readonly #full: A[] = [];
  #block: A;
  #used = 0;

  #rowsInFull = 0;
  #nextBlock: number;

  /** `capacity`: the expected number of rows, if it is known. */
  constructor(make: (length: number) => A, capacity = 0) {
    this.#make = make;
    this.#block = make(0);
    this.#nextBlock = Math.max(blockRows, capacity);
  }

  push(value: number): void {
    if (this.#used === this.#block.length) this.#startBlock();
    this.#block[this.#used++] = value;
  }

  #startBlock(): void {
    if (this.#used > 0) this.#full.push(this.#block);
    this.#rowsInFull += this.#used;
    this.#block = this.#make(this.#nextBlock);
    this.#nextBlock = blockRows;
    this.#used = 0;
  }

  /** Appends all numbers of an array. */
  append(values: Uint8Array | Uint32Array | Float32Array | Float64Array): void {
    for (let from = 0; from < values.length; ) {
      if (this.#used === this.#block.length) this.#startBlock();
      const count = Math.min(values.length - from, this.#block.length - this.#used);
      const piece = values.subarray(from, from + count);
      this.#block.set(piece as never, this.#used);
      this.#used += count;
      from += count;
    }
  }

  /** The last numbers, at most as many as asked for, in one array. */
  last(count: number): A {
    const values = this.#make(Math.min(count, this.#rowsInFull + this.#used));
    let left = values.length;
    for (let block = this.#full.length; left > 0; block--) {
      const newest = block === this.#full.length ? this.#block.subarray(0, this.#used) : this.#full[block];
      const wanted = Math.min(left, newest.length);
      left -= wanted;
      values.set(newest.subarray(newest.length - wanted) as never, left);
    }
    return values;
  }

  /** Returns the numbers pushed so far in one array and empties the column. */
  take(): A {
    const last = this.#block.subarray(0, this.#used) as A;
    const isMostlyUsed = 2 * this.#used >= this.#block.length;
    const rows = this.#rowsInFull + this.#used;
    this.#block = this.#make(0);
    this.#rowsInFull = 0;
    this.#used = 0;
    if (this.#full.length === 0) return isMostlyUsed ? last : (last.slice() as A);
    const all = this.#make(rows);
    let place = 0;
    const full = this.#full.splice(0).reverse();
    // Each block is released once it is copied.
    for (let block = full.pop(); block !== undefined; block = full.pop()) {
      all.set(block as never, place);
      place += block.length;
    }
    all.set(last as never, place);
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
  const present = new PresentCodes(ids, largest + 1);
  present.rank(ids);
  return present.all();
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
    if (from instanceof Uint8Array) moveKept(from, to as Uint8Array, keep);
    else moveKeptWords(wordsOf(from), wordsOf(to), keep, from.BYTES_PER_ELEMENT / 4);
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

/** A column of four or eight bytes per row as 32-bit words: every column is then moved by the same fast loop. */
const wordsOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint32Array(buffer, byteOffset, byteLength / 4);

function moveKeptWords(from: Uint32Array, to: Uint32Array, keep: Uint8Array, perRow: number): void {
  let next = 0;
  for (let row = 0; row < keep.length; row++)
    if (keep[row] !== 0) {
      to[next++] = from[perRow * row];
      if (perRow === 2) to[next++] = from[2 * row + 1];
    }
}

function moveKept(from: Uint8Array, to: Uint8Array, keep: Uint8Array): void {
  let next = 0;
  for (let row = 0; row < keep.length; row++) if (keep[row] !== 0) to[next++] = from[row];
}
