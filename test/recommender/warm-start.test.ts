import { existsSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEngine } from "../../src/compute/open-engine.js";
import type { Dataset } from "../../src/data/dataset.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import { readRunFolder } from "../../src/experiments/run-folder.js";
import { type TrainOptions, train } from "../../src/experiments/train.js";
import { parseOptions } from "../../src/models/options.js";
import { findAlgorithm } from "../../src/models/registry.js";
import { readModelFiles } from "../../src/recommender/model-files.js";
import type { ModelFiles } from "../../src/recommender/recommender.js";
import type { EpochRecord } from "../../src/recommender/run-context.js";
import { type CsrMatrix, fromRows, rowIndices } from "../../src/sparse/csr.js";
import { tastes } from "../support/datasets.js";
import { foldin } from "../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-init-"));
afterAll(() => rm(folder, { recursive: true }));

/** The catalogue of today, and that of yesterday: half of the users, without the last items, and in another order. */
const today = tastes({ users: 600, heldOutUsers: 150, items: 80, seed: 5 });
const yesterday = formerly(today, 300, 64);

function formerly(dataset: Dataset, users: number, items: number): Dataset {
  // Item i is at place (7 i) mod 64 of yesterday's.
  const placeOf = (item: number) => (7 * item) % items;
  const matrix = (full: CsrMatrix, rows = full.rows) =>
    fromRows(
      items,
      Array.from({ length: rows }, (_, row) =>
        [...rowIndices(full, row)].filter((item) => item < items).map(placeOf),
      ),
    );
  const ids: string[] = [];
  for (let item = 0; item < items; item++) ids[placeOf(item)] = dataset.items.ids[item];
  const split = ({ users, foldIn, heldOut }: Dataset["test"]) => ({
    users,
    foldIn: matrix(foldIn),
    heldOut: matrix(heldOut),
  });
  return {
    name: "yesterday",
    items: new Vocabulary(ids),
    users: new Vocabulary(dataset.users.ids.slice(0, users)),
    train: matrix(dataset.train, users),
    validation: split(dataset.validation),
    test: split(dataset.test),
  };
}

const small: Record<string, Record<string, unknown>> = {
  "mult-vae": { hidden: [40], latent: 16, batchSize: 100, learningRate: 3e-3, annealSteps: 0 },
  "mult-dae": { latent: 24, batchSize: 100, learningRate: 3e-3 },
  vae: { hidden: [40], latent: 16, batchSize: 100, learningRate: 3e-3, annealSteps: 0 },
  "rec-vae": { hidden: 32, layers: 2, latent: 16, batchSize: 100, learningRate: 3e-3 },
  vamp: { hidden: 40, latent: 16, pseudoInputs: 20, batchSize: 100, learningRate: 0.01, warmup: 0 },
  "h-vamp": {
    ...{ hidden: 40, latent1: 16, latent2: 16, pseudoInputs: 20, gated: true },
    ...{ batchSize: 100, learningRate: 0.01, beta: 0.2, warmup: 0 },
  },
  wmf: { factors: 4, epochs: 8 },
};

/** Yesterday's run of a model. */
async function runOf(model: string, epochs = 30): Promise<string> {
  const out = join(folder, model);
  const options = { ...small[model], epochs };
  if (!existsSync(out))
    (await train(yesterday, { model, options, engine: "reference", out, seed: 1 })).dispose();
  return out;
}

describe.each(Object.keys(small))("%s", (model) => {
  const epochs = model === "wmf" ? 8 : 30;
  let run: string;
  beforeAll(async () => {
    run = await runOf(model, epochs);
  });

  /** The validation NDCG@100 of each epoch. */
  async function curve(given: TrainOptions): Promise<number[]> {
    const records: EpochRecord[] = [];
    const trained = await train(today, {
      ...given,
      engine: "reference",
      seed: 2,
      onEpoch: (record) => records.push(record),
    });
    trained.dispose();
    return records.map(({ values }) => values["validation ndcg@100"]);
  }

  it("started from yesterday's run comes near what a new one settles at in half the epochs", async () => {
    const anew = await curve({ model, options: { ...small[model], epochs } });
    const warm = await curve({ initFrom: run });
    // The level that the new run reaches; single epochs vary.
    const settled = anew.slice(-10).reduce((sum, ndcg) => sum + ndcg, 0) / Math.min(10, anew.length);
    const [epochsAnew, epochsWarm] = [anew, warm].map(
      (ndcgs) => ndcgs.findIndex((ndcg) => ndcg >= settled * 0.9) + 1,
    );
    expect(epochsWarm).toBeGreaterThan(0);
    expect(epochsWarm).toBeLessThanOrEqual(epochsAnew / 2);
  });
});

