// A map without the size limit of JavaScript's Map: V8 throws "Map maximum size exceeded" after 2^24 entries, and datasets
// can have more user or item ids.

/** Maximum number of entries of a Map in V8. */
const MOST_ENTRIES = 2 ** 24;

/** Like Map, in insertion order; values cannot be undefined. It consists of several maps, each of which is filled in turn. */
export class LargeMap<Key, Value extends NonNullable<unknown>> {
  readonly #maps: Map<Key, Value>[] = [new Map()];
  readonly #most: number;

  /** `most` is the maximum number of entries of each map. */
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
