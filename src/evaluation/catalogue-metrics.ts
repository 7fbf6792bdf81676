// Computes the metrics of the lists of all users together (metrics.ts): how often each item is recommended.

import { giniIndex } from "./gini.js";
import type { CatalogueMetric, Metric } from "./metrics.js";

export class CatalogueMetrics {
  /** By depth, for each item, the number of users with the item in that many first ranks. */
  readonly #counts = new Map<number, Uint32Array>();
  readonly #items: number;
  readonly #ranked: Uint32Array | undefined;

  /** `ranked`: the items that can be recommended, if not all `items` can. */
  constructor(metrics: readonly Metric[], items: number, ranked?: Uint32Array) {
    this.#items = items;
    this.#ranked = ranked;
    for (const { k, ofLists } of metrics) if (ofLists) this.#counts.set(k, new Uint32Array(items));
  }

  /** Counts the items of a user's list, best first. */
  add(list: Uint32Array): void {
    for (const [k, counts] of this.#counts)
      for (let rank = 0; rank < Math.min(k, list.length); rank++) counts[list[rank]]++;
  }

  value(metric: CatalogueMetric, k: number): number {
    const all = this.#counts.get(k) ?? new Uint32Array(this.#items);
    const counts = this.#ranked ? this.#ranked.map((item) => all[item]) : all;
    switch (metric) {
      case "coverage":
        return counts.reduce((sum, count) => sum + Math.min(1, count), 0) / counts.length;
      case "gini":
        return giniIndex(counts);
      default:
        return metric satisfies never;
    }
  }
}
