import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/evaluation/evaluate.js";
import { reportOnRun } from "../../src/experiments/run-report.js";
import { readRunResult, writeRunResult } from "../../src/experiments/run-result.js";
import { train } from "../../src/experiments/train.js";
import { demoDataset } from "../support/demo-dataset.js";

describe("the report of a run", () => {
  it("shows the results of evaluate, the dataset's counts, and test users with their held-out items", async () => {
    const dataset = demoDataset();
    const out = join(mkdtempSync(join(tmpdir(), "foldin-")), "run");
    const recommender = await train(dataset, { model: "popularity", engine: "reference", out });
    const report = await reportOnRun(out, recommender, dataset);
    const page = readFileSync(join(out, "report.html"), "utf8");

    const { metrics } = await evaluate(recommender, dataset, {
      on: "test",
      metrics: ["ndcg@100", "recall@20"],
    });
    expect(report.metrics.find(({ name }) => name === "ndcg@100")?.test).toEqual(metrics["ndcg@100"]);
    expect(page).toContain(`<td>${metrics["recall@20"].mean.toFixed(4)} `);
    expect(page).toContain(`160 users, 100 items`);
    expect(report.dataset).toMatchObject({
      trainUsers: 160,
      items: 100,
      test: { users: 20 },
      validation: { users: 20 },
    });

    const ofHistory = report.segments?.history ?? [];
    expect(ofHistory.reduce((sum, { users }) => sum + users, 0)).toBe(20);
    const mean =
      ofHistory.reduce((sum, { users, metrics }) => sum + users * metrics["recall@20"].mean, 0) / 20;
    expect(mean).toBeCloseTo(metrics["recall@20"].mean, 12);
    expect(page).toContain("Popularity of the held-out items");

    expect(report.unseenUsers).toBe(true);
    expect(report.examples).toHaveLength(4);
    for (const { user, history, recommendations, heldOut } of report.examples) {
      const row = dataset.test.users.indexOf(user) ?? -1;
      const titles = (matrix: typeof dataset.train) =>
        [...matrix.indices.subarray(matrix.offsets[row], matrix.offsets[row + 1])].map((item) =>
          dataset.items.titleOf(item),
        );
      expect(history).toEqual(titles(dataset.test.foldIn));
      expect(heldOut).toBe(titles(dataset.test.heldOut).length);
      expect(recommendations).toHaveLength(10);
      for (const item of recommendations)
        expect([item.title, item.heldOut]).toEqual([
          item.title,
          titles(dataset.test.heldOut).includes(item.title),
        ]);
    }
    // Popularity finds something for somebody in a hundred films; otherwise the marks above were never tried.
    expect(
      report.examples.some(({ recommendations }) => recommendations.some(({ heldOut }) => heldOut)),
    ).toBe(true);
    recommender.dispose();
  });

  it("is also in result.json, next to the metrics that a search has measured", async () => {
    const dataset = demoDataset();
    const out = join(mkdtempSync(join(tmpdir(), "foldin-")), "run");
    const recommender = await train(dataset, { model: "popularity", engine: "reference", out });
    const searched = { users: 20, metrics: { "recall@7": { mean: 0.5 }, "ndcg@100": { mean: 0 } } };
    await writeRunResult(out, {
      ...{ formatVersion: 1, validation: searched },
      ...{ epochs: 0, chosenEpoch: null, seconds: 0 },
    });
    const report = await reportOnRun(out, recommender, dataset, { seconds: 3 });
    const result = await readRunResult(out);
    expect(result).toMatchObject({ epochs: 0, chosenEpoch: null, seconds: 3 });
    expect(result?.test?.users).toBe(20);
    for (const { name, test, validation } of report.metrics) {
      expect(result?.test?.metrics[name]).toEqual(test);
      expect(result?.validation?.metrics[name]).toEqual(validation);
    }
    expect(result?.validation?.metrics["recall@7"]).toEqual({ mean: 0.5 });
    recommender.dispose();
  });
});
