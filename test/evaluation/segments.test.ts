import { describe, expect, it } from "vitest";
import { evaluateSplit } from "../../src/evaluation/evaluate.js";
import { segmentsByHistory } from "../../src/evaluation/segments.js";
import { emptyMatrix, fromRows } from "../../src/sparse/csr.js";
import { split } from "../support/datasets.js";
import { scoring } from "../support/fixed-scores.js";

describe("segments by the length of the history", () => {
  const bounds = (...lengths: number[]) =>
    segmentsByHistory(Uint32Array.from(lengths), {}).map(({ from, to, users }) => [from, to, users]);

  it("are quarters of the users", () => {
    expect(bounds(8, 1, 3, 2, 5, 4, 7, 6)).toEqual([
      [1, 2, 2],
      [3, 4, 2],
      [5, 6, 2],
      [7, 8, 2],
    ]);
  });

  it("keep users of the same length together, so that there may be fewer", () => {
    expect(bounds(1, 1, 1, 1, 1, 9)).toEqual([
      [1, 1, 5],
      [9, 9, 1],
    ]);
    expect(bounds(0, 0, 4)).toEqual([
      [0, 0, 2],
      [4, 4, 1],
    ]);
    expect(bounds(2)).toEqual([[2, 2, 1]]);
    expect(bounds()).toEqual([]);
  });

  it("have the mean and the standard error of their users", () => {
    const { metrics } = segmentsByHistory(Uint32Array.of(5, 1, 5, 5, 5, 1), {
      "mrr@5": Float64Array.of(1, 0.25, 0, 1, 0, 0.1),
    })[1];
    expect(metrics["mrr@5"]).toEqual({ mean: 0.5, standardError: 0.25 });
  });
});

describe("segments by popularity", () => {
  it("count held-out items of the segment, ranked among all items", async () => {
    // Item 0 has half of the ten interactions, items 0 and 1 eight, items 2 and 3 the rest.
    const train = fromRows(4, [[0, 1, 2], [0, 1, 3], [0, 1], [0], [0]]);
    const recommender = scoring(4, () => [4, 3, 2, 1]);
    const users = split(
      emptyMatrix(2, 4),
      fromRows(4, [
        [0, 3],
        [1, 2, 3],
      ]),
      "user",
    );
    const { segments } = await evaluateSplit(recommender, users, {
      metrics: ["mrr@4", "recall@3", "novelty@3", "coverage@3"],
      segments: true,
      train,
    });
    const value = (mean: number, standardError = 0) => ({ mean, standardError });
    expect(segments?.popularity).toEqual([
      {
        name: "head",
        items: 1,
        share: 0.5,
        heldOut: 1,
        users: 1,
        metrics: { "mrr@4": value(1), "recall@3": value(1) },
      },
      {
        ...{ name: "middle", items: 1, share: 0.3, heldOut: 1, users: 1 },
        metrics: { "mrr@4": value(1 / 2), "recall@3": value(1) },
      },
      {
        ...{ name: "tail", items: 2, share: 0.2, heldOut: 3, users: 2 },
        // Ranks 4, and 3 and 4: recall 0 of 1, and 1 of 2.
        metrics: {
          "mrr@4": value(expect.closeTo((1 / 4 + 1 / 3) / 2, 12), expect.closeTo(1 / 24 / Math.sqrt(2), 12)),
          "recall@3": value(1 / 4, expect.closeTo(1 / 4 / Math.sqrt(2), 12)),
        },
      },
    ]);
  });

  it("without held-out items have no metrics", async () => {
    const recommender = scoring(2, () => [1, 2]);
    const users = split(emptyMatrix(1, 2), fromRows(2, [[0]]), "user");
    const { segments } = await evaluateSplit(recommender, users, {
      metrics: ["mrr@2"],
      segments: true,
      train: fromRows(2, [[0], [0], [0], [1]]),
    });
    expect(segments?.popularity.map(({ users, metrics }) => [users, metrics])).toEqual([
      [1, { "mrr@2": { mean: 1 / 2, standardError: 0 } }],
      [0, {}],
      [0, {}],
    ]);
  });
});
