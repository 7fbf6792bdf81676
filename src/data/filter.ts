// Filters interactions: of duplicates only the first is kept, then users and items with enough interactions. (The rating
// threshold is applied earlier, while reading.) Published protocols differ in how minimums are applied: see `filterOrders`.

import { type Interactions, takeInteractions } from "./interactions.js";
import { type BucketOptions, RowBuckets } from "./row-buckets.js";

/** How the minimum counts are applied. */
export const filterOrders = {
  "items-then-users": "items first, then users on the remaining rows, once (Liang et al. 2018)",
  simultaneous: "items and users at once, both on the original counts (the Keras notebooks)",
  "k-core": "repeatedly, until every user and item has enough interactions",
} as const;

export type FilterOrder = keyof typeof filterOrders;

export interface Minimums {
  /** Interactions that a user needs. */
  minUser: number;
  /** Interactions that an item needs. */
  minItem: number;
  filter: FilterOrder;
}

interface FilterOptions extends BucketOptions {
  /** Whether the rows that remain may be moved within the argument's arrays, which must not be used afterwards. */
  readonly reuse?: boolean;
}

/** Keeps the first row of each pair of user and item. */
export function dropDuplicates(interactions: Interactions, options: FilterOptions = {}): Interactions {
  const rows = new DividedRows(interactions, options);
  rows.dropDuplicates();
  return rows.kept(options);
}

/** What a minimum count dropped. */
interface Dropped {
  readonly rows: number;
  /** The number of users (or items) with too few interactions. */
  readonly codes: number;
}

export interface Frequent {
  readonly kept: Interactions;
  readonly users: Dropped;
  readonly items: Dropped;
}

/** Keeps the users and items with enough interactions, and counts what it drops; a row is counted once. */
export function keepFrequent(
  interactions: Interactions,
  minimums: Minimums,
  options: FilterOptions = {},
): Frequent {
  const rows = new DividedRows(interactions, options);
  const dropped = rows.dropRare(minimums);
  return { kept: rows.kept(options), ...dropped };
}

export interface Filtered extends Frequent {
  /** Rows left without duplicates. */
  readonly unique: number;
}

/** Drops duplicates, then rare users and items: like `dropDuplicates` and `keepFrequent`, with one move of the rows. */
export function filterInteractions(
  interactions: Interactions,
  minimums: Minimums,
  options: FilterOptions = {},
): Filtered {
  const rows = new DividedRows(interactions, options);
  const unique = rows.dropDuplicates();
  const dropped = rows.dropRare(minimums);
  return { kept: rows.kept(options), unique, ...dropped };
}

/** The rows in buckets of users: a pass over them needs little memory at a time for what it holds per user. */
class DividedRows {
  readonly #interactions: Interactions;
  readonly #buckets: RowBuckets;
  /** In the order of the buckets, like `#itemOf` and `#keep`. */
  readonly #userOf: Uint32Array;
  readonly #itemOf: Uint32Array;
  readonly #keep: Uint8Array;

  constructor(interactions: Interactions, options: BucketOptions) {
    const { userOf, itemOf, users } = interactions;
    this.#interactions = interactions;
    this.#buckets = new RowBuckets(userOf, users.size, options);
    this.#userOf = this.#buckets.codes();
    this.#itemOf = this.#buckets.divide(itemOf);
    this.#keep = new Uint8Array(userOf.length).fill(1);
  }

