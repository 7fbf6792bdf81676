// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11): a bijection of a
// 128-bit counter under a 64-bit key. Each word can be computed independently, in any order and on any machine. Random bits
// are therefore addressed by (seed, step, stream, element) instead of drawn from a state, and a resumed run needs no state.

/**
 * Addresses the random bits of one tensor in one step: key = the seed's two 32-bit halves (low, high), counter = (block, 0,
 * step, stream) with block = floor(element / 4), and the word of the element is element mod 4.
 * The element of a dense tensor is row * columns + column; of a sparse one, the position of its entry. Both refer to the whole
 * batch and the whole catalogue, even if a tensor is only a part of them (docs/decisions/one-training-step.md).
 * Convention: step 0 is used before training (initial values); training counts its updates from 1.
 */
export interface RandomKey {
  /** A non-negative integer below 2^53. */
  readonly seed: number;
  /** The step of the run, below 2^32. */
  readonly step: number;
  /** The random tensor within the step, below 2^32. `streamOf` derives it from a name. */
  readonly stream: number;
}

/** Throws RangeError unless the seed is an integer in [0, 2^53) and step and stream are integers in [0, 2^32). */
export function checkRandomKey(key: RandomKey): void {
  if (!Number.isSafeInteger(key.seed) || key.seed < 0)
    throw new RangeError(`random key: seed ${key.seed} is not an integer in [0, 2^53)`);
  if (key.step >>> 0 !== key.step)
    throw new RangeError(`random key: step ${key.step} is not an integer in [0, 2^32)`);
  if (key.stream >>> 0 !== key.stream)
    throw new RangeError(`random key: stream ${key.stream} is not an integer in [0, 2^32)`);
}

