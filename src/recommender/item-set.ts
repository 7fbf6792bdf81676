// A set of items of a catalogue, as bits.

import { countBits, hasBit, setBit, wordsFor } from "../core/bits.js";

export class ItemSet {
  /** The number of items of the catalogue. */
  readonly size: number;
  /** One bit per item (core/bits.ts); must not change. */
  readonly words: Uint32Array;
  #count: number | undefined;

  constructor(size: number, words: Uint32Array) {
    this.size = size;
    this.words = words;
  }

  /** The set of these items. */
  static of(size: number, items: Iterable<number>): ItemSet {
    const words = new Uint32Array(wordsFor(size));
    for (const item of items) setBit(words, item);
    return new ItemSet(size, words);
  }

  /** All items. */
  static all(size: number): ItemSet {
    return ItemSet.of(size, []).complement();
  }

  /** The number of items in the set. */
  get count(): number {
    this.#count ??= countBits(this.words);
    return this.#count;
  }

  has(item: number): boolean {
    return hasBit(this.words, item);
  }

  and(other: ItemSet): ItemSet {
    return new ItemSet(
      this.size,
      this.words.map((word, w) => word & other.words[w]),
    );
  }

  or(other: ItemSet): ItemSet {
    return new ItemSet(
      this.size,
      this.words.map((word, w) => word | other.words[w]),
    );
  }

  complement(): ItemSet {
    const words = this.words.map((word) => ~word);
    const rest = this.size & 31;
    if (rest > 0) words[words.length - 1] &= 2 ** rest - 1;
    return new ItemSet(this.size, words);
  }
}
