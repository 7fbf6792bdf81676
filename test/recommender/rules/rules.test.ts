import { describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { poolSize, rulesOf, valuesOf } from "../../../src/recommender/rules/rules.js";
import { vocabulary } from "../../support/datasets.js";

const items = vocabulary("item", 3);
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

  it("without weights are none", () => {
    expect(rulesOf(items, {})).toBeUndefined();
    expect(rulesOf(items, { diversity: 0, novelty: 0 })).toBeUndefined();
  });

  it("reject weights outside 0 to 1, naming the option", () => {
    for (const weight of [-0.1, 1.1, Number.NaN, "0.5" as unknown as number])
      for (const name of ["diversity", "novelty"])
        expect(() => rulesOf(counted, { [name]: weight })).toThrow(
          `${name}: ${weight} is not a weight (expected a number from 0 to 1)`,
        );
    expect(() => rulesOf(items, { novelty: 0.2 })).toThrow(UserError);
    expect(() => rulesOf(items, { novelty: 0.2 })).toThrow(/without the popularity of its items/);
  });

  it("value relevance, and self-information as a share of the highest possible", () => {
    const relevance = Float64Array.of(0, 0.5, 1);
    const pool = Uint32Array.of(2, 1, 0);
    const values = (novelty: number) => {
      const rules = rulesOf(counted, { novelty, diversity: 0.5 });
      return rules && [...valuesOf(pool, relevance, rules)];
    };
    expect(values(0)).toEqual([0, 0.5, 1]);
    // 4, 2 and 0 bits of 4.
    expect(values(1)).toEqual([1, 0.5, 0]);
    expect(values(0.25)).toEqual([0.25, 0.5, 0.75]);
  });
});
