// A map of more entries than one of JavaScript's maps can hold: V8 ends with "Map maximum size exceeded" after 2^24. Ids of
// users and items may be more.

/** What one of V8's maps can hold. */
const MOST_ENTRIES = 2 ** 24;

/** As Map, in the order of insertion; values are never undefined. A second map begins once the first is full, and so on. */
export class LargeMap<Key, Value extends NonNullable<unknown>> {
  readonly #maps: Map<Key, Value>[] = [new Map()];
  readonly #most: number;

  /** `most` = entries of one map. */
  constructor(entries: Iterable<readonly [Key, Value]> = [], most = MOST_ENTRIES) {
    this.#most = most;
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#maps.reduce((sum, { size }) => sum + size, 0);
  }

  get(key: Key): Value | undefined {
    for (const map of this.#maps) {
      const value = map.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  set(key: Key, value: Value): void {
    const last = this.#maps[this.#maps.length - 1];
    if (this.#maps.length === 1 && last.size < this.#most) {
      last.set(key, value);
      return;
    }
    const holder = this.#maps.find((map) => map.has(key));
    if (holder) holder.set(key, value);
    else if (last.size < this.#most) last.set(key, value);
    else this.#maps.push(new Map([[key, value]]));
  }

  *keys(): Generator<Key> {
    for (const map of this.#maps) yield* map.keys();
  }

  *[Symbol.iterator](): Generator<[Key, Value]> {
    for (const map of this.#maps) yield* map;
  }
}
