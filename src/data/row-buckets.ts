// Counts and groups many rows by a code, such as the user's. A table per code that is larger than a processor's cache makes each
// row wait for memory. Rows are therefore divided into buckets by ranges of their codes: one sequential pass copies the
// columns into the order of the buckets, the work on a bucket needs little memory, and another sequential pass brings the
// results back into the order of the rows.

/** Rows in a bucket, if their codes are spread evenly: few enough for a processor's cache. */
const rowsPerBucket = 1 << 17;
const mostBuckets = 1024;

export interface BucketOptions {
  /** Rows in a bucket, if their codes are spread evenly. */
  perBucket?: number;
}

/** Rows divided by ranges of their codes, in ascending order within each bucket. */
export class RowBuckets {
  /** The number of buckets. */
  readonly size: number;
  /** Bucket b contains the codes [b * codesPerBucket, (b + 1) * codesPerBucket). */
  readonly codesPerBucket: number;
  /** Bucket b has the places [begins[b], begins[b + 1]) in the order of the buckets: [buckets + 1]. */
  readonly begins: Uint32Array;
  readonly #codeOf: Uint32Array;
  readonly #shift: number;

  /** `codeOf`: the code of each row, below `codes`. It is used again by `inRowOrder`, and must not change until then. */
  constructor(codeOf: Uint32Array, codes: number, { perBucket = rowsPerBucket }: BucketOptions = {}) {
    const size = Math.max(1, Math.min(mostBuckets, Math.floor(codeOf.length / perBucket)));
    let shift = 0;
    while ((codes - 1) >>> shift >= size && shift < 31) shift++;
    const begins = new Uint32Array(size + 1);
    for (let row = 0; row < codeOf.length; row++) begins[(codeOf[row] >>> shift) + 1]++;
    for (let bucket = 0; bucket < size; bucket++) begins[bucket + 1] += begins[bucket];
    this.size = size;
    this.codesPerBucket = 2 ** shift;
    this.begins = begins;
    this.#codeOf = codeOf;
    this.#shift = shift;
  }

  /** A column in the order of the buckets. */
  divide(column: Uint32Array): Uint32Array {
    const codeOf = this.#codeOf;
    const shift = this.#shift;
    const cursor = this.begins.slice();
    const divided = new Uint32Array(codeOf.length);
    for (let row = 0; row < codeOf.length; row++) divided[cursor[codeOf[row] >>> shift]++] = column[row];
    return divided;
  }

  /** The rows' codes in the order of the buckets. */
  codes(): Uint32Array {
    return this.divide(this.#codeOf);
  }

  /** The rows' numbers in the order of the buckets. */
  rows(): Uint32Array {
    const codeOf = this.#codeOf;
    const shift = this.#shift;
    const cursor = this.begins.slice();
    const rows = new Uint32Array(codeOf.length);
    for (let row = 0; row < codeOf.length; row++) rows[cursor[codeOf[row] >>> shift]++] = row;
    return rows;
  }

  /** Bytes in the order of the buckets, in the order of the rows. */
  bytesInRowOrder(divided: Uint8Array): Uint8Array {
    const codeOf = this.#codeOf;
    const shift = this.#shift;
    const cursor = this.begins.slice();
    const rows = new Uint8Array(codeOf.length);
    for (let row = 0; row < codeOf.length; row++) rows[row] = divided[cursor[codeOf[row] >>> shift]++];
    return rows;
  }

  /** Numbers in the order of the buckets, in the order of the rows. */
  inRowOrder(divided: Uint32Array): Uint32Array {
    const codeOf = this.#codeOf;
    const shift = this.#shift;
    const cursor = this.begins.slice();
    const rows = new Uint32Array(codeOf.length);
    for (let row = 0; row < codeOf.length; row++) rows[row] = divided[cursor[codeOf[row] >>> shift]++];
    return rows;
  }
}

/** table[codeOf[row]] of every row. */
export function looked(codeOf: Uint32Array, table: Uint32Array, options?: BucketOptions): Uint32Array {
  const buckets = new RowBuckets(codeOf, table.length, options);
  const divided = buckets.codes();
  for (let place = 0; place < divided.length; place++) divided[place] = table[divided[place]];
  return buckets.inRowOrder(divided);
}

/** Rows by their code (a user, an item): rows[offsets[c] .. offsets[c + 1]) are those of code c, in their order. */
export interface Grouped {
  readonly offsets: Uint32Array;
  readonly rows: Uint32Array;
}

/** Groups rows by their code, below `codes`. */
export function groupRows(codeOf: Uint32Array, codes: number, options?: BucketOptions): Grouped {
  const buckets = new RowBuckets(codeOf, codes, options);
  const dividedCodes = buckets.codes();
  const offsets = new Uint32Array(codes + 1);
  for (let place = 0; place < codeOf.length; place++) offsets[dividedCodes[place] + 1]++;
  for (let code = 0; code < codes; code++) offsets[code + 1] += offsets[code];
  const cursor = offsets.slice(0, codes);
  const dividedRows = buckets.rows();
  const rows = new Uint32Array(codeOf.length);
  for (let place = 0; place < codeOf.length; place++)
    rows[cursor[dividedCodes[place]]++] = dividedRows[place];
  return { offsets, rows };
}

/** The codes that have rows, ascending. */
export function presentCodes(codeOf: Uint32Array, codes: number): Uint32Array {
  return new PresentCodes(codeOf, codes).all();
}

/** Which codes have rows, in one bit per code, so that the whole set fits into a processor's cache. */
export class PresentCodes {
  /** The number of codes that have rows. */
  readonly size: number;
  /** Code c is bit c % 32 of word floor(c / 32). */
  readonly #words: Uint32Array;
  /** [words]: how many codes of earlier words have rows. */
  readonly #before: Uint32Array;

  constructor(codeOf: Uint32Array, codes: number) {
    const words = new Uint32Array(Math.ceil(codes / 32));
    for (let row = 0; row < codeOf.length; row++) words[codeOf[row] >>> 5] |= 1 << (codeOf[row] & 31);
    const before = new Uint32Array(words.length);
    let size = 0;
    for (let word = 0; word < words.length; word++) {
      before[word] = size;
      size += ones(words[word]);
    }
    this.size = size;
    this.#words = words;
    this.#before = before;
  }

  /** The codes that have rows, ascending. */
  all(): Uint32Array {
    const all = new Uint32Array(this.size);
    let place = 0;
    for (let word = 0; word < this.#words.length; word++)
      for (let bits = this.#words[word]; bits !== 0; bits &= bits - 1)
        all[place++] = 32 * word + 31 - Math.clz32(bits & -bits);
    return all;
  }

  /** Replaces each code, which has rows, by its place in `all`. */
  rank(codeOf: Uint32Array): void {
    const [words, before] = [this.#words, this.#before];
    for (let row = 0; row < codeOf.length; row++) {
      const code = codeOf[row];
      const word = code >>> 5;
      codeOf[row] = before[word] + ones(words[word] & ((1 << (code & 31)) - 1));
    }
  }
}

/** The number of bits that are set. */
function ones(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