describe("the weights that training starts from", () => {
  beforeAll(() => runOf("mult-vae"));

  it("are the run's for the items that it knew, at their new indices, and initial ones for the others", async () => {
    const engine = await openEngine({ engine: "reference" });
    const algorithm = await findAlgorithm("h-vamp");
    const options = parseOptions(algorithm, { ...small["h-vamp"], epochs: 1, learningRate: 1e-30 });
    const trained = (dataset: Dataset, seed: number, initial?: ModelFiles) =>
      algorithm
        .fit(dataset, options, { engine, seed, initial: initial && { files: initial, digest: "d" } })
        .then((model) => model.save());
    const [before, fresh] = [await trained(yesterday, 1), await trained(today, 2)];
    const after = await trained(today, 2, before);
    const rowOf = (files: ModelFiles, name: string, row: number) => {
      const { data, shape } = files.tensors[name];
      return [...data.subarray(row * shape[1], (row + 1) * shape[1])];
    };
    const columnOf = (files: ModelFiles, name: string, column: number) => {
      const { data, shape } = files.tensors[name];
      return Array.from({ length: shape[0] }, (_, row) => data[row * shape[1] + column]);
    };
    for (const [item, id] of today.items.ids.entries()) {
      const old = yesterday.items.indexOf(id);
      const source = old === undefined ? fresh : before;
      const at = old ?? item;
      for (const name of ["encoder2.input.weight", "encoder1.joint.weight", "decoder.output.weight"])
        expect(rowOf(after, name, item)).toEqual(rowOf(source, name, at));
      for (const name of ["pseudoInputs", "decoder.output.bias"])
        expect(columnOf(after, name, item)).toEqual(columnOf(source, name, at));
    }
    // Behind the items' rows come those of z2.
    expect(rowOf(after, "encoder1.joint.weight", 80)).toEqual(rowOf(before, "encoder1.joint.weight", 64));
    expect(after.tensors["encoder2.mean.weight"]).toEqual(before.tensors["encoder2.mean.weight"]);
    await engine.close();
  });

  it("are recorded, and the run's options can be overridden", async () => {
    const out = join(folder, "tomorrow");
    const trained = await train(today, {
      ...{ initFrom: join(folder, "mult-vae"), options: { epochs: 2 }, engine: "reference", out },
    });
    trained.dispose();
    const { config } = await readRunFolder(out);
    expect(config).toMatchObject({ model: "mult-vae", options: { hidden: [40], epochs: 2 } });
    expect(config.initFrom).toEqual({
      path: join(folder, "mult-vae"),
      digest: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect((await readModelFiles(join(out, "model"))).items.size).toBe(80);
  });

  it.each([
    [{ model: "ease" }, /--init-from: ease cannot start from a run.*expected .*mult-vae.*wmf/s],
    [{ model: "mult-dae" }, /--init-from: the run's model is mult-vae, but the model to train is mult-dae/],
    [
      { options: { hidden: [50] } },
      /--init-from: the run's mult-vae has another shape: its .*64 x 40, not 64 x 50/,
    ],
    [{ initFrom: join(folder, "nowhere") }, /nowhere.config\.json: there is no such file/],
  ])("are refused for %j", async (given, message) => {
    const all = { initFrom: join(folder, "mult-vae"), engine: "reference" as const, ...given };
    await expect(train(today, all)).rejects.toThrow(message);
  });

  it("are rejected if the run knows none of the items", async () => {
    const strangers = { ...today, items: new Vocabulary(today.items.ids.map((id) => `other-${id}`)) };
    await expect(
      train(strangers, { initFrom: join(folder, "mult-vae"), engine: "reference" }),
    ).rejects.toThrow(/the run and tastes-5 have no items in common \(expected item ids such as other-item0/);
  });

  it("are set on the command line", async () => {
    const { code, stderr } = await foldin([
      ...["train", join(folder, "no-data"), "--init-from", join(folder, "mult-vae")],
      ...["--set", "factors=3", "--out", join(folder, "x")],
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain("factors: mult-vae has no such option");
  });
});
