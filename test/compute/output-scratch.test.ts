import { describe, expect, it } from "vitest";
import { outputColumns, outputColumnsBf16 } from "../../src/compute/output-scratch.js";

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

  it("in bfloat16 has half a column per item and the statistics of its blocks, up to 2^26 numbers, or keeps nothing", () => {
    expect(outputColumnsBf16(500, 20_108)).toBe(10_054 + 4 * 79);
    expect([255, 256, 257].map((items) => outputColumnsBf16(1, items))).toEqual([132, 132, 137]);
    // 2^26 / 512 = 131,072 columns are those of 254,200 items.
    expect(outputColumnsBf16(512, 254_200)).toBe(131_072);
    expect(outputColumnsBf16(512, 254_201)).toBe(1);
  });
});
