import { describe, expect, it } from "vitest";
import { extent } from "../../src/core/extent.js";

describe("the extent of numbers", () => {
  it("is the smallest and the largest, for any count", () => {
    expect(extent([3, -1, 2])).toEqual([-1, 3]);
    expect(extent([])).toEqual([Infinity, -Infinity]);
    expect(extent(Float64Array.from({ length: 1e6 }, (_, k) => k - 5))).toEqual([-5, 999_994]);
  });
});
