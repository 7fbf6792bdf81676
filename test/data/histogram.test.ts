import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countRatings, histogramOf, ratingBins } from "../../src/data/histogram.js";

const bins = (found: ReturnType<typeof histogramOf>) => found.map(({ from, to, count }) => [from, to, count]);

describe("histograms of a dataset", () => {
  it("count users in bins of 0, 1, 2, 3 to 4, 5 to 9, 10 to 19, 20 to 49, ...", () => {
    expect(bins(histogramOf(Uint32Array.of(1, 2, 2, 4, 9, 10, 21, 49)))).toEqual([
      [1, 1, 1],
      [2, 2, 2],
      [3, 4, 1],
      [5, 9, 1],
      [10, 19, 1],
      [20, 49, 2],
    ]);
    // Empty bins are left out at the ends only.
    expect(bins(histogramOf(Uint32Array.of(0, 5000)))).toHaveLength(14);
    expect(histogramOf(new Uint32Array(0))).toEqual([]);
  });

  it("put every count into the one bin that holds it", () =>
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30_000 }), { minLength: 1 }), (values) => {
        for (const { from, to, count } of histogramOf(Uint32Array.from(values)))
          expect(count).toBe(values.filter((value) => value >= from && value <= to).length);
        const total = histogramOf(Uint32Array.from(values)).reduce((sum, { count }) => sum + count, 0);
        expect(total).toBe(values.length);
      }),
    ));

  it("count ratings one by one, and twenty bins of equal width where there are more", () => {
    expect(bins(ratingBins(countRatings(Float32Array.of(5, 4, 4.5, 5))))).toEqual([
      [4, 4, 1],
      [4.5, 4.5, 1],
      [5, 5, 2],
    ]);
    expect(ratingBins(countRatings(Float32Array.from({ length: 20 }, (_, r) => r)))).toHaveLength(20);
    const many = ratingBins(countRatings(Float32Array.from({ length: 101 }, (_, r) => r)));
    expect(many.map(({ count }) => count)).toEqual([...Array(19).fill(5), 6]);
    expect(many[19]).toMatchObject({ from: 95, to: 100 });
  });
});
