import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { giniIndex } from "../../src/evaluation/gini.js";

const counts = fc
  .array(fc.nat({ max: 1000 }), { minLength: 2, maxLength: 30 })
  .filter((list) => list.some((n) => n > 0));

describe("the Gini index", () => {
  it("is 0 if all items are chosen equally often, and 1 if one item is always chosen", () => {
    expect(giniIndex(Uint32Array.of(7, 7, 7, 7))).toBe(0);
    expect(giniIndex(Uint32Array.of(0, 9, 0, 0))).toBe(1);
    expect(giniIndex(new Uint32Array(4))).toBe(0);
    expect(giniIndex(Uint32Array.of(3))).toBe(0);
  });

  it("of 1, 2, 3, 4 is 10 / 30", () => {
    // (-3 * 1 - 1 * 2 + 1 * 3 + 3 * 4) / 10 = 1, over n - 1 = 3.
    expect(giniIndex(Uint32Array.of(3, 1, 4, 2))).toBeCloseTo(1 / 3, 12);
  });

  it("does not depend on order and scale", () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 9 }), (list, factor) => {
        const value = giniIndex(Uint32Array.from(list));
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
        expect(giniIndex(Uint32Array.from(list.toReversed()))).toBe(value);
        expect(giniIndex(Uint32Array.from(list, (n) => factor * n))).toBeCloseTo(value, 12);
      }),
    );
  });

  it("falls when a more popular item gives one to a less popular item", () => {
    fc.assert(
      fc.property(counts, fc.nat(), fc.nat(), (list, a, b) => {
        const [rich, poor] = [a % list.length, b % list.length];
        if (list[rich] < list[poor] + 2) return;
        const moved = list.with(rich, list[rich] - 1);
        moved[poor]++;
        expect(giniIndex(Uint32Array.from(moved))).toBeLessThan(giniIndex(Uint32Array.from(list)));
      }),
    );
  });
});
