import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AbortedError } from "../../src/core/errors.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { cvaePaper, evaluate, evaluateSplit } from "../../src/evaluation/evaluate.js";
import { emptyMatrix, fromRows } from "../../src/sparse/csr.js";
import { checkerboard, split, vocabulary } from "../support/datasets.js";
import { scoring } from "../support/fixed-scores.js";

interface Fixture {
  items: number;
  scores: number[][];
  foldIn: number[][];
  heldOut: number[][];
  judged: number[];
  metrics: Record<string, { mean: number; standardError?: number; perUser?: number[] }>;
}
const fixture = JSON.parse(
  readFileSync(new URL("./fixtures/numpy-metrics.json", import.meta.url), "utf8"),
) as Fixture;

describe("evaluate", () => {
  it("gives NumPy's numbers, for every user and on average", async () => {
    const { items, scores, foldIn, heldOut, judged, metrics } = fixture;
    // Users are identified by their fold-in histories.
    const byHistory = new Map(foldIn.map((history, user) => [history.join(), scores[user]]));
    expect(byHistory.size).toBe(scores.length);
    const recommender = scoring(items, (history) => byHistory.get([...history].join()) ?? []);
    const evaluation = await evaluateSplit(
      recommender,
      split(fromRows(items, foldIn), fromRows(items, heldOut), "user"),
      { metrics: Object.keys(metrics) },
    );
    expect(evaluation.users).toBe(24);
    expect(evaluation.skipped).toBe(1);
    expect([...evaluation.rows]).toEqual(judged);
    expect(Object.keys(evaluation.metrics)).toEqual(Object.keys(metrics));
    for (const [name, expected] of Object.entries(metrics)) {
      expect(evaluation.metrics[name].mean, name).toBeCloseTo(expected.mean, 12);
      if (expected.standardError === undefined) {
        expect(evaluation.metrics[name]).not.toHaveProperty("standardError");
        expect(evaluation.perUser).not.toHaveProperty(name);
      } else {
        expect(evaluation.metrics[name].standardError, name).toBeCloseTo(expected.standardError, 12);
        for (const [user, value] of (expected.perUser ?? []).entries())
          expect(evaluation.perUser[name][user], `${name} of evaluated user ${user}`).toBeCloseTo(value, 12);
      }
    }
  });

  it("evaluates against complete rows without masking on request", async () => {
    const recommender = scoring(4, () => [4, 3, 2, 1]);
    const users = split(fromRows(4, [[0], [3], []]), fromRows(4, [[2], [], []]), "user");
    const metrics = ["recall@1", "recall@2"];
    const masked = await evaluateSplit(recommender, users, { metrics });
    // Only user 0 has something held out: item 2 comes second behind item 1 once item 0 is masked.
    expect([masked.users, masked.metrics["recall@1"].mean, masked.metrics["recall@2"].mean]).toEqual([
      1, 0, 1,
    ]);
    const complete = await evaluateSplit(recommender, users, {
      metrics,
      truth: "complete",
      maskKnown: false,
    });
    // User 0 has {0, 2}: one of one, one of two; user 1 has {3}: none; user 2 has nothing at all.
    expect([...complete.rows]).toEqual([0, 1]);
    expect([...complete.perUser["recall@1"]]).toEqual([1, 0]);
    expect([...complete.perUser["recall@2"]]).toEqual([0.5, 0]);
  });

  it("the CVAE paper's evaluator averages over all users, including those without held-out items", async () => {
    // lib/evaluatePaper.m: relevant = training and test items, nothing masked, sum over all users / their number.
    const recommender = scoring(4, ([item]) => (item === 0 ? [4, 3, 2, 1] : [1, 4, 3, 2]));
    const dataset = {
      name: "three users",
      items: vocabulary("item", 4),
      users: vocabulary("user", 2),
      train: fromRows(4, [[3], [0, 1]]),
      validation: split(emptyMatrix(0, 4), emptyMatrix(0, 4), "validation user"),
      // user0 was trained on and has item 1 held out; user1 was trained on alone; the other one was not.
      test: {
        ...split(fromRows(4, [[3], [2]]), fromRows(4, [[1], [0]]), ""),
        users: new Vocabulary(["user0", "new"]),
      },
    };
    const metrics = ["recall-plain@1", "recall-plain@2"];
    const { users, rows, perUser } = await evaluate(recommender, dataset, { ...cvaePaper, metrics });
    // user0 {1, 3} of the list 1 2 3 0, user1 {0, 1} of 0 1 2 3, the new one {0, 2} of 1 2 3 0.
    expect([users, ...rows]).toEqual([3, 0, 1, 2]);
    expect([...perUser["recall-plain@1"]]).toEqual([0.5, 0.5, 0]);
    expect([...perUser["recall-plain@2"]]).toEqual([0.5, 1, 0.5]);
    // The correct one: user0 finds 1 first; the new one, item 2 masked, finds 0 third.
    const correct = await evaluate(recommender, dataset, { metrics });
    expect([...correct.perUser["recall-plain@2"]]).toEqual([1, 0]);
  });

  it("accepts a depth beyond the catalogue and users who have seen everything", async () => {
    const recommender = scoring(3, () => [3, 2, 1]);
    const { metrics, users } = await evaluateSplit(
      recommender,
      split(fromRows(3, [[0], [0, 1, 2], [1]]), fromRows(3, [[2], [1], [0]]), "user"),
      { metrics: ["ndcg@100", "recall@100", "precision@100", "coverage@1", "ndcg@100"] },
    );
    expect(users).toBe(3);
    // User 0 finds item 2 at rank 2, user 1 has nothing left to be recommended, user 2 finds item 0 at rank 1.
    expect(metrics["ndcg@100"].mean).toBeCloseTo((1 / Math.log2(3) + 0 + 1) / 3, 12);
    expect(metrics["recall@100"].mean).toBeCloseTo(2 / 3, 12);
    expect(metrics["precision@100"].mean).toBeCloseTo(2 / 300, 12);
    expect(metrics["coverage@1"].mean).toBeCloseTo(2 / 3, 12);
  });

  it("evaluates thousands of users in batches as it would one by one", async () => {
    const users = 4500;
    const rows = Array.from({ length: users }, (_, user) => [user % 7]);
    const truth = rows.map((_, user) => (user % 5 === 0 ? [] : [7 + (user % 3)]));
    const recommender = scoring(10, ([item]) => Array.from({ length: 10 }, (_, i) => (i * (item + 1)) % 11));
    const evaluated = split(fromRows(10, rows), fromRows(10, truth), "user");
    const all = await evaluateSplit(recommender, evaluated, { metrics: ["mrr@10"] });
    expect(all.users).toBe(3600);
    for (const at of [0, 1599, 1600, 3599]) {
      const user = all.rows[at];
      const one = split(fromRows(10, [rows[user]]), fromRows(10, [truth[user]]), "user");
      const { perUser } = await evaluateSplit(recommender, one, { metrics: ["mrr@10"] });
      expect(all.perUser["mrr@10"][at]).toBe(perUser["mrr@10"][0]);
    }
  });

  it.each([1999, 2000, 2001])("evaluates %i users alike, in one batch and in two", async (users) => {
    const histories: number[] = [];
    const recommender = scoring(5, ([item]) => [4, 3, 2, 1, 0].map((score, i) => (i === item ? -1 : score)));
    const score = recommender.score;
    const counting = {
      ...recommender,
      score: (given: Parameters<typeof score>[0]) => {
        histories.push(given.rows);
        return score(given);
      },
    };
    const rows = Array.from({ length: users }, (_, user) => [user % 4]);
    // The last user's item is the last of the list, everybody else's the best but their own.
    const truth = rows.map(([item], user) => [user === users - 1 ? 4 : item === 0 ? 1 : 0]);
    const evaluated = split(fromRows(5, rows), fromRows(5, truth), "user");
    const { perUser } = await evaluateSplit(counting, evaluated, { metrics: ["mrr@5"] });
    expect([...perUser["mrr@5"].subarray(0, -1)]).toEqual(new Array(users - 1).fill(1));
    expect(perUser["mrr@5"][users - 1]).toBe(1 / 4);
    expect(histories).toEqual(users === 2001 ? [2000, 1] : [users]);
  });

  it("evaluates on so many items alone that their scores would be too many for one batch of users", async () => {
    // 2^24 scores at one time: 8388 items of 2000 users, 8389 of 1999.
    const catalogue = 8400;
    for (const [count, batches] of [
      [8388, [2000]],
      [8389, [1999, 1]],
    ] as const) {
      const asked: number[] = [];
      const descending = Float32Array.from({ length: catalogue }, (_, item) => catalogue - item);
      const recommender = scoring(catalogue, () => descending);
      const score = recommender.score;
      const counting = {
        ...recommender,
        score: (given: Parameters<typeof score>[0]) => {
          asked.push(given.rows);
          return score(given);
        },
      };
      const items = Uint32Array.from({ length: count }, (_, n) => n + catalogue - count);
      const truth = Array.from({ length: 2000 }, (_, user) => [items[user % 3]]);
      const evaluated = split(emptyMatrix(2000, catalogue), fromRows(catalogue, truth), "user");
      const only = { items, among: "themselves" } as const;
      const { perUser } = await evaluateSplit(counting, evaluated, { metrics: ["mrr@5"], only });
      expect([...perUser["mrr@5"]]).toEqual(truth.map((_, user) => 1 / (1 + (user % 3))));
      expect(asked).toEqual(batches);
    }
  });

  it("refuses another catalogue and a split with nothing to evaluate, and stops on request", async () => {
    const dataset = checkerboard(10, 10);
    const recommender = scoring(10, () => new Array<number>(10).fill(0));
    await expect(evaluate(recommender, { ...dataset, items: vocabulary("other", 10) })).rejects.toThrow(
      /its 10 items differ from the 10 items/,
    );
    const nothing = { ...dataset.test, heldOut: emptyMatrix(10, 10) };
    await expect(evaluate(recommender, { ...dataset, test: nothing })).rejects.toThrow(
      /none of its 10 test users has a held-out item/,
    );
    expect((await evaluate(recommender, dataset, { on: "validation" })).users).toBe(10);
    await expect(evaluate(recommender, dataset, { signal: AbortSignal.abort() })).rejects.toThrow(
      AbortedError,
    );
  });
});
