// Filters interactions: of duplicates only the first is kept, then users and items with enough interactions. (The rating
// threshold is applied earlier, while reading.) Published protocols differ in how minimums are applied: see `filterOrders`.

import { bucketRows, countRows, hashOfPair, type Interactions, takeInteractions } from "./interactions.js";

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

interface Reuse {
  /** Whether the rows that remain may be moved within the argument's arrays, which must not be used afterwards. */
  readonly reuse?: boolean;
}

/** Keeps the first row of each pair of user and item. */
export function dropDuplicates(interactions: Interactions, reuse: Reuse = {}): Interactions {
  const { userOf, itemOf, users } = interactions;
  const keep = new Uint8Array(userOf.length);
  // Open addressing: each slot holds the number of a row + 1.
  let slots = new Uint32Array(0);
  for (const rows of bucketRows(userOf, users.size)) {
    const size = 2 ** Math.ceil(Math.log2(2 * rows.length + 1));
    if (slots.length < size) slots = new Uint32Array(size);
    else slots.fill(0);
    const mask = slots.length - 1;
    for (const row of rows) {
      const user = userOf[row];
      const item = itemOf[row];
      let slot = hashOfPair(user, item) & mask;
      while (slots[slot] !== 0 && (userOf[slots[slot] - 1] !== user || itemOf[slots[slot] - 1] !== item))
        slot = (slot + 1) & mask;
      if (slots[slot] !== 0) continue;
      slots[slot] = row + 1;
      keep[row] = 1;
    }
  }
  return takeInteractions(interactions, keep, reuse);
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
  { minUser, minItem, filter }: Minimums,
  reuse: Reuse = {},
): Frequent {
  const { userOf, itemOf, users, items } = interactions;
  const keep = new Uint8Array(userOf.length).fill(1);
  const dropRare = (codeOf: Uint32Array, counts: Uint32Array, least: number): Dropped => {
    let rows = 0;
    for (let row = 0; row < keep.length; row++)
      if (keep[row] === 1 && counts[codeOf[row]] < least) {
        keep[row] = 0;
        rows++;
      }
    return { rows, codes: counts.reduce((sum, count) => sum + (count > 0 && count < least ? 1 : 0), 0) };
  };
  const countKept = (codeOf: Uint32Array, codes: number): Uint32Array => {
    const counts = new Uint32Array(codes);
    for (let row = 0; row < keep.length; row++) counts[codeOf[row]] += keep[row];
    return counts;
  };
  const frequent = (byItem: Dropped, byUser: Dropped): Frequent => ({
    kept: takeInteractions(interactions, keep, reuse),
    users: byUser,
    items: byItem,
  });
  switch (filter) {
    case "simultaneous": {
      const perItem = countRows(itemOf, items.size);
      const perUser = countRows(userOf, users.size);
      return frequent(dropRare(itemOf, perItem, minItem), dropRare(userOf, perUser, minUser));
    }
    case "items-then-users": {
      const byItem = dropRare(itemOf, countRows(itemOf, items.size), minItem);
      return frequent(byItem, dropRare(userOf, countKept(userOf, users.size), minUser));
    }
    case "k-core": {
      let [byItem, byUser]: Dropped[] = [noneDropped, noneDropped];
      for (;;) {
        const rareItems = dropRare(itemOf, countKept(itemOf, items.size), minItem);
        const rareUsers = dropRare(userOf, countKept(userOf, users.size), minUser);
        if (rareItems.rows + rareUsers.rows === 0) return frequent(byItem, byUser);
        byItem = sum(byItem, rareItems);
        byUser = sum(byUser, rareUsers);
      }
    }
    default:
      return filter satisfies never;
  }
}

const noneDropped: Dropped = { rows: 0, codes: 0 };
const sum = (one: Dropped, other: Dropped): Dropped => ({
  rows: one.rows + other.rows,
  codes: one.codes + other.codes,
});
