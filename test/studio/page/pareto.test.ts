import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Point, paretoFront } from "../../../studio/src/charts/pareto.js";

const ids = (points: readonly Point[]) => points.map(({ id }) => id);
const point = (id: string, cost: number, quality: number): Point => ({ id, cost, quality });

describe("the Pareto front", () => {
  it("has the runs that no other run beats, by cost", () => {
    const points = [
      point("slow and best", 9, 0.5),
      point("fast", 1, 0.3),
      point("slower and worse", 2, 0.2),
      point("middle", 3, 0.4),
      point("as good as the middle, but slower", 4, 0.4),
    ];
    expect(ids(paretoFront(points))).toEqual(["fast", "middle", "slow and best"]);
  });

  it("has all runs that are equal", () => {
    expect(ids(paretoFront([point("a", 1, 1), point("b", 1, 1), point("c", 1, 0)]))).toEqual(["a", "b"]);
  });

  it("is what comparing every pair finds", () => {
    const small = fc.integer({ min: 0, max: 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(small, small), { maxLength: 30 }), (pairs) => {
        const points = pairs.map(([cost, quality], n) => point(String(n), cost, quality));
        const beats = (a: Point, b: Point) =>
          a.cost <= b.cost && a.quality >= b.quality && (a.cost < b.cost || a.quality > b.quality);
        const expected = points.filter((one) => !points.some((other) => beats(other, one)));
        expect(ids(paretoFront(points)).sort()).toEqual(ids(expected).sort());
      }),
    );
  });
});
