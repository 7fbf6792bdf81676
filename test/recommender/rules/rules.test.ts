import { describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import type { Filter } from "../../../src/recommender/filter/filter.js";
import {
  largerPool,
  poolSize,
  type RuleOptions,
  rulesOf,
  valuesOf,
} from "../../../src/recommender/rules/rules.js";
import { vocabulary } from "../../support/datasets.js";
import { itemsOf } from "../../support/filters.js";

const items = vocabulary("item", 3);
const film = { released: null, colour: null, inStock: null };
const films = itemsOf([
  { ...film, genre: ["Comedy", "Drama"], year: 1990 },
  { ...film, genre: ["Comedy"], year: 2000 },
  { ...film, genre: [], year: null },
]);
const counted = items.withPopularity({ users: 16, counts: Uint32Array.of(16, 4, 0) });

describe("rules", () => {
  it.each([
    [1, 200],
    [19, 200],
    [20, 200],
    [21, 210],
    [99, 990],
    [100, 1000],
    [101, 1000],
    [999, 1000],
    [1000, 1000],
    [1001, 1001],
  ])("for %i items choose from the best %i", (k, pool) => {
    expect(poolSize(k)).toBe(pool);
  });

  it.each([
    [200, 2000],
    [999, 9990],
    [1000, 10_000],
    [1001, 10_000],
    [10_000, 10_000],
    [20_000, 20_000],
  ])("after a pool of %i items try one of %i", (pool, larger) => {
    expect(largerPool(pool)).toBe(larger);
  });

  it("without weights are none", async () => {
    expect(await rulesOf(items, {})).toBeUndefined();
    expect(await rulesOf(items, { diversity: 0, novelty: 0, atMost: {}, boost: [] })).toBeUndefined();
    const nothing = { where: { attribute: "year", is: 1990 }, by: 0 };
    expect(await rulesOf(films, { boost: [nothing] })).toBeUndefined();
  });

  it("reject weights outside 0 to 1, naming the option", async () => {
    for (const weight of [-0.1, 1.1, Number.NaN, "0.5" as unknown as number])
      for (const name of ["diversity", "novelty"])
        await expect(rulesOf(counted, { [name]: weight })).rejects.toThrow(
          `${name}: ${weight} is not a weight (expected a number from 0 to 1)`,
        );
    await expect(rulesOf(items, { novelty: 0.2 })).rejects.toThrow(UserError);
    await expect(rulesOf(items, { novelty: 0.2 })).rejects.toThrow(/without the popularity of its items/);
  });

  it.each<[RuleOptions, RegExp]>([
    [{ atMost: { yaer: 1 } }, /^atMost: the items have no attribute "yaer".*Did you mean "year"/],
    [{ atMost: { year: 0 } }, /^atMost\.year: 0 is not a number of items \(expected a whole number/],
    [{ atMost: { year: 1.5 } }, /^atMost\.year: 1\.5 is not a number of items/],
    [{ boost: [{ where: { attribute: "year", is: 1990 }, by: 2 }] }, /^boost\[0\]\.by: 2 is not a weight/],
    [{ boost: [{ where: { attribute: "yr", is: 1 }, by: 1 }] }, /^boost\[0\]\.where.*no attribute "yr"/],
    [{ boost: [{ where: {} as Filter, by: 1 }] }, /^boost\[0\]\.where: is empty/],
    [{ boost: Array(21).fill({ where: { attribute: "year", is: 1 }, by: 1 }) }, /^boost: has 21 entries/],
  ])("reject %j, naming the place", async (options, message) => {
    await expect(rulesOf(films, options)).rejects.toThrow(message);
  });

  it("on attributes are refused for items without attributes", async () => {
    await expect(rulesOf(items, { atMost: { year: 1 } })).rejects.toThrow(/^atMost: .*no item attributes/);
  });

  it("value relevance, and self-information as a share of the highest possible", async () => {
    const relevance = Float64Array.of(0, 0.5, 1);
    const pool = Uint32Array.of(2, 1, 0);
    const values = async (novelty: number) => {
      const rules = await rulesOf(counted, { novelty, diversity: 0.5 });
      return rules && [...valuesOf(pool, relevance, rules)];
    };
    expect(await values(0)).toEqual([0, 0.5, 1]);
    // 4, 2 and 0 bits of 4.
    expect(await values(1)).toEqual([1, 0.5, 0]);
    expect(await values(0.25)).toEqual([0.25, 0.5, 0.75]);
  });

  it("add boosts to the value of their items", async () => {
    const boost = [
      { where: { attribute: "genre", is: "Comedy" }, by: 0.5 },
      { where: { attribute: "year", atLeast: 2000 }, by: -0.25 },
    ];
    const rules = await rulesOf(films, { boost });
    const relevance = Float64Array.of(1, 0.5, 0);
    expect(rules && [...valuesOf(Uint32Array.of(0, 1, 2), relevance, rules)]).toEqual([1.5, 0.75, 0]);
  });
});
