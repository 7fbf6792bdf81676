import { describe, expect, it } from "vitest";
import { outputColumns } from "../../src/compute/output-scratch.js";

describe("the scratch of an output layer", () => {
  it("covers all items up to 2^26 numbers, and 2^22 numbers at a time beyond", () => {
    expect(outputColumns(512, 2 ** 17)).toBe(2 ** 17);
    expect(outputColumns(512, 2 ** 17 + 1)).toBe(2 ** 13);
    // ML-20M, and a million items.
    expect(outputColumns(500, 20_108)).toBe(20_108);
    expect(outputColumns(500, 1_000_000)).toBe(8388);
  });

  it("has columns for 256 items at least, and never for more than there are", () => {
    expect(outputColumns(2 ** 14, 2 ** 13)).toBe(256);
    expect(outputColumns(2 ** 15, 2 ** 13)).toBe(256);
    expect(outputColumns(2 ** 20, 100)).toBe(100);
    expect([outputColumns(0, 5), outputColumns(5, 0)]).toEqual([5, 0]);
  });
});
