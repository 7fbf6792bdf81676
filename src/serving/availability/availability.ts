// The items that are not available: out of stock, withdrawn, not allowed. A set of ids, which may include ids that no model knows yet,
// so that it stays the same when a model is replaced. Every answer of the server is checked against the current set.

import type { Vocabulary } from "../../data/vocabulary.js";
import { ItemSet } from "../../recommender/item-set.js";

/** The maximum number of ids. */
export const MOST_UNAVAILABLE = 10_000_000;

export class Availability {
  #ids: ReadonlySet<string> = new Set();
  #version = 0;
  /** The available items of each catalogue, for the current version. */
  #available = new WeakMap<Vocabulary, ItemSet>();

  /** Increases with every change. */
  get version(): number {
    return this.#version;
  }

  /** The ids that are out, in the order in which they were taken out. */
  get ids(): ReadonlySet<string> {
    return this.#ids;
  }

  replace(ids: Iterable<string>): void {
    this.#ids = new Set(ids);
    this.#version++;
    this.#available = new WeakMap();
  }

  /** The available items of a catalogue; undefined if all are. */
  of(items: Vocabulary): ItemSet | undefined {
    if (this.#ids.size === 0) return undefined;
    const before = this.#available.get(items);
    const available = before ?? availableItems(items, this.#ids);
    if (!before) this.#available.set(items, available);
    return available.count === items.size ? undefined : available;
  }
}

/** The items of a catalogue other than these ids; ids that it does not have are ignored. */
export function availableItems(items: Vocabulary, unavailable: Iterable<string>): ItemSet {
  const out: number[] = [];
  for (const id of unavailable) {
    const index = items.indexOf(id);
    if (index !== undefined) out.push(index);
  }
  return ItemSet.of(items.size, out).complement();
}
