import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AbortedError } from "../../../src/core/errors.js";
import { SharedTurns } from "../../../src/core/shared-turns.js";
import { type Selection, select } from "../../../src/recommender/rules/marginal-relevance.js";

const pauses = new SharedTurns().begin();
const itemsOf = async (selection: Selection) =>
  (await select(selection, pauses)).map((place) => selection.items[place]);
const angle = (...degrees: number[]) => ({
  width: 2,
  data: Float64Array.from(
    degrees.flatMap((d) => [Math.cos((d * Math.PI) / 180), Math.sin((d * Math.PI) / 180)]),
  ),
});

describe("maximal marginal relevance", () => {
  it("of a worked example", async () => {
    // Cosines: 20 and 21 1, 20 and 22 0, 20 and 23 1/2; 22 and 23 cos 30 = .866.
    const pool = {
      items: Uint32Array.of(20, 21, 22, 23),
      values: Float64Array.of(1, 0.9, 0.5, 0.4),
      vectors: angle(0, 0, 90, 60),
    };
    // After 20, with half the weight each: 21 .45 - .5, 22 .25 - 0, 23 .2 - .25; then 21 -.05, 23 .2 - .433.
    expect(await itemsOf({ ...pool, k: 4, diversity: 0.5 })).toEqual([20, 22, 21, 23]);
    // With .2: 21 .72 - .2, 22 .4 - 0, 23 .32 - .1.
    expect(await itemsOf({ ...pool, k: 2, diversity: 0.2 })).toEqual([20, 21]);
    // With similarity alone, the value chooses the first one.
    expect(await itemsOf({ ...pool, k: 3, diversity: 1 })).toEqual([20, 22, 23]);
  });

  it("without diversity orders by value; ties by value, then by index", async () => {
    const items = Uint32Array.of(9, 4, 7, 2);
    const values = Float64Array.of(1, 2, 2, 0);
    expect(await itemsOf({ items, values, k: 9, diversity: 0 })).toEqual([4, 7, 9, 2]);
    // All vectors are the same, so that similarity decides nothing.
    expect(await itemsOf({ items, values, k: 9, diversity: 1, vectors: angle(5, 5, 5, 5) })).toEqual([
      4, 7, 9, 2,
    ]);
    expect(
      await itemsOf({ items: new Uint32Array(), values: new Float64Array(), k: 3, diversity: 0 }),
    ).toEqual([]);
  });

  it("does not depend on the order of the pool, and shorter lists are the beginning of longer ones", async () => {
    const item = fc.record({ item: fc.nat(99), value: fc.nat(4), degrees: fc.nat(7) });
    const pools = fc.uniqueArray(item, { selector: ({ item }) => item, minLength: 1, maxLength: 12 });
    const of = (pool: { item: number; value: number; degrees: number }[], k: number, diversity: number) =>
      itemsOf({
        items: Uint32Array.from(pool, ({ item }) => item),
        values: Float64Array.from(pool, ({ value }) => value / 4),
        vectors: angle(...pool.map(({ degrees }) => 25 * degrees)),
        ...{ k, diversity },
      });
    await fc.assert(
      fc.asyncProperty(pools, fc.constantFrom(0, 0.3, 0.7, 1), fc.nat(12), async (pool, diversity, k) => {
        const all = await of(pool, 12, diversity);
        expect(all.toSorted()).toEqual(pool.map(({ item }) => item).toSorted());
        expect(await of(pool.toReversed(), 12, diversity)).toEqual(all);
        expect(await of(pool, k, diversity)).toEqual(all.slice(0, k));
      }),
    );
  });

  it("stops on request", async () => {
    const stopped = { due: true, yield: () => Promise.reject(new AbortedError()) };
    const selection = { items: Uint32Array.of(1), values: Float64Array.of(1), k: 1, diversity: 0 };
    await expect(select(selection, stopped)).rejects.toThrow(AbortedError);
  });
});
