import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countBits, hasBit, setBit, sliceBits, wordsFor } from "../../src/core/bits.js";

const drawn = fc
  .integer({ min: 1, max: 200 })
  .chain((size) => fc.tuple(fc.constant(size), fc.uniqueArray(fc.nat(size - 1)), fc.nat(size), fc.nat(size)));

describe("a set as bits", () => {
  it("has what was added, and a part of it has the same, counted from its beginning", () => {
    fc.assert(
      fc.property(drawn, ([size, elements, a, b]) => {
        const words = new Uint32Array(wordsFor(size));
        for (const element of elements) setBit(words, element);
        const within = (set: Uint32Array, length: number) =>
          Array.from({ length }, (_, at) => at).filter((at) => hasBit(set, at));
        const ordered = elements.toSorted((a, b) => a - b);
        expect(within(words, size)).toEqual(ordered);
        expect(countBits(words)).toBe(elements.length);
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const part = sliceBits(words, from, to);
        const expected = ordered.filter((at) => at >= from && at < to).map((at) => at - from);
        expect(part).toHaveLength(wordsFor(to - from));
        expect(within(part, 32 * part.length)).toEqual(expected);
      }),
    );
  });
});
