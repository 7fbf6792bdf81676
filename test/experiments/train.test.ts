import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { AbortedError, UserError } from "../../src/core/errors.js";
import type { JsonObject } from "../../src/core/json.js";
import { evaluate } from "../../src/evaluation/evaluate.js";
import { readRunFolder, requireComplete } from "../../src/experiments/run-folder.js";
import { type TrainOptions, train } from "../../src/experiments/train.js";
import { loadRecommender } from "../../src/serving/load.js";
import { fromRows } from "../../src/sparse/csr.js";
import { fileCheckpoints } from "../../src/training/checkpoint.js";
import { checkerboard, tastes } from "../support/datasets.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-run-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const dataset = tastes();
const options = { hidden: [12], latent: 6, batchSize: 32, epochs: 4, learningRate: 0.01 };
const given = (more: TrainOptions = {}): TrainOptions => ({
  out: join(folder, "run"),
  engine: "reference",
  checkpointSeconds: 0,
  options,
  ...more,
});
const modelFile = () => readFile(join(folder, "run/model/model.safetensors"));

/** Trains until the given epoch has ended, and is stopped there. */
async function stoppedAfter(epoch: number, more: TrainOptions = {}): Promise<void> {
  const stopper = new AbortController();
  const run = train(dataset, {
    ...given(more),
    signal: stopper.signal,
    onEpoch: (record) => {
      if (record.epoch === epoch) stopper.abort();
    },
  });
  await expect(run).rejects.toThrow(AbortedError);
}

