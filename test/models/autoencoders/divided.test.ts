// Models whose items are divided into blocks, in one process: what the blocks add up to is what the whole is.

import { describe, expect, it } from "vitest";
import { Division } from "../../../src/compute/division.js";
import type { Engine } from "../../../src/compute/engine.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { parseOptions } from "../../../src/models/options.js";
import { findAlgorithm } from "../../../src/models/registry.js";
import { checkerboard } from "../../support/datasets.js";

const dataset = checkerboard(30, 50);
const { items } = dataset;
const small = { batchSize: 10, epochs: 3, learningRate: 0.01 };
const hidden = { hidden: [12], latent: 6 };
const vamp = { hidden: 12, pseudoInputs: 9, gated: true, warmup: 2 };

/** Models by name, with options that reach every operation on items. */
const models: readonly (readonly [string, string, Record<string, unknown>])[] = [
  ["mult-vae", "mult-vae", { ...small, ...hidden }],
  ["mult-vae with a Bernoulli likelihood", "mult-vae", { ...small, ...hidden, likelihood: "bernoulli" }],
  ["mult-vae with gates", "mult-vae", { ...small, ...hidden, gated: true, normaliseGradients: true }],
  ["mult-vae with sparse Adam", "mult-vae", { ...small, ...hidden, sparseAdam: true }],
  ["mult-vae with a sampled softmax", "mult-vae", { ...small, ...hidden, negatives: 9 }],
  [
    "mult-dae with FastVAE's sample",
    "mult-dae",
    { ...small, latent: 6, negatives: 9, sampledLoss: "fastvae", sparseAdam: false },
  ],
  ["vamp with a sampled softmax", "vamp", { ...small, ...vamp, latent: 6, negatives: 9 }],
  ["rec-vae with a sampled softmax", "rec-vae", { ...small, hidden: 12, layers: 2, latent: 6, negatives: 9 }],
  ["mult-dae", "mult-dae", { ...small, latent: 6 }],
  ["mult-dae that predicts the rest", "mult-dae", { ...small, latent: 6, target: "rest" }],
  [
    "rec-vae that predicts the rest",
    "rec-vae",
    { ...small, hidden: 12, layers: 2, latent: 6, target: "rest" },
  ],
  [
    "rec-vae with ImplicitSLIM",
    "rec-vae",
    { ...small, hidden: 12, layers: 2, latent: 6, implicitSlim: 2, implicitSlimThreshold: 14 },
  ],
  ["vae", "vae", { ...small, ...hidden }],
  ["vamp", "vamp", { ...small, ...vamp, latent: 6 }],
  ["h-vamp", "h-vamp", { ...small, ...vamp, latent1: 4, latent2: 5 }],
  ["h-vamp with two layers", "h-vamp", { ...small, ...vamp, layers: 2, latent1: 4, latent2: 5 }],
  ["rec-vae", "rec-vae", { ...small, hidden: 12, layers: 2, latent: 6 }],
];

async function trained(engine: Engine, name: string, options: Record<string, unknown>, blocks?: number) {
  const algorithm = await findAlgorithm(name);
  const division = blocks === undefined ? undefined : new Division(engine, items.size, blocks);
  const losses: number[] = [];
  const model = await algorithm.fit(dataset, parseOptions(algorithm, options), {
    ...{ engine, seed: 7, division },
    onEpoch: ({ values }) => losses.push(values.loss, values["validation ndcg@100"]),
  });
  const best = await model.score(dataset.test.foldIn).topK(7, dataset.test.foldIn);
  const scores = await model.score(dataset.test.foldIn).read();
  const { tensors } = await model.save();
  model.dispose();
  return { losses, best, scores, tensors };
}

describe.each(models)("%s in blocks of items", (_, name, options) => {
  it("has the weights, losses and rankings of the whole in float64", async () => {
    const engine = await openEngine({ engine: "reference", precision: "float64" });
    const whole = await trained(engine, name, options);
    for (const blocks of [2, 7]) {
      const divided = await trained(engine, name, options, blocks);
      expect(Object.keys(divided.tensors)).toEqual(Object.keys(whole.tensors));
      for (const [tensor, { shape, data }] of Object.entries(divided.tensors)) {
        expect(shape).toEqual(whole.tensors[tensor].shape);
        const difference = data.map((value, i) => Math.abs(value - whole.tensors[tensor].data[i]));
        expect(Math.max(...difference), tensor).toBeLessThan(1e-9);
      }
      for (const [i, loss] of divided.losses.entries()) expect(loss).toBeCloseTo(whole.losses[i], 9);
      expect(divided.best.items).toEqual(whole.best.items);
      for (const [i, score] of divided.scores.entries()) expect(score).toBeCloseTo(whole.scores[i], 6);
    }
    await engine.close();
  });

  it("has the same bits for any number of threads, and is close to the whole in float32", async () => {
    const results = [];
    for (const threads of [1, 2]) {
      const engine = await openEngine({ engine: "native", threads });
      results.push(await trained(engine, name, options, 5));
      if (threads === 2) results.push(await trained(engine, name, options));
      await engine.close();
    }
    const [one, two, whole] = results;
    expect(two).toEqual(one);
    for (const [i, loss] of one.losses.entries())
      expect(Math.abs(loss - whole.losses[i]) / (1 + Math.abs(loss))).toBeLessThan(2e-3);
  });
});
