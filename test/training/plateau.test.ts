import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { multVae } from "../../src/models/autoencoders/mult-vae.js";
import { parseOptions } from "../../src/models/options.js";
import type { EpochRecord } from "../../src/recommender/run-context.js";
import { Plateau } from "../../src/training/plateau.js";
import { MemoryCheckpoints } from "../support/checkpoints.js";
import { checkerboard } from "../support/datasets.js";

const rates = (mode: "max" | "min", values: number[], patience = 2) => {
  const plateau = new Plateau({ learningRate: 1, factor: 0.5, patience, mode });
  return values.map((value) => plateau.next(value));
};

describe("a plateau", () => {
  it("halves the rate after more than `patience` epochs without improvement, and resets the count", () => {
    // Best 2 at the second; three worse ones are more than two; three more again.
    expect(rates("max", [1, 2, 1, 1, 1, 1, 1, 1, 3])).toEqual([1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]);
    expect(rates("min", [2, 1, 2, 2, 2, 0.5])).toEqual([1, 1, 1, 1, 0.5, 0.5]);
  });

  it("an improvement is at least a ten-thousandth of the best", () => {
    expect(rates("max", [1, 1.00005, 1.00009], 1)).toEqual([1, 1, 0.5]);
    expect(rates("max", [1, 1.0002, 1.0002], 1)).toEqual([1, 1, 1]);
  });

  it("resumes from its saved state", () => {
    const first = new Plateau({ learningRate: 1, factor: 0.5, patience: 1, mode: "max" });
    first.next(1);
    first.next(1);
    const second = new Plateau({ learningRate: 1, factor: 0.5, patience: 1, mode: "max" });
    second.load(first.save());
    expect(second.next(1)).toBe(first.next(1));
    expect(second.learningRate).toBe(0.5);
  });
});

describe("Mult-VAE with a scheduler and AdamW", () => {
  const options = parseOptions(multVae, {
    hidden: [8],
    latent: 4,
    batchSize: 10,
    epochs: 8,
    scheduler: "plateau",
    plateauMode: "min",
    plateauPatience: 0,
    weightDecay: 0.1,
  });
  const dataset = checkerboard();
  // Judged on what it is tested on: here only the schedule matters.
  const judged = { ...dataset, validation: dataset.test };

  it("reduces the learning rate, and resumed ends with the same weights", async () => {
    const engine = new ReferenceEngine();
    const records: EpochRecord[] = [];
    const checkpoints = new MemoryCheckpoints();
    const onEpoch = (record: EpochRecord) => records.push(record);
    const model = await multVae.fit(judged, options, { engine, seed: 1, onEpoch, checkpoints });
    const rates = records.map(({ values }) => values["learning rate"]);
    expect(rates[0]).toBe(1e-3);
    expect(rates.at(-1)).toBeLessThan(1e-3);
    const { tensors } = await model.save();
    const half = new MemoryCheckpoints();
    await half.save(checkpoints.saved[3]);
    const resumed = await multVae.fit(judged, options, { engine, seed: 1, checkpoints: half });
    expect((await resumed.save()).tensors).toEqual(tensors);
    const without = await multVae.fit(judged, { ...options, weightDecay: 0 }, { engine, seed: 1 });
    expect((await without.save()).tensors).not.toEqual(tensors);
  });
});
