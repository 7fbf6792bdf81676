// The distinct texts of a column, sorted, as one piece of UTF-8: a million texts are two arrays instead of a million strings.

/** An item without a value. */
export const NO_VALUE = 0xffffffff;

export class TextDictionary {
  /** The texts, one after the other. */
  readonly bytes: Uint8Array;
  /** The end of each text in `bytes`. */
  readonly ends: Uint32Array;

  constructor(bytes: Uint8Array, ends: Uint32Array) {
    this.bytes = bytes;
    this.ends = ends;
  }

  /** The dictionary of these texts, which may repeat. */
  static of(texts: Iterable<string>): TextDictionary {
    const sorted = [...new Set(texts)].sort();
    const encoded = sorted.map((text) => Buffer.from(text, "utf8"));
    let end = 0;
    const ends = Uint32Array.from(encoded, ({ length }) => (end += length));
    return new TextDictionary(new Uint8Array(Buffer.concat(encoded)), ends);
  }

  get size(): number {
    return this.ends.length;
  }

  /** The text of a code. */
  at(code: number): string {
    const { buffer, byteOffset } = this.bytes;
    const from = code === 0 ? 0 : this.ends[code - 1];
    return Buffer.from(buffer, byteOffset + from, this.ends[code] - from).toString("utf8");
  }

  /** The code of a text, or undefined. */
  find(text: string): number | undefined {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle) < text) low = middle + 1;
      else high = middle;
    }
    return low < this.size && this.at(low) === text ? low : undefined;
  }

  *[Symbol.iterator](): Generator<string> {
    for (let code = 0; code < this.size; code++) yield this.at(code);
  }
}
