import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { learningRateOf, vasp } from "../../../src/models/autoencoders/vasp.js";
import { parseOptions } from "../../../src/models/options.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { trainingOnly } from "../../support/datasets.js";
import { engineNames, precisions } from "../../support/engine-names.js";
import { expectWeights, largestError } from "../../support/updates.js";

const fixture = JSON.parse(readFileSync(new URL("../fixtures/torch-vasp.json", import.meta.url), "utf8")) as {
  seed: number;
  items: number;
  rows: number[][];
  probe: number[][];
  options: Record<string, unknown>;
  losses: number[];
  kls: number[];
  weights: Record<string, number[]>;
  scores: number[];
};
const { seed, items, rows, probe } = fixture;
const dataset = trainingOnly(fromRows(items, rows));
const engine = new ReferenceEngine();
afterAll(() => engine.close());

describe("vasp", () => {
  it.each(precisions(1e-9, 1e-4))(
    "ends 6 updates on the %s engine with PyTorch's numbers",
    async (_, tolerance, open) => {
      const opened = await open();
      const run = { engine: opened, seed, tolerance };
      const { model, updates, reported } = await expectWeights(vasp, dataset, fixture, run);
      expect(largestError(reported("loss"), fixture.losses)).toBeLessThan(tolerance);
      expect(largestError(reported("kl"), fixture.kls)).toBeLessThan(tolerance);
      expect(updates).toEqual([2, 4, 6]);
      expect(reported("learning rate").map((rate) => rate.toFixed(6))).toEqual([
        "0.010000",
        "0.010000",
        "0.003000",
      ]);
      // Scores are float32.
      const scores = await model.score(fromRows(items, probe)).read();
      expect(largestError(scores, fixture.scores)).toBeLessThan(Math.max(tolerance, 1e-6));
      await opened.close();
    },
  );

  it("resumed between any two epochs, ends with the uninterrupted run's weights, byte for byte", async () => {
    const options = parseOptions(vasp, fixture.options);
    const weights = async (checkpoints?: MemoryCheckpoints) =>
      (await (await vasp.fit(dataset, options, { engine, seed, checkpoints })).save()).tensors;
    const whole = await weights();
    const all = new MemoryCheckpoints();
    await weights(all);
    expect(all.saved.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    for (const saved of all.saved) expect(await weights(new MemoryCheckpoints(0, saved))).toEqual(whole);
  });

  it.each(engineNames)("has the same weights for any number of threads on the %s engine", async (name) => {
    const weights = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        const opened = await openEngine({ engine: name, threads });
        const model = await vasp.fit(dataset, parseOptions(vasp, fixture.options), { engine: opened, seed });
        const { tensors } = await model.save();
        await opened.close();
        return tensors;
      }),
    );
    expect(weights[1]).toEqual(weights[0]);
    expect(weights[2]).toEqual(weights[0]);
  });

  it("keeps B's diagonal at zero, so that an item does not raise its own linear score", async () => {
    const model = await vasp.fit(dataset, parseOptions(vasp, fixture.options), { engine, seed });
    const { data } = (await model.save()).tensors["shallow.weight"];
    const diagonal = Array.from({ length: items }, (_, i) => data[i * (items + 1)]);
    expect(diagonal).toEqual(new Array(items).fill(0));
    expect(data.filter((x) => x === 0)).toHaveLength(items);
  });

  it("has the authors' program's options as defaults, and reports invalid ones", () => {
    const options = parseOptions(vasp);
    // zombak79/vasp, VASP.ipynb: create_model, compile_model, and 50 + 20 + 20 epochs.
    expect(options).toEqual({
      hidden: 4096,
      latent: 2048,
      encoderLayers: 7,
      decoderLayers: 5,
      alpha: 0.25,
      focus: 2,
      beta: 1,
      learningRate: 5e-5,
      lateShare: 4 / 9,
      lateFactor: 0.2,
      batchSize: 1024,
      epochs: 90,
    });
    expect([1, 50, 51, 90].map((epoch) => learningRateOf(options, epoch))).toEqual([5e-5, 5e-5, 1e-5, 1e-5]);
    expect(() => parseOptions(vasp, { alpha: 1.5 })).toThrow(/alpha: 1.5 is not valid/);
    expect(() => parseOptions(vasp, { focus: -1 })).toThrow(/focus: -1 is not valid/);
    expect(() => parseOptions(vasp, { lateShare: 2 })).toThrow(/lateShare: 2 is not valid/);
    expect(() => parseOptions(vasp, { lateFactor: 0 })).toThrow(/lateFactor: 0 is not valid/);
    expect(() => parseOptions(vasp, { encoderLayers: 0 })).toThrow(/encoderLayers: 0 is not valid/);
  });
});
