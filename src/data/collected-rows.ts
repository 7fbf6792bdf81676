// The rows of interactions in memory while they are read: the only place where memory grows with the size of a file. It is
// bounded: if many rows repeat a pair of user and item, they are dropped early, and if the rows still do not fit, the error
// says how much memory they need.

import { UserError } from "../core/errors.js";
import { availableMemory, bytesText } from "../core/memory.js";
import { GrowingColumn } from "./interactions.js";

/** The number of rows from which duplicates are searched for. */
const manyRows = 1 << 25;
const sampledRows = 1 << 20;
const rowsBetweenChecks = 1 << 20;
/** Reading, filtering and splitting hold the rows about twice (measured; see test/data/collected-rows.test.ts). */
const timesHeld = 2;
/** User, item, rating and time. */
const mostBytesPerRow = 20;

export interface CollectedRowsOptions {
  /** The files that the rows come from. */
  place?: string;
  /** Available memory in bytes. Default: what is free now. */
  available?: number;
  /** The number of rows from which duplicates are searched for. */
  many?: number;
  /** The expected number of rows, if it is known. */
  capacity?: number;
}

type Numbers = Uint8Array | Uint32Array | Float32Array | Float64Array;

/** Columns that grow row by row. */
export class CollectedRows {
  /** Rows dropped because an earlier row has the same user and item. */
  duplicates = 0;
  readonly #place: string | undefined;
  readonly #available: number;
  readonly #userOf: GrowingColumn<Uint32Array<ArrayBuffer>>;
  readonly #itemOf: GrowingColumn<Uint32Array<ArrayBuffer>>;
  readonly #ratingOf: GrowingColumn<Float32Array<ArrayBuffer>>;
  readonly #timeOf: GrowingColumn<Float64Array<ArrayBuffer>>;
  #rows = 0;
  #nextCheck: number;
  readonly #checkEvery: number;
  #nextLook: number;

  constructor({
    place,
    available = availableMemory(),
    many = manyRows,
    capacity = 0,
  }: CollectedRowsOptions = {}) {
    this.#place = place;
    this.#available = available;
    const reserved = capacity * mostBytesPerRow * timesHeld > available ? 0 : capacity;
    this.#userOf = new GrowingColumn((length) => new Uint32Array(length), reserved);
    this.#itemOf = new GrowingColumn((length) => new Uint32Array(length), reserved);
    this.#ratingOf = new GrowingColumn((length) => new Float32Array(length), reserved);
    this.#timeOf = new GrowingColumn((length) => new Float64Array(length), reserved);
    this.#nextLook = many;
    this.#checkEvery = Math.min(rowsBetweenChecks, many);
    this.#nextCheck = this.#checkEvery;
  }

  get length(): number {
    return this.#rows;
  }

  /** Adds a row. Ratings and times must be given in all rows or in none. Throws UserError if the rows need too much memory. */
  push(user: number, item: number, rating: number | undefined, time: number | undefined): void {
    this.#userOf.push(user);
    this.#itemOf.push(item);
    if (rating !== undefined) this.#ratingOf.push(rating);
    if (time !== undefined) this.#timeOf.push(time);
    if (++this.#rows === this.#nextCheck)
      this.#check(8 + (rating === undefined ? 0 : 4) + (time === undefined ? 0 : 8));
  }

  /** Adds rows column by column. Throws like `push`. */
  append(users: Numbers, items: Numbers, ratings: Numbers | undefined, times: Numbers | undefined): void {
    this.#userOf.append(users);
    this.#itemOf.append(items);
    if (ratings) this.#ratingOf.append(ratings);
    if (times) this.#timeOf.append(times);
    this.#rows += users.length;
    if (this.#rows >= this.#nextCheck) this.#check(8 + (ratings ? 4 : 0) + (times ? 8 : 0));
  }

  /** Returns the rows and leaves the collection empty. Columns that no row has are empty. */
  take() {
    this.#rows = 0;
    return {
      userOf: this.#userOf.take(),
      itemOf: this.#itemOf.take(),
      ratingOf: this.#ratingOf.take(),
      timeOf: this.#timeOf.take(),
    };
  }

  #check(bytesPerRow: number): void {
    if (this.#rows >= this.#nextLook) {
      this.#dropMassesOfDuplicates();
      this.#nextLook = Math.max(this.#nextLook, 2 * this.#rows);
    }
    this.#nextCheck = this.#rows + this.#checkEvery;
    const bytes = this.#rows * bytesPerRow * timesHeld;
    if (bytes > this.#available)
      throw new UserError({
        place: this.#place,
        problem: `the first ${this.#rows.toLocaleString("en")} rows need about ${bytesText(bytes)} of memory, but only ${bytesText(this.#available)} are available`,
        remedy:
          "Check that this is the right file; keep fewer rows with --min-rating, or give the process more memory",
      });
  }

  #dropMassesOfDuplicates(): void {
    const [users, items] = [this.#userOf.last(sampledRows), this.#itemOf.last(sampledRows)];
    if (countKept(firstOfPairs(users, items)) >= users.length / 2) return;
    const { userOf, itemOf, ratingOf, timeOf } = this.take();
    const keep = firstOfPairs(userOf, itemOf);
    for (let row = 0; row < keep.length; row++) {
      if (keep[row] === 0) {
        this.duplicates++;
        continue;
      }
      this.#userOf.push(userOf[row]);
      this.#itemOf.push(itemOf[row]);
      if (ratingOf.length > 0) this.#ratingOf.push(ratingOf[row]);
      if (timeOf.length > 0) this.#timeOf.push(timeOf[row]);
      this.#rows++;
    }
  }
}

/** [rows]: 1 for the first row of each pair of user and item, otherwise 0. */
function firstOfPairs(userOf: Uint32Array, itemOf: Uint32Array): Uint8Array {
  const rows = userOf.length;
  const bits = Math.ceil(Math.log2(2 * rows + 1));
  // Open addressing: each slot holds the number of a row + 1.
  const slots = new Uint32Array(2 ** bits);
  const mask = slots.length - 1;
  const keep = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    const user = userOf[row];
    const item = itemOf[row];
    let slot = hashOfPair(user, item) & mask;
    while (slots[slot] !== 0) {
      const other = slots[slot] - 1;
      if (userOf[other] === user && itemOf[other] === item) break;
      slot = (slot + 1) & mask;
    }
    if (slots[slot] !== 0) continue;
    slots[slot] = row + 1;
    keep[row] = 1;
  }
  return keep;
}

/** A hash of a user and an item, as an int32. */
function hashOfPair(user: number, item: number): number {
  let hash = Math.imul(user, 0x9e3779b1) ^ Math.imul(item ^ (item >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
  return hash ^ (hash >>> 13);
}

function countKept(keep: Uint8Array): number {
  let count = 0;
  for (let row = 0; row < keep.length; row++) count += keep[row];
  return count;
}