/** The stream number of a name (FNV-1a, 32 bits): adding a random tensor does not change the bits of the others. */
export function streamOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Writes the four words of one block, out[at .. at + 4) = philox(counter (c0, c1, c2, c3), key (k0, k1)). */
export function philoxBlock(
  out: Uint32Array,
  at: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  k0: number,
  k1: number,
): void {
  for (let round = 0; round < 10; round++) {
    const high0 = highWord(0xd2511f53, c0);
    const high1 = highWord(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[at] = c0;
  out[at + 1] = c1;
  out[at + 2] = c2;
  out[at + 3] = c3;
}

/** The upper 32 bits of a * b, from 16-bit halves (as int32). */
function highWord(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const carry = ((middle & 0xffff) + Math.imul(aLow, bHigh)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** Fills `out` with the words of the elements first, first + 1, ... */
export function randomWords(key: RandomKey, first: number, out: Uint32Array): void {
  if (first % 4 !== 0) {
    withinBlock(first, out, (piece, start) => randomWords(key, start, piece));
    return;
  }
  const low = key.seed >>> 0;
  const high = Math.floor(key.seed / 2 ** 32) >>> 0;
  const firstBlock = first / 4;
  const whole = out.length >>> 2;
  for (let b = 0; b < whole; b++) philoxBlock(out, 4 * b, firstBlock + b, 0, key.step, key.stream, low, high);
  if (out.length & 3) {
    const last = new Uint32Array(4);
    philoxBlock(last, 0, firstBlock + whole, 0, key.step, key.stream, low, high);
    out.set(last.subarray(0, out.length & 3), 4 * whole);
  }
}

/** Fills `out` from an element that does not start a block: calls `fill` for the complete first block and for the rest. */
function withinBlock<T extends Uint32Array | Float32Array | Float64Array>(
  first: number,
  out: T,
  fill: (piece: T, first: number) => void,
): void {
  const skip = first % 4;
  const block = new (out.constructor as new (length: number) => T)(4);
  fill(block, first - skip);
  const head = Math.min(4 - skip, out.length);
  out.set(block.subarray(skip, skip + head));
  if (out.length > head) fill(out.subarray(head) as T, first + head);
}

/** A word as a number in (0, 1), never 0 or 1: ((word >>> 9) + 0.5) / 2^23, exact in float32. */
export function uniformOf(word: number): number {
  return ((word >>> 9) + 0.5) * 2 ** -23;
}

/**
 * Fills `out` with standard normals for the elements first, first + 1, ...: Box-Muller on the pairs of
 * words of each block, radius sqrt(-2 ln u(w0)), angle 2 pi u(w1), element 0 = radius cos(angle), element 1 = radius sin(angle);
 * likewise w2, w3.
 */
export function randomNormals(key: RandomKey, out: Float32Array | Float64Array, first = 0): void {
  if (first % 4 !== 0) {
    withinBlock(first, out, (piece, start) => randomNormals(key, piece, start));
    return;
  }
  const words = new Uint32Array(Math.min(4096, (out.length + 3) & ~3));
  for (let start = 0; start < out.length; start += words.length) {
    randomWords(key, first + start, words);
    const end = Math.min(words.length, out.length - start);
    for (let i = 0; i < end; i += 2) {
      const radius = Math.sqrt(-2 * Math.log(uniformOf(words[i])));
      const angle = 2 * Math.PI * uniformOf(words[i + 1]);
      out[start + i] = radius * Math.cos(angle);
      if (i + 1 < end) out[start + i + 1] = radius * Math.sin(angle);
    }
  }
}

/** Fills `out` with numbers in (0, 1) for the elements first, first + 1, ... */
export function randomUniforms(key: RandomKey, out: Float32Array | Float64Array, first = 0): void {
  if (first % 4 !== 0) {
    withinBlock(first, out, (piece, start) => randomUniforms(key, piece, start));
    return;
  }
  const words = new Uint32Array(Math.min(4096, (out.length + 3) & ~3));
  for (let start = 0; start < out.length; start += words.length) {
    randomWords(key, first + start, words);
    const end = Math.min(words.length, out.length - start);
    for (let i = 0; i < end; i++) out[start + i] = uniformOf(words[i]);
  }
}

/** A sequence of draws from the words of one key, for sequential work (shuffles, templates). */
export class RandomSequence {
  readonly #key: RandomKey;
  readonly #words = new Uint32Array(256);
  #drawn = 0;

  /** Throws RangeError for a key out of range. */
  constructor(key: RandomKey) {
    checkRandomKey(key);
    this.#key = key;
  }

  /** The next 32 random bits. */
  word(): number {
    const at = this.#drawn % this.#words.length;
    if (at === 0) randomWords(this.#key, this.#drawn, this.#words);
    this.#drawn++;
    return this.#words[at];
  }

  /** A uniform integer in [0, bound), by rejection of the words in the incomplete last range; bound in [1, 2^32]. */
  below(bound: number): number {
    if (!(Number.isInteger(bound) && bound >= 1 && bound <= 2 ** 32))
      throw new RangeError(`RandomSequence.below: bound ${bound} is not an integer in [1, 2^32]`);
    const limit = 2 ** 32 - (2 ** 32 % bound);
    let word = this.word();
    while (word >= limit) word = this.word();
    return word % bound;
  }

  /** A number in (0, 1). */
  uniform(): number {
    return uniformOf(this.word());
  }

  /** A standard normal (Box-Muller, one of the pair). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Shuffles in place (Fisher and Yates, from the end) and returns its argument. */
  shuffle<T extends Uint32Array | Int32Array | Float32Array | Float64Array | unknown[]>(list: T): T {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const held = list[i];
      list[i] = list[j];
      list[j] = held;
    }
    return list;
  }
}

/** A uniformly random permutation of 0 .. n - 1. */
export function permutation(seed: number, step: number, stream: number, n: number): Uint32Array {
  return new RandomSequence({ seed, step, stream }).shuffle(Uint32Array.from({ length: n }, (_, i) => i));
}
