// Vamp, H+Vamp and Mult-VAE as EVCF trains it: what their options change, on a checkerboard.

import { describe, expect, it } from "vitest";
import { openEngine } from "../../../src/compute/open-engine.js";
import { parseOptions } from "../../../src/models/options.js";
import { findAlgorithm, restoreModel } from "../../../src/models/registry.js";
import type { EpochRecord } from "../../../src/recommender/run-context.js";
import { rowIndices } from "../../../src/sparse/csr.js";
import { checkerboard } from "../../support/datasets.js";
import { engineNames } from "../../support/engine-names.js";

const dataset = checkerboard();
const engineName = engineNames[engineNames.length - 1];
const training = { batchSize: 10, epochs: 60, learningRate: 0.01, beta: 0.2, warmup: 20 };
const evcf = { ...training, hidden: 24, pseudoInputs: 10 };

/** Trains, and returns how many users' one withheld item is ranked first, before and after saving and loading. */
async function ranksRightly(name: string, given: Record<string, unknown>): Promise<[number, number]> {
  const engine = await openEngine({ engine: engineName, threads: 2 });
  const algorithm = await findAlgorithm(name);
  const model = await algorithm.fit(dataset, parseOptions(algorithm, given), { engine, seed: 5 });
  const loaded = await restoreModel(await model.save(), { engine });
  const right: number[] = [];
  for (const one of [model, loaded]) {
    const { items } = await one.score(dataset.test.foldIn).topK(1, dataset.test.foldIn);
    right.push([...items].filter((item, user) => item === rowIndices(dataset.test.heldOut, user)[0]).length);
  }
  await engine.close();
  return [right[0], right[1]];
}

describe("every variant of the family learns a checkerboard and can be loaded", () => {
  const gates = [false, true];
  it.each([
    ...gates.flatMap((gated) =>
      [1, 2, 3].flatMap((layers) => [
        ["vamp", { ...evcf, latent: 12, gated, layers }] as const,
        ["h-vamp", { ...evcf, latent1: 12, latent2: 8, gated, layers }] as const,
        [
          "mult-vae",
          {
            ...{ ...training, hidden: [24], latent: 12, gated, layers, kl: "one-sample" },
            ...{ clampLogVariance: true, initialValues: "he", normaliseGradients: true },
          },
        ] as const,
      ]),
    ),
    ["vamp", { ...evcf, latent: 12, likelihood: "bernoulli", pseudoInit: "training-rows" }] as const,
    ["h-vamp", { ...evcf, latent1: 12, latent2: 8, likelihood: "bernoulli" }] as const,
    [
      "mult-vae",
      { hidden: [], latent: 16, gated: true, batchSize: 10, epochs: 60, learningRate: 0.01 },
    ] as const,
  ])("%s %o", async (name, given) => {
    expect(await ranksRightly(name, given)).toEqual([50, 50]);
  });
});

it("pseudoInit=training-rows needs at least as many training users as pseudo-inputs", async () => {
  const engine = await openEngine({ engine: "reference" });
  const algorithm = await findAlgorithm("vamp");
  const options = parseOptions(algorithm, { ...evcf, pseudoInputs: 1000, pseudoInit: "training-rows" });
  await expect(algorithm.fit(dataset, options, { engine, seed: 1 })).rejects.toThrow(
    /pseudoInputs: 1000 pseudo-inputs cannot be initialised from the histories of \d+ training users/,
  );
  await engine.close();
});

it("with beta 0 the prior is not trained: the pseudo-inputs do not change", async () => {
  const engine = await openEngine({ engine: engineName, threads: 2 });
  const algorithm = await findAlgorithm("vamp");
  const pseudoInputs = async (beta: number) => {
    const given = { ...evcf, latent: 12, beta, epochs: 3, warmup: 0 };
    const model = await algorithm.fit(dataset, parseOptions(algorithm, given), { engine, seed: 1 });
    return [...(await model.save()).tensors.pseudoInputs.data];
  };
  const still = await pseudoInputs(0);
  const moved = await pseudoInputs(0.2);
  const deviation = Math.sqrt(still.reduce((sum, u) => sum + (u - 0.05) ** 2, 0) / still.length);
  expect(still.reduce((sum, u) => sum + u) / still.length).toBeCloseTo(0.05, 2);
  expect(deviation).toBeGreaterThan(0.008);
  expect(deviation).toBeLessThan(0.012);
  // Each of 15 steps or so is of the learning rate: far more than the starts differ by.
  expect(Math.max(...moved.map((u, i) => Math.abs(u - still[i])))).toBeGreaterThan(0.02);
  await engine.close();
});

