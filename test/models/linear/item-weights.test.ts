// What slim and item-knn have in common.

import { afterAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { AbortedError } from "../../../src/core/errors.js";
import { parseOptions } from "../../../src/models/options.js";
import { findAlgorithm } from "../../../src/models/registry.js";
import { fromRows, rowIndices } from "../../../src/sparse/csr.js";
import { tastes } from "../../support/datasets.js";
import { engineNames } from "../../support/engine-names.js";
import { dataset, items, rows, weightsOf } from "../../support/item-weights.js";

describe.each(engineNames)("on the %s engine", (engineName) => {
  const opened: Promise<Engine> = openEngine({ engine: engineName, threads: 2 });
  afterAll(async () => (await opened).close());

  it("an item without users has no weights, and gives none", async () => {
    const lonely = {
      ...dataset,
      train: fromRows(
        items,
        rows.map((row) => row.filter((item) => item !== 5)),
      ),
    };
    for (const model of ["slim", "item-knn"]) {
      const found = await weightsOf(await opened, model, {}, lonely);
      for (let k = 0; k < items; k++) expect([found[5 * items + k], found[k * items + 5]]).toEqual([0, 0]);
    }
  });

  it("both stop on an abort and release their memory", async () => {
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

  it("both outperform popularity on users with tastes", async () => {
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
