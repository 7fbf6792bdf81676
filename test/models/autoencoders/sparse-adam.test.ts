import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import type { Dataset } from "../../../src/data/dataset.js";
import { multDae } from "../../../src/models/autoencoders/mult-dae.js";
import { multVae } from "../../../src/models/autoencoders/mult-vae.js";
import { recVae } from "../../../src/models/autoencoders/rec-vae.js";
import { vae } from "../../../src/models/autoencoders/vae.js";
import { parseOptions } from "../../../src/models/options.js";
import type { Algorithm } from "../../../src/recommender/algorithm.js";
import type { RunContext } from "../../../src/recommender/run-context.js";
import { identityOf } from "../../../src/training/identity.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { tastes } from "../../support/datasets.js";

const engine = new ReferenceEngine();
const dataset = tastes({ users: 60, heldOutUsers: 10, items: 30 });
const models: [string, Algorithm<unknown>, Record<string, unknown>][] = [
  ["mult-vae", multVae, { hidden: [8], latent: 4 }],
  ["mult-dae", multDae, { latent: 4, l2: 0 }],
  ["vae", vae, { hidden: [8], latent: 4 }],
  ["rec-vae", recVae, { hidden: 8, latent: 4, layers: 2 }],
].map(([name, algorithm, options]) => [
  name as string,
  algorithm as Algorithm<unknown>,
  { ...(options as object), epochs: 2, learningRate: 0.01 },
]);

async function weights(
  algorithm: Algorithm<unknown>,
  options: Record<string, unknown>,
  run: Partial<RunContext> = {},
  on: Dataset = dataset,
) {
  const model = await algorithm.fit(on, parseOptions(algorithm, options), { engine, seed: 3, ...run });
  const { tensors } = await model.save();
  model.dispose?.();
  return tensors;
}

describe.each(models)("sparseAdam of %s", (_, algorithm, options) => {
  it("gives the same bits if every batch has every item", async () => {
    const whole = { ...options, batchSize: dataset.train.rows };
    expect(await weights(algorithm, { ...whole, sparseAdam: true })).toEqual(await weights(algorithm, whole));
  });

  it("gives other weights if batches have only some of the items, and resumes byte for byte", async () => {
    const sparse = { ...options, batchSize: 4, sparseAdam: true };
    const trained = await weights(algorithm, sparse);
    expect(trained).not.toEqual(await weights(algorithm, { ...options, batchSize: 4 }));
    const checkpoints = new MemoryCheckpoints();
    await weights(algorithm, sparse, { checkpoints });
    const first = new MemoryCheckpoints(0, checkpoints.saved[0]);
    expect(first.saved[0].epoch).toBe(1);
    expect(await weights(algorithm, sparse, { checkpoints: first })).toEqual(trained);
  });

  it("is not part of the identity of runs without it, so that older checkpoints can be resumed", () => {
    const identity = identityOf("x", parseOptions(algorithm, options), dataset, { engine, seed: 3 });
    expect(JSON.stringify(identity)).not.toContain("sparseAdam");
  });
});

describe("sparseAdam", () => {
  it.each<[Algorithm<unknown>, Record<string, unknown>, RegExp]>([
    [multDae as Algorithm<unknown>, {}, /sparseAdam: .*l2 changes all rows: it needs l2=0/],
    [
      multVae as Algorithm<unknown>,
      { weightDecay: 0.1 },
      /sparseAdam: .*weightDecay changes all rows: it needs weightDecay=0/,
    ],
    [
      multVae as Algorithm<unknown>,
      { normaliseGradients: true },
      /sparseAdam: .*dense Adam only: it needs normaliseGradients=false/,
    ],
  ])("is refused with what moves every row", (algorithm, options, message) => {
    expect(() => parseOptions(algorithm, { ...options, sparseAdam: true })).toThrow(message);
    expect(() => parseOptions(algorithm, { ...options, sparseAdam: false })).not.toThrow();
  });
});
