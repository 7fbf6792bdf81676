// Metrics by segments: users by the length of their history, and held-out items by popularity.

import { HEAD_SHARE, popularityGroups, userCounts } from "../data/item-popularity.js";
import type { CsrMatrix } from "../sparse/csr.js";
import { type MetricValue, meanOf } from "./mean.js";
import type { Metric } from "./metrics.js";

export interface Segment {
  /** The users over whom the means are taken. */
  users: number;
  /** By name, in the requested order; empty without users. */
  metrics: Record<string, MetricValue>;
}

/** Users whose fold-in history has `from` to `to` items. */
export interface HistorySegment extends Segment {
  from: number;
  to: number;
}

/**
 * Items of similar popularity. Of the held-out items, only these count, ranked among all items, and the users are those with such a
 * held-out item; only accuracy metrics are defined.
 */
export interface PopularitySegment extends Segment {
  name: "head" | "middle" | "tail";
  items: number;
  /** Their share of the training interactions. */
  share: number;
  /** Held-out items of the evaluated users in this segment. */
  heldOut: number;
}

export interface Segments {
  /** Short histories first: up to four segments with about the same number of users. */
  history: HistorySegment[];
  /** The most popular items first. */
  popularity: PopularitySegment[];
}

const QUARTERS = 4;
/** The head has half of the training interactions, head and middle together `HEAD_SHARE`; the tail is that of `long-tail@k`. */
const SHARES = [0.5, HEAD_SHARE];
const NAMES = ["head", "middle", "tail"] as const;

/** Divides users at the quartiles of `lengths`; users with equal lengths are in one segment. `perUser` are their values by metric. */
export function segmentsByHistory(
  lengths: Uint32Array,
  perUser: Readonly<Record<string, Float64Array>>,
): HistorySegment[] {
  const ascending = lengths.toSorted();
  const quartile = (q: number) => ascending[Math.ceil((q * lengths.length) / QUARTERS) - 1];
  const bounds = lengths.length === 0 ? [] : [...new Set([1, 2, 3, 4].map(quartile))];
  return bounds.map((to, b) => {
    const above = b === 0 ? -1 : bounds[b - 1];
    const isIn = (length: number) => length > above && length <= to;
    const users = Uint32Array.from(lengths.keys()).filter((u) => isIn(lengths[u]));
    return {
      from: ascending.find(isIn) ?? to,
      to,
      users: users.length,
      metrics: Object.fromEntries(
        Object.entries(perUser).map(([name, values]) => [
          name,
          meanOf(Float64Array.from(users, (u) => values[u])),
        ]),
      ),
    };
  });
}

/** Collects the accuracy of each popularity segment, one user at a time. */
export class PopularitySegments {
  readonly #metrics: readonly Metric[];
  readonly #counts: Uint32Array;
  readonly #groups: Uint8Array;
  readonly #heldOut = NAMES.map(() => 0);
  /** By segment and metric. */
  readonly #values = NAMES.map(() => new Map<string, number[]>());

  constructor(metrics: readonly Metric[], train: CsrMatrix) {
    this.#metrics = metrics.filter(({ ofUser }) => ofUser !== undefined);
    this.#counts = userCounts(train);
    this.#groups = popularityGroups(this.#counts, SHARES);
    for (const values of this.#values) for (const { name } of this.#metrics) values.set(name, []);
  }

  /** Adds a user with a list, best first, the hits in it, and all relevant items. */
  add(list: Uint32Array, hits: Uint8Array, relevant: Uint32Array): void {
    const groups = this.#groups;
    const of = NAMES.map(() => 0);
    for (const item of relevant) of[groups[item]]++;
    for (const [group, count] of of.entries()) {
      if (count === 0) continue;
      this.#heldOut[group] += count;
      const own = hits.map((hit, rank) => (rank < list.length && groups[list[rank]] === group ? hit : 0));
      for (const { name, ofUser } of this.#metrics)
        this.#values[group].get(name)?.push(ofUser?.(own, count) ?? 0);
    }
  }

  summary(): PopularitySegment[] {
    const counts = this.#counts;
    const total = counts.reduce((sum, count) => sum + count, 0);
    return NAMES.map((name, group) => {
      const values = [...this.#values[group]];
      const users = values[0]?.[1].length ?? 0;
      const items = Uint32Array.from(counts.keys()).filter((item) => this.#groups[item] === group);
      return {
        name,
        items: items.length,
        share: items.reduce((sum, item) => sum + counts[item], 0) / Math.max(1, total),
        heldOut: this.#heldOut[group],
        users,
        metrics:
          users === 0 ? {} : Object.fromEntries(values.map(([m, of]) => [m, meanOf(Float64Array.from(of))])),
      };
    });
  }
}
