import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNpy, readNpyRows } from "../../src/data/content/npy.js";
import { literal, withDatabase } from "../../src/data/database.js";
import { historiesOfDataset } from "../../src/data/histories.js";
import { train } from "../../src/experiments/train.js";
import type { Recommender } from "../../src/recommender/recommender.js";
import { embed, requireVectors } from "../../src/serving/embed.js";
import { loadRecommender } from "../../src/serving/load.js";
import { tastes } from "../support/datasets.js";
import { foldin } from "../support/foldin.js";

const dataset = tastes();
const folder = mkdtempSync(join(tmpdir(), "foldin-embed-"));
const run = join(folder, "run");
let model: Recommender;

beforeAll(async () => {
  const options = { hidden: [20], latent: 8, epochs: 3, batchSize: 50 };
  (await train(dataset, { model: "mult-vae", options, engine: "reference", out: run })).dispose();
  model = await loadRecommender(run, { engine: "reference" });
});
afterAll(async () => {
  model.dispose();
  await rm(folder, { recursive: true });
});

describe("vectors in files", () => {
  it("in Parquet: cover all items and users, and their inner products are the scores", async () => {
    const histories = historiesOfDataset(dataset, model.items);
    const out = join(folder, "parquet");
    const { dimensions, items, users } = await embed(model, { out, histories });
    expect({ dimensions, items: items.count, users: users?.count }).toEqual({
      ...{ dimensions: 21, items: 60, users: 280 },
    });
    const scores = await model.score(histories.matrix).read();
    await withDatabase(async (database) => {
      const rows = await database.rows(
        `SELECT u.id, i.id, list_dot_product(u.vector::FLOAT[], i.vector::FLOAT[])
         FROM ${literal(join(out, "users.parquet"))} u, ${literal(join(out, "items.parquet"))} i`,
      );
      expect(rows).toHaveLength(280 * 60);
      for (const [user, item, product] of rows) {
        const at = histories.users.indexOf(String(user)) * 60 + (model.items.indexOf(String(item)) ?? -1);
        expect(Number(product)).toBeCloseTo(scores[at], 3);
      }
      const [[title]] = await database.rows(
        `SELECT title FROM ${literal(join(out, "items.parquet"))} WHERE id = 'item7'`,
      );
      expect(title).toBe("Title of item7");
    });
  });

  it("in npy: arrays with ids, also of the latent space, also for items only", async () => {
    const out = join(folder, "npy");
    await embed(model, { out, format: "npy", space: "latent" });
    const array = await openNpy(join(out, "items.npy"));
    expect(array.shape).toEqual([60, 8]);
    expect(JSON.parse(readFileSync(join(out, "items.ids.json"), "utf8"))).toEqual(model.items.ids);
    const vectors = requireVectors(model);
    expect(await readNpyRows(array, [7])).toEqual(await vectors.itemVectors(7, 8, "latent"));
    expect(existsSync(join(out, "users.npy"))).toBe(false);
    expect(JSON.parse(readFileSync(join(out, "vectors.json"), "utf8"))).toMatchObject({
      ...{ model: "mult-vae", space: "latent", metric: "cosine", users: null },
    });
  });

  it("of a user include training, validation and test items", () => {
    const { users, matrix } = historiesOfDataset(dataset, model.items);
    // Test users come last; what they fold in and what is held out are one history.
    const last = users.length - 1;
    const { foldIn, heldOut } = dataset.test;
    const both = [foldIn, heldOut].flatMap(({ indices, offsets, rows }) => [
      ...indices.subarray(offsets[rows - 1], offsets[rows]),
    ]);
    expect([...matrix.indices.subarray(matrix.offsets[last])]).toEqual(both.sort((a, b) => a - b));
  });

  it("leave nothing behind when aborted", async () => {
    const out = join(folder, "stopped");
    const stop = new AbortController();
    const histories = historiesOfDataset(dataset, model.items);
    const progress = () => stop.abort();
    await expect(embed(model, { out, histories, progress, signal: stop.signal })).rejects.toThrow(
      "stopped on request",
    );
    expect(existsSync(out)).toBe(false);
  });

  it("are refused in one clear line by a model without vectors, and for an unknown space", async () => {
    const none = join(folder, "popularity");
    (await train(dataset, { model: "popularity", engine: "reference", out: none })).dispose();
    const refused = await foldin(["embed", none, "--no-users", "--out", join(folder, "x")]);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain("popularity: the model has no vectors");
    expect(refused.stderr).toContain("mult-vae");
    const dae = join(folder, "dae");
    (
      await train(dataset, { model: "mult-dae", options: { epochs: 1 }, engine: "reference", out: dae })
    ).dispose();
    const other = await foldin(["embed", dae, "--no-users", "--space", "latent", "--out", join(folder, "x")]);
    expect(other).toMatchObject({ code: 2 });
    expect(other.stderr).toContain("mult-dae has no latent vectors (expected scores)");
    const nowhere = await foldin(["embed", run, "--out", join(folder, "x")]);
    expect(nowhere.stderr).toContain("trained on a dataset in memory");
    expect(existsSync(join(folder, "x"))).toBe(false);
  });
});