describe("starts from EVCF's initial values", () => {
  /** The weights as they are before the first update: one of no size at all. */
  async function initialValues(name: string, given: Record<string, unknown>) {
    const engine = await openEngine({ engine: "reference" });
    const algorithm = await findAlgorithm(name);
    const options = parseOptions(algorithm, { ...given, epochs: 1, learningRate: 1e-300 });
    const model = await algorithm.fit(dataset, options, { engine, seed: 3 });
    const { tensors } = await model.save();
    await engine.close();
    return tensors;
  }
  const deviation = (values: ArrayLike<number>) =>
    Math.sqrt(
      Array.from(values, (value) => value * value).reduce((sum, square) => sum + square) / values.length,
    );

  it("weights N(0, 2 / fan-in), biases uniform in 1 / sqrt(fan-in), also where [x | z2] enters as one", async () => {
    const given = { ...evcf, hidden: 120, latent1: 30, latent2: 70, gated: true };
    const tensors = await initialValues("h-vamp", given);
    const fanIns = {
      ...{
        "encoder2.input": 50,
        "encoder2.input.gate": 50,
        "encoder1.joint": 120,
        "encoder1.joint.gate": 120,
      },
      ...{ "prior1.0": 70, "prior1.logVariance": 120, "decoder.0": 100, "decoder.output": 120 },
    };
    for (const [layer, fanIn] of Object.entries(fanIns)) {
      // Of n draws, the deviation is known to 1 / sqrt(2 n): 1.2 % of 3,500.
      expect(deviation(tensors[`${layer}.weight`].data) / Math.sqrt(2 / fanIn), layer).toBeCloseTo(1, 1);
      const bias = tensors[`${layer}.bias`].data;
      const limit = 1 / Math.sqrt(fanIn);
      expect(Math.max(...bias.map(Math.abs)), layer).toBeLessThanOrEqual(limit);
      expect(Math.max(...bias.map(Math.abs)), layer).toBeGreaterThan(0.8 * limit);
      expect(deviation(bias) / (limit / Math.sqrt(3)), layer).toBeGreaterThan(0.75);
    }
  });

  it("pseudo-inputs from training rows: distinct histories, plus noise of .01", async () => {
    const tensors = await initialValues("vamp", { ...evcf, pseudoInputs: 50, pseudoInit: "training-rows" });
    const { data, shape } = tensors.pseudoInputs;
    const [, items] = shape;
    const rows = Array.from({ length: 50 }, (_, k) => data.subarray(k * items, (k + 1) * items));
    const text = (items: Iterable<number>) => [...items].join(" ");
    const histories = rows.map((row) => text([...row.keys()].filter((item) => row[item] > 0.5)));
    const users = Array.from({ length: 50 }, (_, user) => text(rowIndices(dataset.train, user)));
    expect(histories.toSorted()).toEqual(users.toSorted());
    const noise = Array.from(data, (value) => value - Math.round(value));
    expect(deviation(noise)).toBeGreaterThan(0.0095);
    expect(deviation(noise)).toBeLessThan(0.0105);
  });
});

it("stops after the patience, from the end of the warm-up on", async () => {
  const engine = await openEngine({ engine: engineName, threads: 2 });
  const algorithm = await findAlgorithm("vamp");
  const epochs: EpochRecord[] = [];
  // A step of next to nothing: no epoch is better than the first, or hardly any.
  const given = { ...evcf, latent: 12, learningRate: 1e-12, warmup: 6, patience: 3, epochs: 30 };
  const model = await algorithm.fit(dataset, parseOptions(algorithm, given), {
    ...{ engine, seed: 1 },
    onEpoch: (record) => epochs.push(record),
  });
  expect(epochs).toHaveLength(8);
  expect(epochs.map(({ values }) => Number(values.beta.toFixed(6)))[2]).toBe(0.1);
  model.dispose();
  await engine.close();
});
