import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Tracker, trackedOptions, trackedValues } from "../../../src/experiments/trackers/tracker.js";
import { train } from "../../../src/experiments/train.js";
import { tastes } from "../../support/datasets.js";
import { epochRecord, trackedRun } from "../../support/tracked.js";

describe("what trackers record of an epoch", () => {
  it("has names by which they group, the learning rate, and finite numbers only", () => {
    const values = trackedValues(epochRecord(2, { kl: Number.POSITIVE_INFINITY }), { learningRate: 0.01 });
    expect(values).toEqual({
      ...{ "train/loss": 8, "validation/ndcg@100": 0.25, "train/learning rate": 0.01 },
      ...{ "time/training seconds": 0.5, "time/validation seconds": 0.25 },
    });
  });

  it("has the learning rate that the model reports, and none that a scheduler may have changed", () => {
    const options = { learningRate: 0.01, scheduler: "plateau" };
    expect(trackedValues(epochRecord(1, { "learning rate": 0.004 }), options)["train/learning rate"]).toBe(
      0.004,
    );
    expect(trackedValues(epochRecord(1), options)).not.toHaveProperty("train/learning rate");
  });
});

it("options are flat, and do not hide the circumstances of a run", () => {
  expect(trackedOptions(trackedRun({ options: { a: { b: [1, 2] }, seed: "own", none: null } }))).toEqual({
    ...{ model: "mult-vae", seed: 7, engine: "native", precision: "float32", dataset: "demo" },
    ...{ "dataset.users": 10, "dataset.items": 20, "dataset.interactions": 30 },
    ...{ "a.b": "[1,2]", "options.seed": "own", none: "null" },
  });
});

describe("a training", () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "foldin-tracked-"));
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  function recorder() {
    const calls: string[] = [];
    const tracker: Tracker = {
      begin: ({ name, resumed, earlier, model, options }) =>
        calls.push(
          `begin ${name} ${model} ${options.epochs} ${resumed} ${earlier.map(({ epoch }) => epoch)}`,
        ),
      epoch: ({ epoch }) => calls.push(`epoch ${epoch}`),
      end: (end) => calls.push(end.state),
      report: () => calls.push("report"),
      close: async () => {},
    };
    return { calls, tracker };
  }
  const small = {
    model: "mult-dae",
    options: { hidden: [4], epochs: 3, batchSize: 8 },
    engine: "reference",
  } as const;

  it("is followed from its options to its end, with and without a folder", async () => {
    for (const out of [undefined, join(home, "run")]) {
      const { calls, tracker } = recorder();
      (await train(tastes(), { ...small, out, trackers: [tracker] })).dispose();
      const name = out === undefined ? "mult-dae" : "run";
      expect(calls).toEqual([`begin ${name} mult-dae 3 false `, "epoch 1", "epoch 2", "epoch 3", "finished"]);
    }
  });

  it("tells how it was stopped, and continues with its earlier epochs", async () => {
    const out = join(home, "run");
    const stop = new AbortController();
    const first = recorder();
    const stopped = {
      ...first.tracker,
      epoch: (record: { epoch: number }) => record.epoch === 2 && stop.abort(),
    };
    const options = { ...small, out, checkpointSeconds: 0 };
    await expect(
      train(tastes(), { ...options, signal: stop.signal, trackers: [stopped as Tracker] }),
    ).rejects.toThrow();
    expect(first.calls.at(-1)).toBe("stopped");
    const second = recorder();
    (await train(tastes(), { ...options, resume: true, trackers: [second.tracker] })).dispose();
    expect(second.calls[0]).toBe("begin run mult-dae 3 true 1,2");
    expect(second.calls.slice(-2)).toEqual(["epoch 3", "finished"]);
  });
});
