// What every model can do, at a size where the fast paths are taken: 1,100 items, and output layers of more than 2^20 weights.
// conformance.test.ts asks for more, of small models.

import { mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { literal, withDatabase } from "../../src/data/database.js";
import { parseOptions } from "../../src/models/options.js";
import { algorithmNames, findAlgorithm, restoreModel } from "../../src/models/registry.js";
import { readModelFiles, writeModelFiles } from "../../src/recommender/model-files.js";
import { recommend } from "../../src/recommender/recommend.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { hasVectors } from "../../src/recommender/vectors.js";
import { exportable, onnxOf } from "../../src/serving/onnx/export.js";
import { scoreAll } from "../../src/serving/score.js";
import { fromRows, rowIndices, sliceRows } from "../../src/sparse/csr.js";
import { tastes, withWords } from "../support/datasets.js";
import { trainedRuns } from "../support/parts.js";

const dataset = withWords(tastes({ users: 40, heldOutUsers: 12, items: 1100 }));
const { items } = dataset;
const folder = mkdtempSync(join(tmpdir(), "foldin-large-"));
afterAll(() => rm(folder, { recursive: true }));

const brief = { epochs: 1, batchSize: 40 };
/** Output layers 1,024 wide, and as little training as there can be. */
const wide: Record<string, Record<string, unknown>> = {
  blend: {
    runs: await trainedRuns(dataset, {
      popularity: {},
      "item-knn": {},
      "mult-dae": { ...brief, hidden: [], latent: 1024 },
    }),
  },
  vae: { ...brief, hidden: [1024], latent: 8 },
  "mult-vae": { ...brief, hidden: [1024], latent: 8 },
  "mult-dae": { ...brief, hidden: [], latent: 1024 },
  vamp: { ...brief, hidden: 1024, latent: 8, pseudoInputs: 8 },
  "h-vamp": { ...brief, hidden: 1024, latent1: 8, latent2: 8, pseudoInputs: 8 },
  "rec-vae": { ...brief, hidden: 1024, layers: 1, latent: 1024 },
  cdae: { latent: 1024, epochs: 1 },
  wmf: { factors: 16, epochs: 2 },
  nmf: { factors: 4 },
  cvae: { ...brief, hidden: [16, 8], latent: 8, layerEpochs: 1, latentEpochs: 1, wholeEpochs: 1 },
  cdl: { ...brief, hidden: [16], latent: 8, layerEpochs: 1, finalSweeps: 1 },
  ctr: { topics: 8, topicEpochs: 1, epochs: 1 },
  "deep-music": { ...brief, hidden: [16], latent: 8 },
};

/** Nine users, the first of whom knows nothing, and the second a dozen items. */
const histories = fromRows(items.size, [
  [],
  Array.from({ length: 12 }, (_, n) => 90 * n),
  ...Array.from({ length: 7 }, (_, user) => [...rowIndices(dataset.test.foldIn, user)]),
]);

describe.each([...algorithmNames])("%s of 1,100 items", (name) => {
  let engine: Engine;
  let trained: Recommender;
  let loaded: Recommender;
  /** Of the trained model, every score of every history. */
  let scores: Float32Array;

  beforeAll(async () => {
    engine = await openEngine({ threads: 2 });
    const algorithm = await findAlgorithm(name);
    trained = await algorithm.fit(dataset, parseOptions(algorithm, wide[name]), { engine, seed: 7 });
    const model = join(folder, name);
    mkdirSync(model);
    await writeModelFiles(model, await trained.save());
    loaded = await restoreModel(await readModelFiles(model), { engine });
    scores = await trained.score(histories).read();
  });
  afterAll(() => engine.close());

  /** That `found` are the best items for a user by `scores`; what differs by rounding may change places. */
  function expectBest(user: number, found: ArrayLike<number>, given?: ArrayLike<number>) {
    const own = scores.subarray(user * items.size, (user + 1) * items.size);
    const known = new Set(rowIndices(histories, user));
    const best = [...own].filter((_, item) => !known.has(item)).sort((a, b) => b - a);
    const near = 1e-4 * (1 + Math.max(...own.map(Math.abs)));
    expect(new Set(Array.from(found))).toHaveProperty("size", found.length);
    for (let rank = 0; rank < found.length; rank++) {
      expect(known.has(found[rank])).toBe(false);
      expect(Math.abs(own[found[rank]] - best[rank])).toBeLessThan(near);
      if (given) expect(Math.abs(given[rank] - best[rank])).toBeLessThan(near);
    }
  }

  it("ranks as all of its scores do when it is loaded: one history, and as many as go by bounds, and one more", async () => {
    for (const count of [1, 2, 4, 5, 8, 9]) {
      const some = sliceRows(histories, 0, count);
      const best = await loaded.score(some).topK(10, some);
      for (let user = 0; user < count; user++) {
        const place = [10 * user, 10 * user + 10] as const;
        expectBest(user, best.items.subarray(...place), best.scores.subarray(...place));
      }
    }
  });

  it("recommends, and says of a history of twelve what each item adds", async () => {
    const ids = Array.from(rowIndices(histories, 1), (item) => items.ids[item]);
    const { items: list } = await recommend(loaded, ids, { k: 3, explain: true });
    expectBest(
      1,
      list.map(({ index }) => index),
      list.map(({ score }) => score),
    );
    for (const { index, because = [], score } of list.slice(0, 1)) {
      expect(because).toHaveLength(12);
      for (const { index: left, influence } of because.slice(0, 2)) {
        const others = [...rowIndices(histories, 1)].filter((item) => item !== left);
        const [without] = await trained.score(fromRows(items.size, [others])).at(Uint32Array.of(index));
        expect(Math.abs(influence - (score - without))).toBeLessThan(1e-3 * (1 + Math.abs(score)));
      }
    }
  });

  it("scores everybody to a file", async () => {
    const out = join(folder, `${name}.parquet`);
    const users = Array.from({ length: 9 }, (_, user) => `u${user}`);
    await scoreAll(
      loaded,
      { users, matrix: histories, strangers: 0, unknownItems: 0 },
      { out, model: name, k: 5 },
    );
    const rows = await withDatabase((database) =>
      database.rows(`SELECT user, item, score FROM ${literal(out)} ORDER BY user, rank`),
    );
    for (const [user, id] of users.entries()) {
      const own = rows.filter(([of]) => of === id);
      expect(own).toHaveLength(5);
      expectBest(
        user,
        own.map(([, item]) => items.indexOf(String(item)) as number),
        own.map(([, , score]) => Number(score)),
      );
    }
  });

  it("has vectors, where it has any, whose products are its scores", async () => {
    if (!hasVectors(loaded)) return;
    const [{ dimensions }] = loaded.spaces;
    const users = await loaded.userVectors(histories, "scores");
    const vectors = await loaded.itemVectors(0, items.size, "scores");
    for (const user of [0, 1, 8])
      for (const item of [0, 500, 1023, 1024, 1099]) {
        let sum = 0;
        for (let d = 0; d < dimensions; d++)
          sum += users[user * dimensions + d] * vectors[item * dimensions + d];
        const score = scores[user * items.size + item];
        expect(Math.abs(sum - score)).toBeLessThan(1e-3 * (1 + Math.abs(score)));
      }
  });

  it.skipIf(!(exportable as readonly string[]).includes(name))("is exported to ONNX", async () => {
    // What the file computes: serving/onnx.test.ts.
    expect((await onnxOf(await loaded.save())).length).toBeGreaterThan(10_000);
  });
});
