import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { parseOptions } from "../../src/models/options.js";
import { findAlgorithm } from "../../src/models/registry.js";
import type { NamedTensors } from "../../src/recommender/recommender.js";
import type { Checkpoint } from "../../src/recommender/run-context.js";
import { fit as runLoop } from "../../src/training/fit.js";
import { MemoryCheckpoints } from "../support/checkpoints.js";
import { checkerboard } from "../support/datasets.js";
import { smallOptions } from "../support/small-models.js";

const engine = new ReferenceEngine({ precision: "float64" });
const dataset = checkerboard();
const small = await smallOptions(dataset);
const EPOCHS = 3;
const DECAY = 0.7;

/** Trains for a few epochs, with a checkpoint after each. */
async function trained(name: string, averageDecay: number, checkpoints = new MemoryCheckpoints()) {
  const algorithm = await findAlgorithm(name);
  const options = parseOptions(algorithm, { ...small[name], epochs: EPOCHS, averageDecay });
  const model = await algorithm.fit(dataset, options, { engine, seed: 3, checkpoints });
  const { tensors } = await model.save();
  model.dispose();
  return { model: tensors, saved: checkpoints.saved };
}

const numbers = ({ state }: Checkpoint, name: string) => [...state[name].data];

/** Digests of all tensors, which compare faster than their numbers. */
const digests = (tensors: NamedTensors) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { data }]) => [
      name,
      createHash("sha256")
        .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
        .digest("hex"),
    ]),
  );

const networks = ["mult-vae", "mult-dae", "rec-vae", "vae", "vamp", "h-vamp", "vasp"];

describe.each(networks)("averaged weights of %s", (name) => {
  it("are the weighted mean of the weights after each epoch, and do not change training", async () => {
    const plain = await trained(name, 0);
    const { model, saved } = await trained(name, DECAY);
    const state = Object.keys(plain.saved[0].state);
    const averages = Object.keys(saved[0].state).filter((key) => !state.includes(key));
    expect(averages.toSorted()).toEqual(
      [...Object.keys(model).map((key) => `average.${key}`), "average.epochs"].toSorted(),
    );
    saved.forEach((checkpoint, epoch) => {
      expect(digests(checkpoint.state)).toMatchObject(digests(plain.saved[epoch].state));
      expect(numbers(checkpoint, "average.epochs")).toEqual([epoch + 1]);
      const shares = Array.from({ length: epoch + 1 }, (_, i) => DECAY ** (epoch - i));
      const all = shares.reduce((sum, share) => sum + share, 0);
      for (const key of Object.keys(model)) {
        const weights = plain.saved.map((one) => numbers(one, key));
        const average = numbers(checkpoint, `average.${key}`);
        const differences = average.map((value, i) =>
          Math.abs(value - shares.reduce((sum, share, e) => sum + (share / all) * weights[e][i], 0)),
        );
        expect(Math.max(...differences)).toBeLessThan(1e-12);
      }
    });
    // The model is the average of its best epoch.
    const { bestEpoch } = saved[EPOCHS - 1].loop.state as { bestEpoch: number };
    const best = saved[bestEpoch - 1].state;
    const expected = Object.keys(model).map((key) => [key, best[`average.${key}`]] as const);
    expect(digests(model)).toEqual(digests(Object.fromEntries(expected)));
  });

  it("are the same, byte for byte, if training is resumed from any checkpoint", async () => {
    const whole = await trained(name, DECAY);
    for (const checkpoint of whole.saved) {
      const checkpoints = new MemoryCheckpoints(0, checkpoint);
      const resumed = await trained(name, DECAY, checkpoints);
      expect(digests(resumed.model)).toEqual(digests(whole.model));
      const [last, expected] = [checkpoints, whole].map(({ saved }) => saved[saved.length - 1]);
      expect(digests(last.state)).toEqual(digests(expected.state));
      expect(last.loop).toEqual(expected.loop);
    }
  });
});

describe("averaging", () => {
  it("returns its memory to the engine", async () => {
    await trained("mult-vae", DECAY);
    const once = engine.memory();
    for (let again = 0; again < 3; again++) await trained("mult-vae", DECAY);
    expect(engine.memory()).toBe(once);
  });

  it("resumes only from a complete state", async () => {
    const { saved } = await trained("mult-dae", DECAY);
    const checkpoint = structuredClone(saved[1]);
    const [key] = Object.keys(checkpoint.state).filter((name) => /^average\.(?!epochs)/.test(name));
    delete checkpoint.state[key];
    await expect(trained("mult-dae", DECAY, new MemoryCheckpoints(0, checkpoint))).rejects.toThrow(
      `tensor ${key}: is missing`,
    );
  });

  it("is for models whose parameters are known", async () => {
    const algorithm = await findAlgorithm("popularity");
    const trainable = {
      ...{ saveState: async () => ({}), loadState: () => {}, dispose: () => {} },
      epoch: async () => ({ updates: 1, values: { loss: 1 } }),
      recommender: () => Promise.reject(new Error("not needed")) as never,
    };
    const training = { algorithm, options: {}, dataset, trainable, epochs: 1, averageDecay: 0.5 };
    await expect(runLoop(training, { engine, seed: 1 })).rejects.toThrow("cannot be averaged");
  });
});
