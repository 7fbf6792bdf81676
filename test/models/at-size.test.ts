// Every capability of every model, at a size where the fast paths are taken: the ranking of a few histories by bounds
// needs at least 1,024 items and 2^20 output weights, which the small catalogue of the conformance suite does not have.

import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ort from "onnxruntime-web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { literal, withDatabase } from "../../src/data/database.js";
import { historiesOfDataset } from "../../src/data/histories.js";
import { train } from "../../src/experiments/train.js";
import { algorithmNames } from "../../src/models/registry.js";
import { findModelFolder, readModelFiles } from "../../src/recommender/model-files.js";
import { recommend } from "../../src/recommender/recommend.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { similarItems } from "../../src/recommender/similar.js";
import { hasVectors } from "../../src/recommender/vectors.js";
import { embed } from "../../src/serving/embed.js";
import { loadRecommender } from "../../src/serving/load.js";
import { exportable, onnxOf } from "../../src/serving/onnx/export.js";
import { scoreAll } from "../../src/serving/score.js";
import { createServer } from "../../src/serving/server/server.js";
import { fromRows, rowIndices, sliceRows } from "../../src/sparse/csr.js";
import { tastes, withWords } from "../support/datasets.js";
import { engineNames } from "../support/engine-names.js";

const ITEMS = 4100;
const WIDTH = 256;
const dataset = withWords(tastes({ users: 80, heldOutUsers: 12, items: ITEMS }));
const folder = mkdtempSync(join(tmpdir(), "foldin-at-size-"));
afterAll(() => rm(folder, { recursive: true }));
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

/** The fastest engine there is: the closed forms invert matrices of all items. */
const engineName = engineNames[engineNames.length - 1];
const inverts = new Set(["ease"]);

/** Short training of networks whose last layer is wide; the others' defaults where those are quick. */
const brief = { epochs: 1, batchSize: 40 };
const options: Record<string, Record<string, unknown>> = {
  vae: { ...brief, hidden: [WIDTH], latent: 16 },
  "mult-vae": { ...brief, hidden: [WIDTH], latent: 16 },
  "mult-dae": { ...brief, latent: WIDTH },
  vamp: { ...brief, hidden: WIDTH, latent: 16, pseudoInputs: 10 },
  "h-vamp": { ...brief, hidden: WIDTH, latent1: 16, latent2: 16, pseudoInputs: 10 },
  "rec-vae": { ...brief, hidden: 32, layers: 2, latent: WIDTH },
  vasp: { ...brief, hidden: 32, latent: WIDTH, encoderLayers: 2, decoderLayers: 1 },
  cdae: { epochs: 1, latent: WIDTH },
  wmf: { epochs: 1, factors: WIDTH },
  nmf: { factors: 16, epochs: 2 },
  slim: { alpha: 0.05 },
  cvae: {
    ...{ hidden: [16], latent: 8, lambdaV: 1, epochs: 1, layerEpochs: 1, latentEpochs: 1, wholeEpochs: 1 },
  },
  cdl: { hidden: [16], latent: 8, lambdaV: 1, epochs: 1, layerEpochs: 1, finalSweeps: 1 },
  ctr: { topics: 8, lambdaV: 1, topicEpochs: 1, epochs: 1 },
  "deep-music": { hidden: [16], latent: 8, epochs: 1 },
};

const blended = ["popularity", "mult-vae", "item-knn"];
// A blend comes last: its parts are the runs of others.
const names = [...algorithmNames].filter((name) => name !== "blend").concat("blend");

