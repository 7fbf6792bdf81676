import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { type EvaluateSplitOptions, evaluateSplit, type Segment } from "../../src/evaluation/evaluate.js";
import { listMetrics } from "../../src/evaluation/list-metrics.js";
import { parseMetric } from "../../src/evaluation/metrics.js";
import { type CsrMatrix, fromRows } from "../../src/sparse/csr.js";
import { split } from "../support/datasets.js";
import { scoring } from "../support/fixed-scores.js";

interface Value {
  mean: number;
  standardError?: number;
}
interface Fixture {
  items: number;
  scores: number[][];
  train: number[][];
  foldIn: number[][];
  heldOut: number[][];
  metrics: Record<string, Value & { perUser?: number[] }>;
  segments: Record<"history" | "popularity", { metrics: Record<string, Value> }[]>;
}
const fixture = JSON.parse(
  readFileSync(new URL("./fixtures/numpy-list-metrics.json", import.meta.url), "utf8"),
) as Fixture;

const evaluateFixture = (options: EvaluateSplitOptions) => {
  const { items, scores, foldIn, heldOut, train } = fixture;
  const byHistory = new Map(foldIn.map((history, user) => [history.join(), scores[user]]));
  expect(byHistory.size).toBe(scores.length);
  const recommender = scoring(items, (history) => byHistory.get([...history].join()) ?? []);
  const users = split(fromRows(items, foldIn), fromRows(items, heldOut), "user");
  return evaluateSplit(recommender, users, { train: fromRows(items, train), ...options });
};

const valuesOf = (names: string[], train: CsrMatrix) =>
  listMetrics(names.map(parseMetric), { train, attributes: undefined, categories: undefined });

const expectValue = (value: Value, expected: Value, name: string) => {
  expect(value.mean, name).toBeCloseTo(expected.mean, 12);
  if (expected.standardError === undefined) expect(value).not.toHaveProperty("standardError");
  else expect(value.standardError, name).toBeCloseTo(expected.standardError, 12);
};

describe("metrics of lists", () => {
  it("are NumPy's, for every user and on average", async () => {
    const evaluation = await evaluateFixture({ metrics: Object.keys(fixture.metrics) });
    expect(evaluation.users).toBe(29);
    for (const [name, expected] of Object.entries(fixture.metrics)) {
      expectValue(evaluation.metrics[name], expected, name);
      if (expected.perUser)
        for (const [user, value] of expected.perUser.entries())
          expect(evaluation.perUser[name][user], `${name} of evaluated user ${user}`).toBeCloseTo(value, 12);
      else expect(evaluation.perUser).not.toHaveProperty(name);
    }
  });

  it("by segments are NumPy's", async () => {
    const { segments } = await evaluateFixture({
      metrics: ["ndcg@10", "novelty@5", "gini@5"],
      segments: true,
    });
    for (const kind of ["history", "popularity"] as const) {
      expect(segments?.[kind]).toHaveLength(fixture.segments[kind].length);
      for (const [s, expected] of fixture.segments[kind].entries()) {
        const segment: Segment | undefined = segments?.[kind][s];
        const { metrics = {}, ...found } = segment ?? {};
        const { metrics: expectedMetrics, ...described } = expected;
        expect(found).toEqual(described);
        expect(Object.keys(metrics)).toEqual(Object.keys(expectedMetrics));
        for (const [name, value] of Object.entries(expectedMetrics))
          expectValue(metrics[name], value, `${kind} ${s}, ${name}`);
      }
    }
  });

  it("of a worked example", async () => {
    // Of 8 users, items 0 to 3 have 4 (users 0-3), 4 (users 2-5), 1 (user 0) and none; 9 interactions.
    const train = fromRows(4, [[0, 2], [0], [0, 1], [0, 1], [1], [1], [], []]);
    const of = async (name: string, ...list: number[]) =>
      (await valuesOf([name], train)).get(name)?.(Uint32Array.of(...list), new Uint32Array());
    // 8 of 8 users would be 0 bits; 4 of 8 are 1, 1 of 8 are 3, and nobody counts as one user.
    expect(await of("novelty@3", 0, 2, 3)).toBeCloseTo((1 + 3 + 3) / 3, 12);
    expect(await of("novelty@2", 0, 1, 2)).toBe(1);
    // Cosines: 0 and 1 share two of four users each (1/2), 0 and 2 one (1/2), 1 and 2 none.
    expect(await of("diversity@3", 0, 1, 2)).toBeCloseTo(1 - (1 / 2 + 1 / 2 + 0) / 3, 12);
    expect(await of("diversity@2", 0, 3)).toBe(1);
    expect(await of("diversity@1", 0, 1)).toBe(0);
    // 4 + 4 of 9 interactions are the first 80 %.
    expect(await of("long-tail@4", 0, 1, 2, 3)).toBe(0.5);
    for (const name of ["novelty@3", "diversity@3", "long-tail@3"]) expect(await of(name)).toBe(0);
  });

  it("have their bounds, and do not depend on the order of a whole list", async () => {
    const lists = fc.uniqueArray(fc.nat({ max: 11 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(lists, { minLength: 1, maxLength: 20 }), lists, async (rows, list) => {
        const train = fromRows(12, rows);
        const names = ["novelty@12", "diversity@12", "long-tail@12"];
        const values = await valuesOf(names, train);
        const none = new Uint32Array();
        for (const name of names) {
          const of = (items: number[]) => values.get(name)?.(Uint32Array.from(items), none) ?? Number.NaN;
          const value = of(list);
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(name === "novelty@12" ? Math.log2(rows.length) + 1e-12 : 1);
          expect(of(list.toReversed())).toBeCloseTo(value, 12);
          // The same numbers again: nothing remains from one list to the next.
          expect(of(list)).toBe(value);
        }
      }),
    );
  });

  it("and segments are refused without the training interactions", async () => {
    for (const metric of ["novelty@5", "diversity@5", "long-tail@5"])
      await expect(evaluateFixture({ metrics: [metric], train: undefined })).rejects.toThrow(
        `${metric} depends on the training interactions`,
      );
    await expect(evaluateFixture({ segments: true, train: undefined })).rejects.toThrow(UserError);
  });
});
