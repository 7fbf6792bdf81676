import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { AbortedError } from "../../../src/core/errors.js";
import type { ProgressEvent } from "../../../src/core/progress.js";
import type { Dataset } from "../../../src/data/dataset.js";
import { parseOptions } from "../../../src/models/options.js";
import { findAlgorithm } from "../../../src/models/registry.js";
import { emptyMatrix, fromRows, rowIndices } from "../../../src/sparse/csr.js";
import { split, tastes, vocabulary } from "../../support/datasets.js";
import { engineNames } from "../../support/engine-names.js";

const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/item-weights.json", import.meta.url), "utf8"),
) as {
  items: number;
  rows: number[][];
  slim: { options: Record<string, number>; weights: number[] }[];
  neighbours: { by: string; options: Record<string, unknown>; similarity: number[] }[];
};
const { items, rows } = fixture;
const nobody = split(emptyMatrix(0, items), emptyMatrix(0, items), "v");
const dataset: Dataset = {
  name: "fixture",
  items: vocabulary("i", items),
  users: vocabulary("u", rows.length),
  train: fromRows(items, rows),
  validation: nobody,
  test: nobody,
};
/** Each item alone: its scores are its row of W. */
const one = fromRows(
  items,
  Array.from({ length: items }, (_, item) => [item]),
);

describe.each(engineNames)("on the %s engine", (engineName) => {
  const opened: Promise<Engine> = openEngine({ engine: engineName, threads: 2 });
  afterAll(async () => (await opened).close());

  /** W, row by row. */
  async function weightsOf(model: string, options: Record<string, unknown>, of = dataset): Promise<number[]> {
    const engine = await opened;
    const algorithm = await findAlgorithm(model);
    const trained = await algorithm.fit(of, parseOptions(algorithm, options), { engine, seed: 1 });
    try {
      return [...(await trained.score(one).read())];
    } finally {
      trained.dispose();
    }
  }

  const worst = (actual: number[], expected: number[]) =>
    Math.max(...expected.map((x, i) => Math.abs(x - actual[i])));

  it.each(fixture.slim.map(({ options, weights }) => [options, weights] as const))(
    "slim %j has the weights of scikit-learn's ElasticNet",
    async (options, weights) => {
      const solved = await weightsOf("slim", { ...options, tolerance: 1e-7, maxIterations: 10_000 });
      expect(worst(solved, weights)).toBeLessThan(1e-4);
      expect(solved.filter((w) => w > 0).length).toBeGreaterThan(100);
      // At the tolerance that is the default there and here.
      expect(worst(await weightsOf("slim", options), weights)).toBeLessThan(0.02);
    },
  );

  it.each(fixture.neighbours.map(({ by, options, similarity }) => [options, by, similarity] as const))(
    "item-knn %j has the similarities of %s",
    async (options, _, similarity) => {
      const all = { ...options, neighbours: items };
      const found = await weightsOf("item-knn", all);
      const scale = Math.max(...similarity);
      expect(worst(found, similarity)).toBeLessThan(1e-5 * scale);
      // Whose neighbours they are makes no difference while all of them are kept.
      expect(worst(await weightsOf("item-knn", { ...all, of: "candidate" }), similarity)).toBeLessThan(
        1e-5 * scale,
      );
    },
  );

  it("keeps the nearest neighbours, of the history's items or of the candidates", async () => {
    const { similarity } = fixture.neighbours[4];
    const { options } = fixture.neighbours[4];
    const at = (i: number, j: number) => similarity[i * items + j];
    for (const of of ["history", "candidate"]) {
      const found = await weightsOf("item-knn", { ...options, neighbours: 4, of });
      for (let mine = 0; mine < items; mine++) {
        const line = (matrix: (i: number, j: number) => number) =>
          Array.from({ length: items }, (_, k) => (of === "history" ? matrix(mine, k) : matrix(k, mine)));
        const fourth = line(at).sort((a, b) => b - a)[3];
        const kept = line((i, j) => found[i * items + j]);
        expect(kept.filter((value) => value > 0).length).toBe(4);
        expect(Math.min(...kept.filter((value) => value > 0))).toBeCloseTo(fourth, 5);
      }
    }
  });

  it("slim keeps the largest weights of each item", async () => {
    const all = await weightsOf("slim", {});
    const some = await weightsOf("slim", { neighbours: 3 });
    for (let j = 0; j < items; j++) {
      const column = (weights: number[]) => Array.from({ length: items }, (_, i) => weights[i * items + j]);
      const largest = column(all)
        .sort((a, b) => b - a)
        .slice(0, 3);
      expect(
        column(some)
          .sort((a, b) => b - a)
          .slice(0, 4),
      ).toEqual([...largest, 0]);
    }
  });

  it("an item without users has no weights, and gives none", async () => {
    const lonely = {
      ...dataset,
      train: fromRows(
        items,
        rows.map((row) => row.filter((item) => item !== 5)),
      ),
    };
    for (const model of ["slim", "item-knn"]) {
      const found = await weightsOf(model, {}, lonely);
      for (let k = 0; k < items; k++) expect([found[5 * items + k], found[k * items + 5]]).toEqual([0, 0]);
    }
  });

  it("slim says how many items are not within the tolerance", async () => {
    const engine = await opened;
    const slim = await findAlgorithm("slim");
    const notes: string[] = [];
    const progress = (event: ProgressEvent) => event.type === "note" && notes.push(event.text);
    const options = parseOptions(slim, { alpha: 0.002, tolerance: 1e-6, maxIterations: 1 });
    (await slim.fit(dataset, options, { engine, seed: 1, progress })).dispose();
    expect(notes).toEqual([expect.stringMatching(/after 1 iterations \d+ of 24 items.*maxIterations/)]);
  });

  it("both stop on request, and give their memory back", async () => {
    const engine = await opened;
    const before = engine.memory();
    for (const model of ["slim", "item-knn"]) {
      const algorithm = await findAlgorithm(model);
      const stop = AbortSignal.abort();
      await expect(
        algorithm.fit(dataset, parseOptions(algorithm), { engine, seed: 1, signal: stop }),
      ).rejects.toThrow(AbortedError);
    }
    expect(engine.memory() - before).toBeLessThan(items * items * 4 + 4096);
  });

  it("both recommend better than popularity where users have tastes", async () => {
    const engine = await opened;
    const learnable = tastes({ items, seed: 3 });
    const hits: Record<string, number> = {};
    for (const model of ["slim", "item-knn", "popularity"]) {
      const algorithm = await findAlgorithm(model);
      const trained = await algorithm.fit(learnable, parseOptions(algorithm), { engine, seed: 1 });
      const { foldIn, heldOut } = learnable.test;
      const best = await trained.score(foldIn).topK(4, foldIn);
      hits[model] = [...best.items].filter((item, k) =>
        rowIndices(heldOut, Math.floor(k / best.k)).includes(item),
      ).length;
      trained.dispose();
    }
    expect(hits.slim).toBeGreaterThan(1.5 * hits.popularity);
    expect(hits["item-knn"]).toBeGreaterThan(1.5 * hits.popularity);
  });
});
