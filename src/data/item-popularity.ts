// The popularity of items in the training data: how many users have each item, how surprising it is, and which items are the head
// and the long tail.

import type { CsrMatrix } from "../sparse/csr.js";

/** The long tail begins after the most popular items that have this share of the training interactions. */
export const HEAD_SHARE = 0.8;

/** How many users of the training data have each item. */
export interface ItemPopularity {
  /** The number of training users. */
  readonly users: number;
  /** For each item, the number of training users who have it. */
  readonly counts: Uint32Array;
}

/** The popularity of the items in a training matrix [users, items]. */
export function popularityIn(train: CsrMatrix): ItemPopularity {
  return { users: train.rows, counts: userCounts(train) };
}

/** For each item, the number of training users who have it. */
export function userCounts(train: CsrMatrix): Uint32Array {
  const counts = new Uint32Array(train.columns);
  for (const item of train.indices) counts[item]++;
  return counts;
}

/**
 * The self-information of an item in bits: -log2 of the share of the training users who have it. An item that nobody has counts as
 * if one user had it.
 */
export function selfInformation({ users, counts }: ItemPopularity, item: number): number {
  return Math.log2(Math.max(1, users) / Math.max(1, counts[item]));
}

/**
 * Divides the items by popularity. Group g contains the most popular items that together have at least the share shares[g] of the
 * interactions, without those of the groups before it; the last group contains the rest. Equal counts are ordered by index.
 */
export function popularityGroups(counts: Uint32Array, shares: readonly number[]): Uint8Array {
  const order = Uint32Array.from(counts.keys()).sort((a, b) => counts[b] - counts[a] || a - b);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const groups = new Uint8Array(counts.length);
  let group = 0;
  let sum = 0;
  for (const item of order) {
    while (group < shares.length && sum >= shares[group] * total) group++;
    groups[item] = group;
    sum += counts[item];
  }
  return groups;
}

/** A point of the long tail: the item at a rank by popularity. */
export interface TailPoint {
  /** From 1, the most popular item. */
  readonly rank: number;
  /** Training users who have this item. */
  readonly users: number;
  /** Share of the interactions that the items up to this rank have. */
  readonly share: number;
}

export interface LongTail {
  /** The most popular items that together have 80 % of the interactions; the others are the long tail. */
  readonly head: number;
  readonly items: number;
  /** Ranks that grow by a constant factor, with the first and the last one. */
  readonly points: readonly TailPoint[];
}

/** The curve of popularity by rank, with about `points` points. */
export function longTailOf(counts: Uint32Array, points = 120): LongTail {
  const descending = counts.slice().sort().reverse();
  const items = descending.length;
  const total = descending.reduce((sum, count) => sum + count, 0);
  const wanted = new Set<number>();
  for (let p = 0; p < points; p++) wanted.add(Math.round(items ** (p / Math.max(1, points - 1))));
  const curve: TailPoint[] = [];
  let [sum, head] = [0, 0];
  for (let rank = 1; rank <= items; rank++) {
    if (sum < HEAD_SHARE * total) head = rank;
    sum += descending[rank - 1];
    if (wanted.has(rank)) curve.push({ rank, users: descending[rank - 1], share: sum / Math.max(1, total) });
  }
  return { head, items, points: curve };
}