describe("train", () => {
  it("learns tastes that popularity cannot see", async () => {
    const model = await train(dataset, { engine: "reference", options: { ...options, epochs: 30 }, seed: 1 });
    const baseline = await train(dataset, { engine: "reference", model: "popularity" });
    const [learnt, popular] = await Promise.all(
      [model, baseline].map(async (trained) => (await evaluate(trained, dataset)).metrics["ndcg@100"].mean),
    );
    expect(learnt).toBeGreaterThan(popular + 0.15);
    model.dispose();
    baseline.dispose();
  });

  describe("with precision bf16", () => {
    /** float32 numbers of a run's tensors. */
    const tensorsOf = async (more: TrainOptions) => {
      const model = await train(dataset, { options, seed: 1, ...more });
      const { tensors } = await model.save();
      model.dispose();
      return Object.values(tensors).flatMap(({ data }) => [...data]);
    };
    const distance = (a: readonly number[], b: readonly number[]) =>
      Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0) / a.reduce((sum, x) => sum + x ** 2, 0));

    it.each(["mult-vae", "mult-dae", "vamp", "h-vamp", "rec-vae", "vae"])(
      "%s trains to similar weights on both engines, and to others than in float32",
      async (name) => {
        const small = {
          "mult-vae": options,
          "mult-dae": { hidden: [12], batchSize: 32, epochs: 4, learningRate: 0.01 },
          vamp: { hidden: 12, latent: 6, pseudoInputs: 5, batchSize: 32, epochs: 4 },
          "h-vamp": { hidden: 12, latent1: 6, latent2: 6, pseudoInputs: 5, batchSize: 32, epochs: 4 },
          "rec-vae": { hidden: 12, latent: 6, batchSize: 32, epochs: 2 },
          vae: { hidden: [12], latent: 6, batchSize: 32, epochs: 4 },
        }[name];
        const of = (precision: "float32" | "bf16", engine: "native" | "reference") =>
          tensorsOf({ model: name, options: small, engine, precision });
        const [reference, auto, float32] = [
          await of("bf16", "reference"),
          await tensorsOf({ model: name, options: small, engine: "auto", precision: "bf16" }),
          await of("float32", "reference"),
        ];
        expect(distance(reference, float32)).toBeGreaterThan(1e-5);
        expect(distance(reference, float32)).toBeLessThan(0.05);
        expect(distance(reference, auto)).toBeLessThan(0.02);
      },
    );

    it("records it in the run and the model, which is loaded with it unless another is given", async () => {
      const model = await train(dataset, given({ precision: "bf16" }));
      expect(requireComplete(await readRunFolder(join(folder, "run"))).config.precision).toBe("bf16");
      const head = JSON.parse(await readFile(join(folder, "run/model/config.json"), "utf8")) as JsonObject;
      expect(head.precision).toBe("bf16");
      const history = Array.from({ length: 6 }, (_, r) => [r, r + 1]);
      const scoresOf = async (scored: typeof model) =>
        scored.score(fromRows(dataset.items.size, history)).read();
      const trained = await scoresOf(model);
      model.dispose();
      const load = async (precision?: "float32") => {
        const loaded = await loadRecommender(join(folder, "run"), { engine: "reference", precision });
        const scores = await scoresOf(loaded);
        loaded.dispose();
        return scores;
      };
      expect(await load()).toEqual(trained);
      expect(await load("float32")).not.toEqual(trained);
    });

    it("resumes to the same bytes, and refuses to resume in another precision", async () => {
      await stoppedAfter(2, { precision: "bf16" });
      await expect(train(dataset, given({ resume: true, precision: "float32" }))).rejects.toThrow(
        /^precision: is bf16 in the run to resume, but float32 in this one/,
      );
      (await train(dataset, given({ resume: true }))).dispose();
      const resumed = await modelFile();
      (await train(dataset, given({ force: true, precision: "bf16" }))).dispose();
      expect(await modelFile()).toEqual(resumed);
    });
  });

  it("leaves a complete run folder and a model that can be loaded", async () => {
    const model = await train(dataset, given({ datasetPath: "data/tastes" }));
    expect((await readdir(join(folder, "run"))).toSorted()).toEqual([
      "config.json",
      "metrics.jsonl",
      "model",
    ]);
    const run = requireComplete(await readRunFolder(join(folder, "run")));
    expect(run.config).toMatchObject({
      formatVersion: 1,
      model: "mult-vae",
      options: { ...options, beta: 0.2, dropout: 0.5 },
      seed: 98765,
      engine: "reference",
      precision: "float32",
      threads: 1,
    });
    expect(run.config.dataset.name).toBe("tastes-1");
    expect(run.config.dataset.path).toMatch(/data.tastes$/);
    expect(run.epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
    expect(Object.keys(run.epochs[0].values)).toEqual(["loss", "kl", "beta", "validation ndcg@100"]);
    for (const place of ["run", "run/model"]) {
      const loaded = await loadRecommender(join(folder, place), { engine: "reference" });
      expect(await loaded.score(dataset.test.foldIn).read()).toEqual(
        await model.score(dataset.test.foldIn).read(),
      );
      loaded.dispose();
    }
    model.dispose();
  });

  it("resumes a stopped run and ends with the same model file and the same metrics", async () => {
    await train(dataset, given());
    const [whole, records] = [await modelFile(), (await readRunFolder(join(folder, "run"))).epochs];
    await rm(join(folder, "run"), { recursive: true });

    await stoppedAfter(3);
    const stopped = await readRunFolder(join(folder, "run"));
    expect(stopped.complete).toBe(false);
    expect(() => requireComplete(stopped)).toThrow(/not finished \(3 epochs so far\).*--resume/);
    await expect(loadRecommender(join(folder, "run"))).rejects.toThrow(/no model yet.*--resume/);
    // As after a kill: an epoch that no checkpoint knows of, and a line that was cut short.
    const later = JSON.stringify({ ...stopped.epochs[0], epoch: 4 });
    await writeFile(join(folder, "run/metrics.jsonl"), `${later}\n{"epo`, { flag: "a" });
    // What is not given is the run's.
    await train(dataset, { out: join(folder, "run"), resume: true });
    expect(await modelFile()).toEqual(whole);
    const values = (list: typeof records) => list.map(({ epoch, values }) => [epoch, values]);
    expect(values((await readRunFolder(join(folder, "run"))).epochs)).toEqual(values(records));

    // Killed before it had a folder, it starts from the beginning.
    await rm(join(folder, "run"), { recursive: true });
    await train(dataset, given({ resume: true }));
    expect(await modelFile()).toEqual(whole);

    // A finished one is only loaded.
    const again = await train(dataset, { out: join(folder, "run"), resume: true });
    expect(again.algorithm).toBe("mult-vae");
    expect(await modelFile()).toEqual(whole);
  });

  it("pauses after an epoch with a checkpoint, whatever its interval, and ends the same when resumed", async () => {
    (await train(dataset, given())).dispose();
    const whole = await modelFile();
    await rm(join(folder, "run"), { recursive: true });
    const rare = { checkpointSeconds: 3600 };
    await expect(train(dataset, given({ ...rare, pauseAfter: 2 }))).rejects.toThrow(/paused after epoch 2/);
    expect((await readRunFolder(join(folder, "run"))).epochs).toHaveLength(2);
    await expect(train(dataset, given({ ...rare, pauseAfter: 3, resume: true }))).rejects.toThrow(
      AbortedError,
    );
    expect((await readRunFolder(join(folder, "run"))).epochs).toHaveLength(3);
    // The last epoch is the end, not a pause.
    (await train(dataset, given({ ...rare, pauseAfter: 4, resume: true }))).dispose();
    expect(await modelFile()).toEqual(whole);
  });

  it("resumes a run of an earlier version, whose options were not in groups, with the same result", async () => {
    const notebook = { ...options, anneal: "epoch", restoreBest: false, sampleAtPrediction: true };
    const { anneal, restoreBest, sampleAtPrediction } = notebook;
    const compatibility = { anneal, restoreBest, sampleAtPrediction };
    await train(dataset, given({ model: "vae", options: { ...options, compatibility } }));
    const whole = await modelFile();
    await rm(join(folder, "run"), { recursive: true });

    await stoppedAfter(2, { model: "vae", options: notebook });
    const ungrouped = ({ compatibility, ...rest }: JsonObject) => ({
      ...rest,
      ...(compatibility as JsonObject),
    });
    const config = JSON.parse(await readFile(join(folder, "run/config.json"), "utf8"));
    expect(config.options.compatibility).toMatchObject(compatibility);
    await writeFile(
      join(folder, "run/config.json"),
      JSON.stringify({ ...config, options: ungrouped(config.options) }),
    );
    const checkpoints = fileCheckpoints(join(folder, "run/checkpoint"));
    const checkpoint = await checkpoints.load();
    if (!checkpoint) throw new Error("no checkpoint");
    const identity = checkpoint.loop.identity as JsonObject;
    const former = { ...identity, options: ungrouped(identity.options as JsonObject) };
    await checkpoints.save({ ...checkpoint, loop: { ...checkpoint.loop, identity: former } });

    const resume = (more: TrainOptions) =>
      train(dataset, { out: join(folder, "run"), resume: true, ...more });
    await expect(resume({ options: { anneal: "update" } })).rejects.toThrow(
      /anneal: is epoch in the run to resume, but update in this one/,
    );
    await resume({ options: { compatibility: { anneal: "epoch" } } });
    expect(await modelFile()).toEqual(whole);
  });

  it("refuses to resume a different run, or a folder without a run", async () => {
    await stoppedAfter(2);
    const resume = (more: TrainOptions, data = dataset) =>
      train(data, { out: join(folder, "run"), resume: true, ...more });
    await expect(resume({ options: { epochs: 5 } })).rejects.toThrow(
      /epochs: is 4 in the run to resume, but 5 in this one/,
    );
    await expect(resume({ seed: 1 })).rejects.toThrow(
      /seed: is 98765 in the run to resume, but 1 in this one/,
    );
    await expect(resume({ model: "popularity" })).rejects.toThrow(/model: is mult-vae in/);
    await expect(resume({}, tastes({ seed: 9 }))).rejects.toThrow(/data: /);
    await expect(train(dataset, { out: folder, resume: true })).rejects.toThrow(/is not a run folder/);
    await expect(train(dataset, { resume: true })).rejects.toThrow(UserError);
    expect((await readRunFolder(join(folder, "run"))).epochs).toHaveLength(2);
  });

  it("does not touch an existing folder", async () => {
    await stoppedAfter(2);
    await expect(train(dataset, given())).rejects.toThrow(
      /already contains an unfinished run of mult-vae.*--resume/,
    );
    await writeFile(join(folder, "note.txt"), "mine");
    await expect(train(dataset, given({ out: folder }))).rejects.toThrow(/is not empty/);
    await expect(train(dataset, given({ out: join(folder, "note.txt") }))).rejects.toThrow(UserError);
  });

  it("bad options, and a run that stops before its first checkpoint, leave no folder behind", async () => {
    await expect(train(dataset, given({ model: "multvae" }))).rejects.toThrow(/Did you mean "mult-vae"/);
    await expect(train(dataset, given({ options: { epoch: 1 } }))).rejects.toThrow(UserError);
    await expect(train(dataset, given({ seed: -1 }))).rejects.toThrow(/seed: -1/);
    await expect(train(dataset, given({ signal: AbortSignal.abort() }))).rejects.toThrow(AbortedError);
    await expect(
      train(dataset, given({ options: { ...options, learningRate: 1e30 }, checkpointSeconds: 1000 })),
    ).rejects.toThrow(/diverged/);
    expect(await readdir(folder)).toEqual([]);
  });

  it("works on an engine that is open already, and leaves it open", async () => {
    const engine = new ReferenceEngine();
    const model = await train(checkerboard(10, 10), {
      engine,
      model: "popularity",
      out: join(folder, "run"),
    });
    model.dispose();
    const loaded = await loadRecommender(join(folder, "run"), { engine });
    expect(await loaded.score(checkerboard(10, 10).train).read()).toHaveLength(100);
    loaded.dispose();
    await engine.close();
  });
});
