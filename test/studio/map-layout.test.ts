import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { RandomSequence } from "../../src/core/philox.js";
import { layOut, nearestRows, principalComponents } from "../../src/studio/map-layout.js";

let engine: Engine;
beforeAll(async () => {
  engine = await openEngine();
});
afterAll(() => engine.close());

const sequence = (seed: number) => new RandomSequence({ seed, step: 0, stream: 0 });

/** Unit vectors around as many centres, one after the other. */
function clusters(count: number, each: number, width: number): Float32Array {
  const random = sequence(7);
  const data = new Float32Array(count * each * width);
  for (let cluster = 0; cluster < count; cluster++) {
    const centre = Array.from({ length: width }, () => random.normal());
    for (let member = 0; member < each; member++) {
      const row = centre.map((value) => value + 0.3 * random.normal());
      const length = Math.hypot(...row);
      data.set(
        row.map((value) => value / length),
        (cluster * each + member) * width,
      );
    }
  }
  return data;
}

describe("the nearest rows", () => {
  it("are those with the largest products, without the row itself, more than a block of them", async () => {
    const [rows, width, count] = [300, 8, 6];
    const data = clusters(5, rows / 5, width);
    const { near, similarities } = await nearestRows(engine, data, width, count);
    for (const row of [0, 17, 255, 256, 299]) {
      const products = Array.from({ length: rows }, (_, other) => {
        let sum = 0;
        for (let c = 0; c < width; c++) sum += data[row * width + c] * data[other * width + c];
        return { other, sum };
      })
        .filter(({ other }) => other !== row)
        .sort((a, b) => b.sum - a.sum)
        .slice(0, count);
      expect([...near.subarray(row * count, (row + 1) * count)]).toEqual(products.map(({ other }) => other));
      for (const [k, { sum }] of products.entries())
        expect(similarities[row * count + k]).toBeCloseTo(sum, 5);
    }
  });

  it("of equal rows are the others, each once", async () => {
    const data = Float32Array.from({ length: 12 }, (_, at) => (at % 2 === 0 ? 1 : 0));
    const { near } = await nearestRows(engine, data, 2, 3);
    for (let row = 0; row < 6; row++) {
      const own = [...near.subarray(3 * row, 3 * row + 3)];
      expect(new Set(own).size).toBe(3);
      expect(own).not.toContain(row);
    }
  });
});

describe("principal components", () => {
  it("are the axes of an ellipse, however it is turned", () => {
    // Points on the axes of an ellipse, turned by 30 degrees and moved: the components are their positions along the axes.
    const [cos, sin] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];
    const along = [
      [4, 0],
      [-4, 0],
      [0, 1],
      [0, -1],
    ];
    const data = Float32Array.from(
      along.flatMap(([a, b]) => [a * cos - b * sin + 10, a * sin + b * cos - 3, 5]),
    );
    const found = principalComponents(data, 3, sequence(1));
    const sign = Math.sign(found[0]);
    for (const [row, [a, b]] of along.entries()) {
      expect(found[2 * row] * sign).toBeCloseTo(a / 4, 5);
      expect(Math.abs(found[2 * row + 1])).toBeCloseTo(Math.abs(b) / 4, 5);
    }
  });
});

describe("the layout", () => {
  it("puts items of a cluster together, fills the square, and is the same each time", async () => {
    const [count, each] = [4, 40];
    const data = clusters(count, each, 16);
    const told: string[] = [];
    const { x, y, neighbours, near } = await layOut(engine, data, 16, (what) => told.push(what));
    expect(neighbours).toBe(15);
    expect(near.length).toBe(15 * count * each);
    const middle = (values: Float32Array, cluster: number) =>
      values.subarray(cluster * each, (cluster + 1) * each).reduce((sum, value) => sum + value, 0) / each;
    // Every item is nearer to the middle of its own cluster than to any other.
    for (let row = 0; row < count * each; row++) {
      const distances = Array.from({ length: count }, (_, cluster) =>
        Math.hypot(x[row] - middle(x, cluster), y[row] - middle(y, cluster)),
      );
      expect(distances.indexOf(Math.min(...distances))).toBe(Math.floor(row / each));
    }
    const most = Math.max(...[...x, ...y].map(Math.abs));
    expect(most).toBeCloseTo(1, 6);
    expect(new Set(told)).toEqual(new Set(["finding the nearest items", "arranging the items"]));
    const again = await layOut(engine, data, 16);
    expect(again.x).toEqual(x);
    expect(again.y).toEqual(y);
  });

  it("arranges as few as four items", async () => {
    const { x, y, neighbours } = await layOut(engine, clusters(2, 2, 4), 4);
    expect(neighbours).toBe(3);
    expect([...x, ...y].every((value) => Math.abs(value) <= 1)).toBe(true);
  });
});
