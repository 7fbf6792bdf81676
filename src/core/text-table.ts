// Finds numbers by text, as a Map<string, number[]> does, in eight bytes per entry: the texts themselves are not stored but asked
// for. For catalogues of millions of items. The hash is seeded, so that no file can be written to make all texts collide.

import { randomInt } from "node:crypto";

const NONE = 0xffffffff;

export class TextTable {
  readonly #textOf: (entry: number) => string;
  readonly #heads: Uint32Array;
  /** The next entry of the same bucket. */
  readonly #next: Uint32Array;
  readonly #seed = randomInt(2 ** 32);

  /** A table for entries below `size`; `textOf` is called for entries that were added, and must not change. */
  constructor(size: number, textOf: (entry: number) => string) {
    this.#textOf = textOf;
    this.#heads = new Uint32Array(2 ** Math.max(4, Math.ceil(Math.log2(size + 1)))).fill(NONE);
    this.#next = new Uint32Array(size);
  }

  /** Adds an entry, once. `text` is its text. */
  add(entry: number, text = this.#textOf(entry)): void {
    const bucket = this.#bucket(text);
    this.#next[entry] = this.#heads[bucket];
    this.#heads[bucket] = entry;
  }

  /** Adds an entry, once; returns whether no other has its text. */
  addNew(entry: number): boolean {
    const text = this.#textOf(entry);
    const bucket = this.#bucket(text);
    const head = this.#heads[bucket];
    let other = head;
    while (other !== NONE && this.#textOf(other) !== text) other = this.#next[other];
    this.#next[entry] = head;
    this.#heads[bucket] = entry;
    return other === NONE;
  }

  /** The entry with this text that was added last. */
  last(text: string): number | undefined {
    for (let entry = this.#heads[this.#bucket(text)]; entry !== NONE; entry = this.#next[entry])
      if (this.#textOf(entry) === text) return entry;
    return undefined;
  }

  /** All entries with this text, the one that was added last first. */
  all(text: string): number[] {
    const found: number[] = [];
    for (let entry = this.#heads[this.#bucket(text)]; entry !== NONE; entry = this.#next[entry])
      if (this.#textOf(entry) === text) found.push(entry);
    return found;
  }

  /** FNV-1a over the code units, and the final mix of MurmurHash3. */
  #bucket(text: string): number {
    let hash = this.#seed;
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash ^= hash >>> 13;
    return (hash >>> 0) & (this.#heads.length - 1);
  }
}
