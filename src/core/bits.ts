// Sets of small whole numbers as bits, 32 in a word, the lowest first.

const BITS = 32;

/** The number of words of a set of numbers below `size`. */
export const wordsFor = (size: number): number => Math.ceil(size / BITS);

export const hasBit = (words: Uint32Array, at: number): boolean =>
  ((words[at >>> 5] >>> (at & 31)) & 1) === 1;

export function setBit(words: Uint32Array, at: number): void {
  words[at >>> 5] |= 1 << (at & 31);
}

/** The number of elements. */
export function countBits(words: Uint32Array): number {
  let count = 0;
  for (let w = 0; w < words.length; w++) {
    let word = words[w];
    word -= (word >>> 1) & 0x55555555;
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
    count += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}

/** The numbers [from, to) of a set, counted from `from`. */
export function sliceBits(words: Uint32Array, from: number, to: number): Uint32Array {
  const sliced = new Uint32Array(wordsFor(to - from));
  const [first, shift] = [from >>> 5, from & 31];
  for (let w = 0; w < sliced.length; w++) {
    const low = words[first + w] >>> shift;
    const high = shift === 0 ? 0 : (words[first + w + 1] ?? 0) << (BITS - shift);
    sliced[w] = low | high;
  }
  const rest = (to - from) & 31;
  if (rest > 0) sliced[sliced.length - 1] &= 2 ** rest - 1;
  return sliced;
}
