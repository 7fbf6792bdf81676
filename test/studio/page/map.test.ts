import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Grid } from "../../../studio/src/map/grid.js";
import { moved, pointAt, viewOf, viewText, WHOLE, zoomed } from "../../../studio/src/map/view.js";

const coordinate = fc.double({ min: -1, max: 1, noNaN: true });

describe("the grid", () => {
  it("finds the nearest point within a distance, like a search through all of them", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(coordinate, coordinate), { minLength: 1, maxLength: 200 }),
        fc.tuple(coordinate, coordinate),
        fc.double({ min: 0.01, max: 0.5, noNaN: true }),
        (points, [x, y], within) => {
          const distances = points.map(([px, py]) => (px - x) ** 2 + (py - y) ** 2);
          const least = Math.min(...distances);
          const found = new Grid(
            points.map(([px]) => px),
            points.map(([, py]) => py),
          ).nearest(x, y, within);
          if (least < within * within) expect(found).toBe(distances.indexOf(least));
          else if (least > within * within) expect(found).toBeUndefined();
        },
      ),
    );
  });

  it("visits every point of a rectangle, and few of 20,000 in a small one", () => {
    const x = Float64Array.from({ length: 20_000 }, (_, i) => ((i * 0.754_877) % 1) * 2 - 1);
    const y = Float64Array.from({ length: 20_000 }, (_, i) => ((i * 0.569_84) % 1) * 2 - 1);
    const grid = new Grid(x, y);
    const visited: number[] = [];
    grid.each(0.1, 0.1, 0.2, 0.2, (point) => visited.push(point));
    const inside = [...x.keys()].filter((i) => x[i] >= 0.1 && x[i] <= 0.2 && y[i] >= 0.1 && y[i] <= 0.2);
    expect(inside.filter((point) => !visited.includes(point))).toEqual([]);
    expect(visited.length).toBeLessThan(2.5 * inside.length);
    const all: number[] = [];
    grid.each(-9, -9, 9, 9, (point) => all.push(point));
    expect(new Set(all).size).toBe(20_000);
  });
});

describe("the view", () => {
  const size = { width: 800, height: 600 };

  it("keeps the point at the pointer when it zooms", () => {
    const view = { x: 0.1, y: -0.2, zoom: 3 };
    const before = pointAt(view, size, 500, 200);
    const after = pointAt(zoomed(view, size, 1.7, 500, 200), size, 500, 200);
    expect(after.x).toBeCloseTo(before.x, 10);
    expect(after.y).toBeCloseTo(before.y, 10);
  });

  it("moves with the pointer, and not off the map", () => {
    const view = { x: 0, y: 0, zoom: 2 };
    const before = pointAt(view, size, 100, 100);
    const after = pointAt(moved(view, size, 30, -20), size, 130, 80);
    expect(after.x).toBeCloseTo(before.x, 10);
    expect(after.y).toBeCloseTo(before.y, 10);
    expect(moved(view, size, -1e6, 1e6)).toMatchObject({ x: 1, y: 1 });
    expect(zoomed(WHOLE, size, 0.1, 0, 0).zoom).toBe(1);
    expect(zoomed(WHOLE, size, 1e9, 0, 0).zoom).toBe(400);
  });

  it("is in the address, where nonsense means the whole map", () => {
    const view = { x: 0.25, y: -0.5, zoom: 12.5 };
    expect(viewOf(viewText(view))).toEqual(view);
    expect(viewText(WHOLE)).toBe("");
    for (const text of [null, "", "1,2", "a,b,c", "0,0,Infinity"]) expect(viewOf(text)).toEqual(WHOLE);
    expect(viewOf("7,-7,0")).toEqual({ x: 1, y: -1, zoom: 1 });
  });
});
