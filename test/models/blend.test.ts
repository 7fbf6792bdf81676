import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";
import type { Dataset } from "../../src/data/dataset.js";
import { evaluate } from "../../src/evaluation/evaluate.js";
import { train } from "../../src/experiments/train.js";
import { simplex, standardise } from "../../src/models/blend.js";
import { parseOptions } from "../../src/models/options.js";
import { findAlgorithm } from "../../src/models/registry.js";
import { readModelFiles } from "../../src/recommender/model-files.js";
import { loadRecommender } from "../../src/serving/load.js";
import { emptyMatrix, fromRows } from "../../src/sparse/csr.js";
import { histories, smallCatalogue } from "../support/content-models.js";
import { split, tastes } from "../support/datasets.js";
import { brief } from "../support/modalities.js";
import { trainedRuns } from "../support/parts.js";

describe("standardised scores", () => {
  it("have mean 0 and deviation 1 over the items outside the history, by hand", () => {
    // Without items 1 and 4: 1, 3, 5, 7 with mean 4 and deviation sqrt(5).
    const scores = Float32Array.of(1, 100, 3, 5, -50, 7);
    standardise(scores, fromRows(6, [[4, 1]]));
    const d = Math.sqrt(5);
    const expected = [-3 / d, 96 / d, -1 / d, 1 / d, -54 / d, 3 / d];
    for (const [i, x] of expected.entries()) expect(scores[i]).toBeCloseTo(x, 5);
  });

  it("do not depend on the scale of the scores, or on where they start", () => {
    const numbers = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(
        numbers,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: -50, max: 50 }),
        (row, a, b) => {
          const history = fromRows(5, [[2]]);
          const [plain, moved] = [Float32Array.from(row), Float32Array.from(row, (x) => a * x + b)];
          standardise(plain, history);
          standardise(moved, history);
          for (let i = 0; i < 5; i++) expect(moved[i]).toBeCloseTo(plain[i], 3);
        },
      ),
    );
  });

  it("are 0 for equal scores, and for a history of all items", () => {
    const scores = Float32Array.of(0.1, 0.1, 0.1, 9, 3, 1, 2, 3);
    standardise(scores, fromRows(4, [[3], [0, 1, 2, 3]]));
    expect([...scores]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

it("the candidate weights are all multiples of the step that add up to 1", () => {
  expect(simplex(2, 2)).toEqual([
    [0, 1],
    [0.5, 0.5],
    [1, 0],
  ]);
  // (10 + 2) choose 2, and every one of them sums to 1.
  const points = simplex(3, 10);
  expect(points).toHaveLength(66);
  expect(new Set(points.map(String)).size).toBe(66);
  for (const point of points) expect(point.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 12);
});

describe("a blend", () => {
  const dataset = tastes({ users: 150, heldOutUsers: 60, items: 40, seed: 5 });
  let engine: Engine;
  let runs: string[];
  beforeAll(async () => {
    engine = await openEngine({ engine: "reference" });
    runs = await trainedRuns(dataset, {
      popularity: {},
      "item-knn": { neighbours: 5 },
      slim: { alpha: 0.05 },
    });
  });
  afterAll(() => engine.close());

  const blending = async (options: Record<string, unknown>, of: Dataset = dataset) => {
    const algorithm = await findAlgorithm("blend");
    return algorithm.fit(of, parseOptions(algorithm, { runs, ...options }), { engine, seed: 1 });
  };

  it("scores the weighted sum of its parts' standardised scores", async () => {
    const weights = [1, 2, 5];
    const { foldIn } = dataset.test;
    const expected = new Float64Array(foldIn.rows * 40);
    for (const [p, run] of runs.entries()) {
      const part = await loadRecommender(run, { engine });
      const scores = await part.score(foldIn).read();
      standardise(scores, foldIn);
      for (const [i, score] of scores.entries()) expected[i] += (weights[p] / 8) * score;
      part.dispose();
    }
    const blend = await blending({ weights });
    const scores = await blend.score(foldIn).read();
    for (const [i, x] of expected.entries()) expect(scores[i]).toBeCloseTo(x, 5);
    blend.dispose();
  });

  it("takes the weights that are best on the validation users", async () => {
    let best = -1;
    let weights: number[] = [];
    for (const candidate of simplex(3, 4)) {
      const blend = await blending({ weights: candidate });
      const { mean } = (await evaluate(blend, dataset, { on: "validation", metrics: ["ndcg@10"] })).metrics[
        "ndcg@10"
      ];
      blend.dispose();
      if (mean > best + 1e-9) {
        best = mean;
        weights = candidate;
      }
    }
    const blend = await blending({ step: 0.25, metric: "ndcg@10" });
    const { config } = await blend.save();
    const parts = config.parts as { name: string; weight: number }[];
    const chosen = ["popularity", "item-knn", "slim"].map(
      (name) => parts.find((part) => part.name === name)?.weight ?? 0,
    );
    expect(chosen).toEqual(weights);
    expect(config.chosen).toMatchObject({ metric: "ndcg@10", candidates: 15 });
    expect((config.chosen as { validation: number }).validation).toBeCloseTo(best, 6);
    // More than one part, or the test would show nothing.
    expect(parts.length).toBeGreaterThan(1);
    blend.dispose();
  });

  it("is self-contained: saved, loaded without its runs, blended again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-blend-"));
    const [first, second] = [join(folder, "first"), join(folder, "second")];
    const made = await train(dataset, {
      model: "blend",
      options: { runs, weights: [1, 1, 2] },
      out: first,
      engine,
    });
    const expected = await made.score(dataset.test.foldIn).read();
    made.dispose();
    const files = await readModelFiles(join(first, "model"));
    expect(JSON.stringify(files)).not.toContain("foldin-parts-");
    const loaded = await loadRecommender(first, { engine });
    expect(await loaded.score(dataset.test.foldIn).read()).toEqual(expected);
    loaded.dispose();
    const options = { runs: [first, runs[2]], weights: [1, 0] };
    const again = await train(dataset, { model: "blend", options, out: second, engine });
    const scores = await again.score(dataset.test.foldIn).topK(3, dataset.test.foldIn);
    const once = await loadRecommender(first, { engine });
    expect(scores.items).toEqual((await once.score(dataset.test.foldIn).topK(3, dataset.test.foldIn)).items);
    // A part without weight is not kept.
    expect(((await again.save()).config.parts as unknown[]).length).toBe(1);
    for (const model of [again, once]) model.dispose();
  });

  it("keeps what its content-based parts need to be loaded", async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-blend-"));
    const parts = await trainedRuns(smallCatalogue, { "content-knn": {}, cvae: brief, popularity: {} });
    const out = join(folder, "run");
    const options = { runs: parts, weights: [1, 1, 1] };
    const made = await train(smallCatalogue, { model: "blend", options, out, engine });
    const loaded = await loadRecommender(out, { engine });
    expect(await loaded.score(histories).read()).toEqual(await made.score(histories).read());
    for (const model of [made, loaded]) model.dispose();
  });

  it("rejects runs that cannot be blended", async () => {
    await expect(blending({ runs: [runs[0], join(runs[0], "..", "nowhere")] })).rejects.toThrow(/nowhere/);
    await expect(blending({ runs: [] })).rejects.toThrow(/runs: no runs are given.*foldin blend/);
    await expect(blending({ weights: [1, 2] })).rejects.toThrow(/weights: 2 weights for 3 runs/);
    await expect(blending({ weights: [0, 0, 0] })).rejects.toThrow(/weights: all weights are 0/);
    await expect(blending({ step: 0.3 })).rejects.toThrow(/step: 0.3 does not divide 1/);
    await expect(blending({ runs: Array(8).fill(runs[0]), step: 0.05 })).rejects.toThrow(
      /step: .* 888030 weight combinations for 8 runs .*larger step/,
    );
    for (const metric of ["coverage@10", "gini@10"])
      await expect(blending({ metric })).rejects.toThrow(/no value per user/);
    for (const metric of ["novelty@10", "diversity@10", "long-tail@10"])
      await expect(blending({ metric })).rejects.toThrow(`${metric} describes the lists`);
    await expect(blending({ metric: "ndgc@10" })).rejects.toThrow(/Did you mean/);
    await expect(blending({}, tastes({ items: 41, seed: 5 }))).rejects.toThrow(
      /popularity: was not trained on this .*40 items differ/,
    );
    await expect(blending({}, tastes({ items: 40, seed: 6 }))).rejects.toThrow(
      /popularity: was not trained on this .*held out/,
    );
    const none = split(emptyMatrix(0, 40), emptyMatrix(0, 40), "v");
    const alone = { ...dataset, validation: none };
    const [a, b] = await trainedRuns(alone, { popularity: {}, slim: {} });
    await expect(blending({ runs: [a, b] }, alone)).rejects.toThrow(/no validation users/);
  });
});
