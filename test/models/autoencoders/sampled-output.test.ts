// Options of the sampled softmax, for every model that has them. The loss itself is tested in compute/ops/output-loss, the draws in
// training/negatives.

import { afterAll, describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { multDae } from "../../../src/models/autoencoders/mult-dae.js";
import { multVae } from "../../../src/models/autoencoders/mult-vae.js";
import { recVae } from "../../../src/models/autoencoders/rec-vae.js";
import { vamp } from "../../../src/models/autoencoders/vamp.js";
import { parseOptions } from "../../../src/models/options.js";
import type { Algorithm } from "../../../src/recommender/algorithm.js";
import type { NamedTensors } from "../../../src/recommender/recommender.js";
import type { RunContext } from "../../../src/recommender/run-context.js";
import { identityOf } from "../../../src/training/identity.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { tastes, trainingOnly } from "../../support/datasets.js";
import { relativeDifference } from "../../support/engines.js";

const engine = new ReferenceEngine();
const dataset = tastes({ users: 60, heldOutUsers: 10, items: 30 });
const models: [string, Algorithm<unknown>, Record<string, unknown>][] = [
  ["mult-vae", multVae, { hidden: [8], latent: 4 }],
  ["mult-dae", multDae, { latent: 4, l2: 0 }],
  ["rec-vae", recVae, { hidden: 8, latent: 4, layers: 2 }],
  ["vamp", vamp, { hidden: 8, latent: 4, pseudoInputs: 5 }],
].map(([name, algorithm, options]) => [
  name as string,
  algorithm as Algorithm<unknown>,
  { ...(options as object), epochs: 2, learningRate: 0.01, batchSize: 16 },
]);
const opened = Promise.all([1, 2].map((threads) => openEngine({ engine: "native", threads })));
afterAll(async () => {
  for (const one of await opened) await one.close();
});

async function weights(
  algorithm: Algorithm<unknown>,
  options: Record<string, unknown>,
  run: Partial<RunContext> = {},
  on = dataset,
): Promise<NamedTensors> {
  const model = await algorithm.fit(on, parseOptions(algorithm, options), { engine, seed: 3, ...run });
  const { tensors } = await model.save();
  model.dispose();
  return tensors;
}

describe.each(models)("negatives of %s", (_, algorithm, options) => {
  const sampled = { ...options, negatives: 10 };

  it("0 means the softmax over all items, bit for bit, and other numbers something else", async () => {
    const whole = await weights(algorithm, options);
    expect(await weights(algorithm, { ...options, negatives: 0 })).toEqual(whole);
    expect(await weights(algorithm, sampled)).not.toEqual(whole);
    expect(await weights(algorithm, { ...sampled, proposal: "uniform" })).not.toEqual(
      await weights(algorithm, sampled),
    );
  });

  it("have exact targets unless FastVAE's loss is asked for", async () => {
    const unset = await weights(algorithm, sampled);
    expect(await weights(algorithm, { ...sampled, sampledLoss: "exact-targets" })).toEqual(unset);
    expect(await weights(algorithm, { ...sampled, sampledLoss: "fastvae" })).not.toEqual(unset);
  });

  it.each(["exact-targets", "fastvae"])(
    "approach the training on all items as their number grows: %s",
    async (sampledLoss) => {
      const few = { ...options, epochs: 1, ...(algorithm.name !== "vamp" && { sparseAdam: false }) };
      const whole = await weights(algorithm, few);
      const distance = async (negatives: number) => {
        const found = await weights(algorithm, { ...few, negatives, sampledLoss });
        let squares = 0;
        for (const [name, { data }] of Object.entries(whole))
          for (let i = 0; i < data.length; i++) squares += (found[name].data[i] - data[i]) ** 2;
        return Math.sqrt(squares);
      };
      const [some, many] = [await distance(5), await distance(100_000)];
      expect(many).toBeLessThan(some / 3);
    },
  );

  it("give the same bits for one thread and two, and the reference engine's weights but for rounding", async () => {
    const [one, two] = await opened;
    const alone = await weights(algorithm, sampled, { engine: one });
    expect(await weights(algorithm, sampled, { engine: two })).toEqual(alone);
    const reference = await weights(algorithm, sampled);
    for (const [name, { data }] of Object.entries(reference))
      expect(relativeDifference({ what: name, actual: alone[name].data, expected: data }), name).toBeLessThan(
        2e-3,
      );
  });

  it("resume byte for byte", async () => {
    const trained = await weights(algorithm, sampled);
    const checkpoints = new MemoryCheckpoints();
    await weights(algorithm, sampled, { checkpoints });
    const first = new MemoryCheckpoints(0, checkpoints.saved[0]);
    expect(first.saved[0].epoch).toBe(1);
    expect(await weights(algorithm, sampled, { checkpoints: first })).toEqual(trained);
  });

  it("are not part of the identity of runs without them, so that older checkpoints can be resumed", () => {
    const identity = identityOf("x", parseOptions(algorithm, options), dataset, { engine, seed: 3 });
    expect(JSON.stringify(identity)).not.toMatch(/negatives|proposal|sampledLoss/);
  });

  it("are refused with what does not apply", () => {
    expect(() => parseOptions(algorithm, { ...options, proposal: "uniform" })).toThrow(
      /proposal: .*it needs negatives above 0/,
    );
    expect(() => parseOptions(algorithm, { ...options, sampledLoss: "fastvae" })).toThrow(
      /sampledLoss: .*it needs negatives above 0/,
    );
    expect(() => parseOptions(algorithm, { ...options, negatives: -1 })).toThrow(/negatives/);
    if (algorithm.name !== "rec-vae")
      expect(() => parseOptions(algorithm, { ...sampled, likelihood: "bernoulli" })).toThrow(
        /negatives: .*they need likelihood=multinomial/,
      );
  });
});

describe("negatives", () => {
  it("with their lazy Adam leave the rows of all items alone that were neither drawn nor in a batch", async () => {
    // Nobody has the items from 30 on; 8 updates draw at most 32 of 2,000.
    const { train } = tastes({ users: 60, heldOutUsers: 10, items: 30 });
    const wide = trainingOnly({ ...train, columns: 2000 });
    for (const [, algorithm, options] of models.filter(([name]) => name !== "vamp")) {
      const sampled = { ...options, negatives: 4, proposal: "uniform" };
      const slow = await weights(algorithm, { ...sampled, epochs: 1 }, {}, wide);
      const fast = await weights(algorithm, { ...sampled, epochs: 1, learningRate: 0.1 }, {}, wide);
      for (const [name, { shape, data }] of Object.entries(slow)) {
        const items = shape.indexOf(2000);
        if (items < 0) continue;
        const width = data.length / 2000;
        const other = fast[name].data;
        const same = Array.from({ length: 2000 }, (_, item) =>
          data.subarray(item * width, (item + 1) * width).every((x, i) => x === other[item * width + i]),
        );
        const moved = same.filter((is) => !is).length;
        expect(moved, `${algorithm.name} ${name}`).toBeGreaterThan(20);
        expect(moved, `${algorithm.name} ${name}`).toBeLessThan(200);
      }
    }
  });

  it.each<[Algorithm<unknown>, Record<string, unknown>, RegExp]>([
    [
      multDae as Algorithm<unknown>,
      {},
      /negatives: .*l2 changes all rows: it needs l2=0 or sparseAdam=false/,
    ],
    [multVae as Algorithm<unknown>, { weightDecay: 0.1 }, /negatives: .*weightDecay=0 or sparseAdam=false/],
    [
      multVae as Algorithm<unknown>,
      { normaliseGradients: true },
      /negatives: .*normaliseGradients=false or sparseAdam=false/,
    ],
  ])("are refused with what moves every row, unless Adam is dense", (algorithm, options, message) => {
    expect(() => parseOptions(algorithm, { ...options, negatives: 10 })).toThrow(message);
    expect(() => parseOptions(algorithm, { ...options, negatives: 10, sparseAdam: false })).not.toThrow();
  });
});
