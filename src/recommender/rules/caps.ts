// At most n items per value of an attribute, such as one per series. An item with several values counts for each of them, and is left
// out if any of them has its n items; an item without a value is never left out.

import { type AttributeColumn, codesOf } from "../../data/attributes/attributes.js";

/** A limit on the items with the same value. */
export interface Cap {
  readonly column: AttributeColumn;
  readonly most: number;
}

/** Counts the items of one list. */
export class Caps {
  readonly #caps: readonly { readonly cap: Cap; readonly taken: Map<number, number> }[];

  constructor(caps: readonly Cap[]) {
    this.#caps = caps.map((cap) => ({ cap, taken: new Map() }));
  }

  /** Whether the item may still be added. */
  admits(item: number): boolean {
    return this.#caps.every(({ cap, taken }) =>
      keysOf(cap.column, item).every((value) => (taken.get(value) ?? 0) < cap.most),
    );
  }

  add(item: number): void {
    for (const { cap, taken } of this.#caps)
      for (const value of keysOf(cap.column, item)) taken.set(value, (taken.get(value) ?? 0) + 1);
  }
}

/** Numbers that stand for the item's values: none if it has no value. */
function keysOf(column: AttributeColumn, item: number): number[] {
  if (!("numbers" in column)) return codesOf(column, item);
  const value = column.numbers[item];
  return Number.isNaN(value) ? [] : [value];
}