describe.each(names)("%s with 4,100 items", (name) => {
  const out = join(folder, name);
  const skipped = engineName === "reference" && inverts.has(name);
  let engine: Engine;
  let trained: Recommender;
  let model: Recommender;
  const histories = dataset.test.foldIn;
  const idsOf = (row: number) => [...rowIndices(histories, row)].map((item) => dataset.items.ids[item]);

  beforeAll(async () => {
    if (skipped) return;
    engine = await openEngine({ engine: engineName, threads: 2 });
    const given = name === "blend" ? { runs: blended.map((part) => join(folder, part)) } : options[name];
    trained = await train(dataset, { model: name, options: given, out, engine: engineName });
    model = await loadRecommender(out, { engine });
  });
  afterAll(async () => {
    trained?.dispose();
    model?.dispose();
    await engine?.close();
  });

  it.skipIf(skipped)("loads as it was saved: scores and rankings are the same, byte for byte", async () => {
    expect(await model.score(histories).read()).toEqual(await trained.score(histories).read());
    expect(await model.score(histories).topK(7, histories)).toEqual(
      await trained.score(histories).topK(7, histories),
    );
  });

  it.skipIf(skipped)("ranks one history, eight and nine as their scores say", async () => {
    const all = await model.score(histories).read();
    for (const rows of [1, 8, 9]) {
      const best = await model.score(sliceRows(histories, 0, rows)).topK(20);
      for (let row = 0; row < rows; row++) {
        const scores = all.subarray(row * ITEMS, (row + 1) * ITEMS);
        const span = Math.max(...scores) - Math.min(...scores);
        const sorted = Float32Array.from(scores).sort().reverse();
        for (let rank = 0; rank < 20; rank++) {
          // Scores of a few histories and of many may differ in their last bits, and near ties change places.
          expect(Math.abs(best.scores[row * 20 + rank] - sorted[rank])).toBeLessThanOrEqual(1e-5 * span);
          expect(Math.abs(scores[best.items[row * 20 + rank]] - sorted[rank])).toBeLessThanOrEqual(
            1e-5 * span,
          );
        }
      }
    }
  });

  it.skipIf(skipped)("recommends, names similar items, and explains by what each item adds", async () => {
    const ids = idsOf(0);
    const { items: list } = await recommend(model, ids, { k: 3, explain: true });
    expect(list).toHaveLength(3);
    const [{ index, because }] = list;
    const scoreOf = async (given: readonly string[]) => {
      const row = given.map((id) => dataset.items.indexOf(id) ?? -1);
      return (await model.score(fromRows(ITEMS, [row])).at(Uint32Array.of(index)))[0];
    };
    const whole = await scoreOf(ids);
    expect(because).toHaveLength(ids.length);
    for (const { id, influence } of because ?? []) {
      const without = await scoreOf(ids.filter((other) => other !== id));
      expect(Math.abs(influence - (whole - without))).toBeLessThan(1e-3 * (1 + Math.abs(whole)));
    }
    const similar = await similarItems(model, ids[0], { k: 4 });
    expect(similar.items.map(({ id }) => id)).toEqual(
      (await recommend(model, [ids[0]], { k: 4 })).items.map(({ id }) => id),
    );
  });

  it.skipIf(skipped)("scores everybody into a file as recommend does", async () => {
    const everybody = historiesOfDataset(dataset, model.items);
    const path = join(folder, `${name}.parquet`);
    const { users } = await scoreAll(model, everybody, { out: path, model: name, k: 5 });
    expect(users).toBe(everybody.users.length);
    const rows = await withDatabase((database) =>
      database.rows(`SELECT "user", item, score FROM ${literal(path)}`),
    );
    const user = everybody.users[3];
    const { items: list } = await recommend(
      model,
      [...rowIndices(everybody.matrix, 3)].map((item) => model.items.ids[item]),
      { k: 5 },
    );
    const written = rows.filter(([of]) => of === user);
    const span = Math.abs(list[0].score) + 1;
    expect(written).toHaveLength(5);
    for (const [place, [, , score]] of written.entries())
      expect(Math.abs(Number(score) - list[place].score)).toBeLessThan(1e-4 * span);
  });

  it.skipIf(skipped)("writes vectors whose products are its scores, where it has any", async () => {
    if (!hasVectors(model)) {
      await expect(embed(model, { out: join(folder, `${name}-vectors`) })).rejects.toThrow(/no vectors/);
      return;
    }
    const to = join(folder, `${name}-vectors`);
    const given = { users: ["a"], matrix: sliceRows(histories, 0, 1), strangers: 0, unknownItems: 0 };
    await embed(model, { out: to, histories: given });
    const scores = await model.score(sliceRows(histories, 0, 1)).read();
    const rows = await withDatabase((database) =>
      database.rows(
        `SELECT i.id, list_dot_product(u.vector::FLOAT[], i.vector::FLOAT[])
         FROM ${literal(join(to, "users.parquet"))} u, ${literal(join(to, "items.parquet"))} i`,
      ),
    );
    expect(rows).toHaveLength(ITEMS);
    const largest = scores.reduce((most, score) => Math.max(most, Math.abs(score)), 0);
    for (const [id, product] of rows)
      expect(Math.abs(Number(product) - scores[dataset.items.indexOf(String(id)) ?? -1])).toBeLessThan(
        1e-4 * (largest + 1e-3),
      );
  });

  it.skipIf(skipped)("answers over HTTP what recommend says", async () => {
    const server = await createServer({ models: [{ name: "main", folder: out, share: 1 }], engine });
    try {
      const response = await server.app.inject({
        method: "POST",
        url: "/v1/recommendations",
        payload: { history: idsOf(1), k: 6 },
      });
      expect(response.statusCode).toBe(200);
      const [{ items: list }] = (response.json() as { results: { items: { id: string }[] }[] }).results;
      const ours = await recommend(model, idsOf(1), { k: 6 });
      expect(list.map(({ id }) => id)).toEqual(ours.items.map(({ id }) => id));
    } finally {
      await server.close();
    }
  });

  it.skipIf(skipped)("exports to ONNX, or says that it cannot", async () => {
    const files = await readModelFiles(await findModelFolder(out));
    if (!exportable.includes(name)) {
      await expect(onnxOf(files)).rejects.toThrow(/cannot be exported/);
      return;
    }
    const session = await ort.InferenceSession.create(await onnxOf(files));
    const all = await model.score(histories).read();
    for (const row of [0, 5]) {
      const history = Int32Array.from(rowIndices(histories, row));
      const answer = await session.run({
        history: new ort.Tensor("int32", history, [1, history.length]),
        k: new ort.Tensor("int32", Int32Array.of(20), [1]),
      });
      const best = await model
        .score(sliceRows(histories, row, row + 1))
        .topK(20, sliceRows(histories, row, row + 1));
      const scores = all.subarray(row * ITEMS, (row + 1) * ITEMS);
      const span = Math.max(...scores) - Math.min(...scores);
      const found = answer.items.data as Int32Array;
      for (let rank = 0; rank < 20; rank++) {
        expect(Math.abs(Number(answer.scores.data[rank]) - best.scores[rank])).toBeLessThanOrEqual(
          1e-4 * span,
        );
        expect(Math.abs(scores[found[rank]] - best.scores[rank])).toBeLessThanOrEqual(1e-4 * span);
      }
    }
    await session.release();
  });
});
