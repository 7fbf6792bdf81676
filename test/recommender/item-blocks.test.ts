// Blocks of similar items: every item is in one block, and ranking by blocks gives the result of ranking all items.

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { openEngine } from "../../src/compute/open-engine.js";
import { randomNormals } from "../../src/core/philox.js";
import { itemBlocks } from "../../src/recommender/item-blocks.js";
import { ProductRanking } from "../../src/recommender/product-ranking.js";
import { fromRows } from "../../src/sparse/csr.js";
import { engineNames } from "../support/engine-names.js";

function normals(length: number, stream: number): Float32Array {
  const data = new Float32Array(length);
  randomNormals({ seed: 3, step: 0, stream }, data);
  return data;
}

describe.each(engineNames)("blocks of items on the %s engine", async (name) => {
  const engine = await openEngine({ engine: name, threads: 2 });
  afterAll(() => engine.close());

  it("contain every item once, the same for any number of threads", async () => {
    const [items, width] = [3000, 8];
    const data = normals(items * width, 1);
    const weights = engine.tensor(items, width, data);
    const blocks = await itemBlocks(engine, weights);
    expect([...blocks.indices].sort((a, b) => a - b)).toEqual([...Array(items).keys()]);
    expect(blocks.offsets[blocks.rows]).toBe(items);
    for (let b = 0; b < blocks.rows; b++) {
      const size = blocks.offsets[b + 1] - blocks.offsets[b];
      expect(size).toBeGreaterThan(0);
      expect(size).toBeLessThanOrEqual(512);
    }
    const other = await openEngine({ engine: name, threads: 1 });
    expect(await itemBlocks(other, other.tensor(items, width, data))).toEqual(blocks);
    await other.close();
  });

  it("divide items that are all alike", async () => {
    const blocks = await itemBlocks(engine, engine.tensor(2000, 2, new Float32Array(4000).fill(1)));
    expect([...blocks.indices].sort((a, b) => a - b)).toEqual([...Array(2000).keys()]);
    expect(blocks.rows).toBeGreaterThan(1);
  });

  it("of no items are none", async () => {
    expect((await itemBlocks(engine, engine.empty(0, 3))).rows).toBe(0);
  });

  it("rank as all products do: ties, items left out, more than there are, unusual numbers", async () => {
    const whole = fc.integer({ min: -2, max: 2 });
    const unusual = fc.constantFrom(Number.NaN, Infinity, -Infinity, 1e30, 1e-30);
    const numbers = fc.oneof({ weight: 60, arbitrary: whole }, { weight: 1, arbitrary: unusual });
    const question = fc.record({
      width: fc.integer({ min: 1, max: 5 }),
      items: fc.integer({ min: 1, max: 40 }),
      rows: fc.integer({ min: 1, max: 3 }),
      k: fc.integer({ min: 1, max: 60 }),
      seed: fc.infiniteStream(numbers),
      out: fc.array(fc.array(fc.nat(39), { maxLength: 40 }), { minLength: 3, maxLength: 3 }),
      cuts: fc.array(fc.nat(40), { maxLength: 8 }),
      biased: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(question, async ({ width, items, rows, k, seed, out, cuts, biased }) => {
        const draw = (count: number) => Array.from({ length: count }, () => seed.next().value as number);
        const weights = engine.tensor(items, width, draw(items * width));
        const bias = biased ? engine.tensor(1, items, draw(items)) : undefined;
        const hidden = engine.tensor(rows, width, draw(rows * width));
        const encode = () => hidden;
        const ranking = new ProductRanking(engine, { encode, weights, bias }, { final: true });
        const given = out.slice(0, rows).map((list) => [...new Set(list)].filter((item) => item < items));
        const without = fromRows(
          items,
          given.map((list) => list.sort((a, b) => a - b)),
        );
        const expected = await ranking.topK(hidden, Math.min(k, items), without);
        // Items in any order, cut into blocks anywhere: blocks affect only the time.
        const order = [...Array(items).keys()].sort((a, b) => ((a * 7) % 11) - ((b * 7) % 11) || a - b);
        const ends = [...new Set([...cuts.filter((cut) => cut < items), items])].sort((a, b) => a - b);
        const lists = ends.map((end, e) => order.slice(ends[e - 1] ?? 0, end).sort((a, b) => a - b));
        ranking.useIndex({ blocks: fromRows(items, lists) });
        expect(await ranking.topK(hidden, Math.min(k, items), without)).toEqual(expected);
        ranking.dispose();
        for (const tensor of [weights, hidden, ...(bias ? [bias] : [])]) engine.release(tensor);
      }),
      { numRuns: 300 },
    );
  });

  it("rank, if their number is limited, the items of the blocks with the highest centres", async () => {
    // Three far groups of five items each.
    const centres = [
      [10, 0],
      [0, 10],
      [-10, 0],
    ];
    const data = centres.flatMap(([x, y]) => Array.from({ length: 5 }, (_, i) => [x + i / 10, y - i / 10]));
    const weights = engine.tensor(15, 2, data.flat());
    const blocks = fromRows(
      15,
      [0, 1, 2].map((group) => [0, 1, 2, 3, 4].map((i) => 5 * group + i)),
    );
    const hidden = engine.tensor(1, 2, [1, 0.5]);
    const ranking = new ProductRanking(engine, { encode: () => hidden, weights }, { final: true });
    const top = async (most: number | undefined) => {
      ranking.useIndex({ blocks, ...(most !== undefined && { most }) });
      return [...(await ranking.topK(hidden, 12, fromRows(15, [[4]]))).items];
    };
    const none = 0xffffffff;
    const first = [3, 2, 1, 0];
    const second = [9, 8, 7, 6, 5];
    expect(await top(1)).toEqual([...first, ...Array(8).fill(none)]);
    expect(await top(2)).toEqual([...first, ...second, ...Array(3).fill(none)]);
    expect(await top(undefined)).toEqual([...first, ...second, 14, 13, 12]);
    // With a filter, blocks without an item to choose from do not count, and k items are found where there are k.
    const among = async (most: number, k: number, allowed: readonly number[]) => {
      ranking.useIndex({ blocks, most });
      const words = Uint32Array.of(allowed.reduce((bits, item) => bits | (1 << item), 0));
      const { items } = await ranking.topK(hidden, k, fromRows(15, [[4]]), undefined, words);
      return [...items].filter((item) => item !== none);
    };
    expect(await among(1, 2, [4, 6, 7, 8, 12])).toEqual([8, 7]);
    expect(await among(1, 4, [4, 6, 7, 8, 12])).toEqual([8, 7, 6, 12]);
    expect(await among(1, 12, [0, 13])).toEqual([0, 13]);
    expect(await among(1, 1, [0, 13])).toEqual([0]);
    ranking.dispose();
  });
});
