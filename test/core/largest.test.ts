import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { largest } from "../../src/core/largest.js";

describe("the largest of many numbers", () => {
  const sorted = (numbers: readonly number[], k: number, among = numbers.map((_, place) => place)) =>
    [...among].sort((a, b) => numbers[b] - numbers[a] || a - b).slice(0, k);

  it("are the first of the sorted numbers, ties by index", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 40 }), fc.nat(45), (numbers, k) => {
        expect(largest(numbers, k)).toEqual(sorted(numbers, k));
        const among = numbers.map((_, place) => place).filter((place) => place % 3 !== 1);
        expect(largest(numbers, k, among)).toEqual(sorted(numbers, k, among));
      }),
    );
  });

  it("for k around the count: all numbers, or all but the smallest", () => {
    const numbers = [5, 1, 4, 4, 9, -2];
    expect(largest(numbers, 5)).toEqual([4, 0, 2, 3, 1]);
    for (const k of [6, 7]) expect(largest(numbers, k)).toEqual([4, 0, 2, 3, 1, 5]);
  });
});
