import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { recVae } from "../../../src/models/autoencoders/rec-vae.js";
import { parseOptions } from "../../../src/models/options.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { trainingOnly } from "../../support/datasets.js";
import { precisions } from "../../support/engine-names.js";
import { expectWeights, largestError } from "../../support/updates.js";

const fixture = JSON.parse(
  readFileSync(new URL("../fixtures/torch-rec-vae.json", import.meta.url), "utf8"),
) as {
  seed: number;
  items: number;
  rows: number[][];
  probe: number[][];
  options: Record<string, unknown>;
  losses: number[];
  kls: number[];
  reconstructions: number[];
  weights: Record<string, number[]>;
  scores: number[];
};
const { seed, items, rows, probe } = fixture;
const dataset = trainingOnly(fromRows(items, rows));

/** In float64 the same numbers; in float32 what 18 updates of single precision leave of them. */
const engines = precisions(1e-10, 1e-4);

describe("rec-vae", () => {
  it.each(engines)("ends 18 updates on the %s engine with PyTorch's numbers", async (_, tolerance, open) => {
    const engine = await open();
    const { model, updates, reported } = await expectWeights(recVae, dataset, fixture, {
      engine,
      seed,
      tolerance,
    });
    expect(largestError(reported("loss"), fixture.losses)).toBeLessThan(tolerance);
    expect(largestError(reported("kl"), fixture.kls)).toBeLessThan(tolerance);
    expect(largestError(reported("reconstruction"), fixture.reconstructions)).toBeLessThan(tolerance);
    expect(updates).toEqual([6, 12, 18]);
    // Scores come back in float32.
    const scores = await model.score(fromRows(items, probe)).read();
    expect(largestError(scores, fixture.scores)).toBeLessThan(Math.max(tolerance, 1e-6));
    await engine.close();
  });

  it("resumed between any two epochs, ends with the uninterrupted run's weights, including q_old and both Adam states", async () => {
    const engine = new ReferenceEngine();
    const options = parseOptions(recVae, fixture.options);
    const weights = async (checkpoints?: MemoryCheckpoints) => {
      const model = await recVae.fit(dataset, options, { engine, seed, checkpoints });
      return (await model.save()).tensors;
    };
    const whole = await weights();
    const all = new MemoryCheckpoints();
    await weights(all);
    expect(all.saved.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    for (const saved of all.saved) expect(await weights(new MemoryCheckpoints(0, saved))).toEqual(whole);
  });

  it("has the published options as defaults, and reports invalid ones", () => {
    // Shenbin et al. 2020, section 4.3, and ilya-shenbin/RecVAE, run.py.
    expect(parseOptions(recVae)).toEqual({
      hidden: 600,
      layers: 5,
      latent: 200,
      dropout: 0.5,
      gamma: 0.005,
      mixture: [0.15, 0.75, 0.1],
      encoderPasses: 3,
      decoderPasses: 1,
      learningRate: 5e-4,
      batchSize: 500,
      epochs: 50,
    });
    expect(() => parseOptions(recVae, { mixture: [0.5, 0.6, 0.1] })).toThrow(
      /mixture: \[0.5,0.6,0.1\] is not valid: the weights must add up to 1/,
    );
    expect(() => parseOptions(recVae, { layers: 0 })).toThrow(/layers: 0 is not valid/);
    expect(() => parseOptions(recVae, { gamma: -1 })).toThrow(/gamma: -1 is not valid/);
    expect(() => parseOptions(recVae, { encoderPasses: 0 })).toThrow(/encoderPasses: 0 is not valid/);
  });
});
