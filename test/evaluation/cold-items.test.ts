import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NO_ITEM } from "../../src/compute/engine.js";
import { coldItems, topKOf } from "../../src/evaluation/cold-items.js";
import { evaluate, evaluateSplit } from "../../src/evaluation/evaluate.js";
import { fromRows } from "../../src/sparse/csr.js";
import { split } from "../support/datasets.js";
import { scoring } from "../support/fixed-scores.js";

describe("items without training interactions", () => {
  it("are those without an entry", () => {
    expect([...coldItems(fromRows(6, [[1, 4], [], [1]]))]).toEqual([0, 2, 3, 5]);
    expect([...coldItems(fromRows(2, [[1, 0]]))]).toEqual([]);
  });

  // Items 0 ... 5, of which 0, 2 and 5 are cold. The model's order: 1 4 5 0 3 2.
  const recommender = scoring(6, () => [3, 6, 1, 2, 5, 4]);
  const cold = Uint32Array.of(0, 2, 5);
  const users = split(fromRows(6, [[1], [4], [1]]), fromRows(6, [[0, 4], [2, 3], [3]]), "user");
  const metrics = ["recall-plain@1", "recall-plain@2", "mrr@6", "coverage@2"];

  it("are ranked by themselves, and nothing else counts as held out", async () => {
    const only = { items: cold, among: "themselves" } as const;
    const {
      rows,
      skipped,
      perUser,
      metrics: found,
    } = await evaluateSplit(recommender, users, { metrics, only });
    // Lists of everybody: 5 0 2. User 0 looks for 0, user 1 for 2, user 2 for nothing.
    expect([...rows]).toEqual([0, 1]);
    expect(skipped).toBe(1);
    expect([...perUser["recall-plain@1"]]).toEqual([0, 0]);
    expect([...perUser["recall-plain@2"]]).toEqual([1, 0]);
    expect([...perUser["mrr@6"]]).toEqual([1 / 2, 1 / 3]);
    expect(found["coverage@2"].mean).toBe(2 / 3);
  });

  it("are ranked among all items, of which the fold-in items are masked", async () => {
    const only = { items: cold, among: "all" } as const;
    const { perUser } = await evaluateSplit(recommender, users, { metrics: ["mrr@6"], only });
    // User 0: 4 5 0 3 2; user 1: 1 5 0 3 2.
    expect([...perUser["mrr@6"]]).toEqual([1 / 3, 1 / 5]);
  });

  it("are reported as missing if none is held out", async () => {
    const { items } = recommender;
    const dataset = {
      name: "set",
      items,
      users: users.users,
      train: users.foldIn,
      validation: users,
      test: users,
    };
    const only = { items: Uint32Array.of(5), among: "themselves" } as const;
    await expect(evaluate(recommender, dataset, { only })).rejects.toThrow(
      /none of its 3 test users has a held-out item among the 1 evaluated items/,
    );
  });

  it("the best of some items are the first of all items in their order, without the others", async () => {
    const number = fc.constantFrom(
      ...[1, 2, 2, 3, -1, 0.5, Number.NaN, Number.NEGATIVE_INFINITY].map(Math.fround),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(number, { minLength: 12, maxLength: 12 }),
        fc.subarray([...new Array(12).keys()]),
        fc.subarray([...new Array(12).keys()]),
        fc.integer({ min: 1, max: 14 }),
        async (row, chosen, known, k) => {
          const without = fromRows(12, [known]);
          const scores = scoring(12, () => row).score(fromRows(12, [[]]));
          const best = await topKOf(scores, Uint32Array.from(chosen), k, without);
          const value = (item: number) => (Number.isNaN(row[item]) ? Number.NEGATIVE_INFINITY : row[item]);
          const expected = chosen
            .filter((item) => !known.includes(item))
            .sort((a, b) => (value(a) === value(b) ? a - b : value(b) - value(a)))
            .slice(0, k);
          expect([...best.items].filter((item) => item !== NO_ITEM)).toEqual(expected);
          expect([...best.scores].slice(0, expected.length)).toEqual(expected.map(value));
          expect(best.k).toBe(Math.min(k, chosen.length));
        },
      ),
    );
  });
});