  /** Keeps the first row of each pair of user and item; returns the number of rows kept. */
  dropDuplicates(): number {
    const [userOf, itemOf, keep] = [this.#userOf, this.#itemOf, this.#keep];
    const { begins, size, codesPerBucket } = this.#buckets;
    const ends = new Uint32Array(codesPerBucket);
    let order = new Uint32Array(0);
    // A user's items by open addressing: each slot holds an item + 1.
    let slots = new Uint32Array(64);
    let dropped = 0;
    for (let bucket = 0; bucket < size; bucket++) {
      const [begin, end] = [begins[bucket], begins[bucket + 1]];
      const first = bucket * codesPerBucket;
      if (order.length < end - begin) order = new Uint32Array(end - begin);
      // Counting sort by user. Afterwards `ends` holds the end of each user's rows in `order`.
      ends.fill(0);
      for (let place = begin; place < end; place++) ends[userOf[place] - first]++;
      for (let code = 0, before = 0; code < codesPerBucket; code++) {
        const rows = ends[code];
        ends[code] = before;
        before += rows;
      }
      for (let place = begin; place < end; place++) order[ends[userOf[place] - first]++] = place;
      for (let code = 0, next = 0; code < codesPerBucket; code++) {
        const rows = ends[code] - next;
        if (rows === 0) continue;
        const mask = 2 ** (33 - Math.clz32(rows)) - 1;
        if (slots.length <= mask) slots = new Uint32Array(mask + 1);
        else for (let slot = 0; slot <= mask; slot++) slots[slot] = 0;
        for (; next < ends[code]; next++) {
          const place = order[next];
          const wanted = itemOf[place] + 1;
          const hash = Math.imul(wanted, 0x9e3779b1);
          let slot = (hash ^ (hash >>> 15)) & mask;
          while (slots[slot] !== 0 && slots[slot] !== wanted) slot = (slot + 1) & mask;
          if (slots[slot] === 0) slots[slot] = wanted;
          else {
            keep[place] = 0;
            dropped++;
          }
        }
      }
    }
    return keep.length - dropped;
  }

  /** Drops the rows of rare users and items among the kept rows. */
  dropRare({ minUser, minItem, filter }: Minimums): { readonly users: Dropped; readonly items: Dropped } {
    switch (filter) {
      case "simultaneous": {
        const rareUsers = this.#rareUsers(minUser);
        const items = this.#drop(this.#itemOf, this.#rareItems(minItem));
        return { items, users: this.#drop(this.#userOf, rareUsers) };
      }
      case "items-then-users": {
        const items = this.#drop(this.#itemOf, this.#rareItems(minItem));
        return { items, users: this.#drop(this.#userOf, this.#rareUsers(minUser)) };
      }
      case "k-core": {
        let [items, users]: Dropped[] = [noneDropped, noneDropped];
        for (;;) {
          const rareItems = this.#drop(this.#itemOf, this.#rareItems(minItem));
          const rareUsers = this.#drop(this.#userOf, this.#rareUsers(minUser));
          if (rareItems.rows + rareUsers.rows === 0) return { items, users };
          items = sum(items, rareItems);
          users = sum(users, rareUsers);
        }
      }
      default:
        return filter satisfies never;
    }
  }

  #rareUsers(least: number): Rare {
    return this.#rare(this.#userOf, this.#interactions.users.size, least);
  }

  #rareItems(least: number): Rare {
    return this.#rare(this.#itemOf, this.#interactions.items.size, least);
  }

  /** The codes with kept rows, but fewer than `least`. */
  #rare(codeOf: Uint32Array, codes: number, least: number): Rare {
    if (least <= 1) return noneRare;
    const keep = this.#keep;
    const counts = new Uint32Array(codes);
    for (let place = 0; place < keep.length; place++) counts[codeOf[place]] += keep[place];
    const isRare = new Uint8Array(codes);
    let rare = 0;
    for (let code = 0; code < codes; code++)
      if (counts[code] > 0 && counts[code] < least) {
        isRare[code] = 1;
        rare++;
      }
    return { isRare, codes: rare };
  }

  #drop(codeOf: Uint32Array, { isRare, codes }: Rare): Dropped {
    if (codes === 0) return noneDropped;
    const keep = this.#keep;
    let rows = 0;
    for (let place = 0; place < keep.length; place++) {
      const drop = keep[place] & isRare[codeOf[place]];
      keep[place] ^= drop;
      rows += drop;
    }
    return { rows, codes };
  }

  /** The kept rows, in their order. */
  kept(options: FilterOptions): Interactions {
    return takeInteractions(this.#interactions, this.#buckets.bytesInRowOrder(this.#keep), options);
  }
}

/** Codes with rows, but too few. */
interface Rare {
  /** [codes]: 1 if rare. */
  readonly isRare: Uint8Array;
  /** The number of rare codes. */
  readonly codes: number;
}

const noneRare: Rare = { isRare: new Uint8Array(0), codes: 0 };
const noneDropped: Dropped = { rows: 0, codes: 0 };
const sum = (one: Dropped, other: Dropped): Dropped => ({
  rows: one.rows + other.rows,
  codes: one.codes + other.codes,
});
