import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { AbortedError, UserError } from "../../src/core/errors.js";
import type { Dataset } from "../../src/data/dataset.js";
import { type MultVaeOptions, multVae } from "../../src/models/autoencoders/mult-vae.js";
import { parseOptions } from "../../src/models/options.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import type { ModelFiles } from "../../src/recommender/recommender.js";
import type { EpochRecord, RunContext } from "../../src/recommender/run-context.js";
import { fromRows } from "../../src/sparse/csr.js";
import { DivergedError } from "../../src/training/divergence.js";
import { fit as runLoop, type Training } from "../../src/training/fit.js";
import type { Epoch, Trainable } from "../../src/training/trainable.js";
import { MemoryCheckpoints } from "../support/checkpoints.js";
import { split, tastes, vocabulary } from "../support/datasets.js";
import { scoring } from "../support/fixed-scores.js";

const engine = new ReferenceEngine();

/** One validation user with one held-out item of ten: a model that ranks it at r has NDCG@100 = 1 / log2(r + 1). */
const one: Dataset = {
  name: "one",
  items: vocabulary("item", 10),
  users: vocabulary("user", 5),
  train: fromRows(10, [[0], [1], [2], [3], [4]]),
  validation: split(fromRows(10, [[]]), fromRows(10, [[9]]), "v"),
  test: split(fromRows(10, [[]]), fromRows(10, [[9]]), "t"),
};

/** A model whose validation rank in each epoch is written down; its only weight is the number of the epoch. */
function scripted(ranks: number[], losses: number[] = [], dataset = one) {
  let weight = 0;
  const orders: number[][] = [];
  const files = (): Omit<ModelFiles, "items"> => ({
    algorithm: "scripted",
    config: {},
    tensors: { weight: { shape: [1], data: Float64Array.of(weight) } },
  });
  const modelOf = (epoch: number) => ({
    // Item 9 is beaten by rank - 1 others.
    ...scoring(10, () =>
      Array.from({ length: 10 }, (_, i) => (i === 9 ? 0 : i < ranks[epoch - 1] - 1 ? 1 : -1)),
    ),
    algorithm: "scripted",
  });
  const trainable: Trainable = {
    saveState: async () => files().tensors,
    loadState(state) {
      weight = state.weight.data[0];
    },
    async epoch({ number, order, updates }: Epoch) {
      orders.push([...order]);
      weight = number;
      return { updates: updates + 2, values: { loss: losses[number - 1] ?? 1 } };
    },
    recommender: () => ({ ...modelOf(weight), save: async () => ({ ...files(), items: one.items }) }),
    dispose: () => {},
  };
  const algorithm: Algorithm<object> = {
    name: "scripted",
    summary: "",
    source: "",
    options: z.object({}),
    fit: () => Promise.reject(new Error("not needed")),
    restore: async ({ tensors }) => ({
      ...modelOf(tensors.weight.data[0]),
      save: async () => ({ algorithm: "scripted", config: {}, tensors, items: one.items }),
    }),
  };
  type Selection = Pick<Training<object>, "patience" | "validate" | "monitor" | "restoreBest">;
  const run = async (more: Selection & Partial<RunContext> = {}) => {
    const { patience, validate, monitor, restoreBest, ...context } = more;
    const selection = { patience, validate, monitor, restoreBest };
    const model = await runLoop(
      { algorithm, options: {}, dataset, trainable, epochs: ranks.length, ...selection },
      { engine, seed: 1, ...context },
    );
    return (await model.save()).tensors.weight.data[0];
  };
  return { run, orders, trainable };
}

describe("the training loop", () => {
  it("restores the epoch with the best validation NDCG@100, the first of equals", async () => {
    expect(await scripted([5, 2, 4, 2, 3]).run()).toBe(2);
    const records: EpochRecord[] = [];
    expect(await scripted([5, 4, 1]).run({ onEpoch: (record) => records.push(record) })).toBe(3);
    expect(records.map(({ epoch, updates }) => [epoch, updates])).toEqual([
      [1, 2],
      [2, 4],
      [3, 6],
    ]);
    expect(records[1].values["validation ndcg@100"]).toBeCloseTo(1 / Math.log2(5), 12);
  });

  it("stops after `patience` epochs without improvement", async () => {
    const records: number[] = [];
    const weight = await scripted([5, 2, 4, 2, 1, 1]).run({
      patience: 2,
      onEpoch: ({ epoch }) => records.push(epoch),
    });
    expect(weight).toBe(2);
    expect(records).toEqual([1, 2, 3, 4]);
  });

  it("uses the given monitor, and keeps the last weights if requested", async () => {
    const ranks = [1, 2, 3, 4, 5];
    const validate: Training<object>["validate"] = async (_, { number, updates }) => {
      expect(updates).toBe(2 * number);
      return { loss: [5, 4, 4, 6, 1][number - 1] };
    };
    const monitor = { value: "loss", lowerIsBetter: true };
    expect(await scripted(ranks).run({ validate, monitor })).toBe(5);
    expect(await scripted(ranks).run({ validate, monitor, patience: 2 })).toBe(2);
    const records: EpochRecord[] = [];
    const onEpoch = (record: EpochRecord) => records.push(record);
    expect(await scripted(ranks).run({ validate, monitor, patience: 2, restoreBest: false, onEpoch })).toBe(
      4,
    );
    expect(records.map(({ kept }) => kept)).toEqual([1, 2, 3, 4]);
    expect(records.map(({ values }) => values["validation loss"])).toEqual([5, 4, 4, 6]);
  });

  it("visits every user once per epoch, in an order that depends only on the seed and the epoch", async () => {
    const [first, second] = [scripted([1, 1, 1]), scripted([1, 1, 1])];
    await first.run();
    await second.run();
    expect(first.orders).toEqual(second.orders);
    for (const order of first.orders) expect(order.toSorted()).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(first.orders.map(String)).size).toBe(3);
  });

  it("takes the last epoch without validation users", async () => {
    const nothing = { ...one, validation: { ...one.validation, heldOut: fromRows(10, [[]]) } };
    expect(await scripted([1, 5, 5], [], nothing).run()).toBe(3);
    expect(await scripted([1, 5, 5]).run()).toBe(1);
  });

  it("a loss that is not finite stops the run, and the last good checkpoint is kept", async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const checkpoints = new MemoryCheckpoints();
      const run = scripted([1, 1, 1, 1], [1, 1, bad]).run({ checkpoints });
      await expect(run).rejects.toThrow(DivergedError);
      await expect(run).rejects.toThrow(/diverged: the loss became .* in epoch 3.*lower learningRate/);
      expect(checkpoints.saved.at(-1)?.epoch).toBe(2);
    }
  });

  it("saves the first epoch, and then only after the interval", async () => {
    const checkpoints = new MemoryCheckpoints(1000);
    await scripted([1, 1, 1]).run({ checkpoints });
    expect(checkpoints.saved.map(({ epoch }) => epoch)).toEqual([1]);
  });

  it("resumed after its best epoch, still restores that", async () => {
    const ranks = [5, 1, 3, 4];
    const checkpoints = new MemoryCheckpoints();
    await scripted(ranks).run({ checkpoints });
    for (const checkpoint of checkpoints.saved)
      expect(await scripted(ranks).run({ checkpoints: new MemoryCheckpoints(0, checkpoint) })).toBe(2);
  });

  it("detects a weight that is not finite although the loss is", async () => {
    const checkpoints = new MemoryCheckpoints();
    const { run, trainable } = scripted([1, 2, 2]);
    const saveState = trainable.saveState;
    trainable.saveState = async () => {
      const state = await saveState();
      if (state.weight.data[0] === 2) state.weight.data[0] = Number.NaN;
      return state;
    };
    await expect(run({ checkpoints })).rejects.toThrow(/diverged: weight contains NaN after epoch 2/);
    expect(checkpoints.saved.at(-1)?.epoch).toBe(1);
  });

  it("never keeps a checkpoint with weights that are not finite", async () => {
    const options = small({ learningRate: 1e30, epochs: 5 });
    const checkpoints = new MemoryCheckpoints();
    await expect(multVae.fit(tastes(), options, { engine, seed: 1, checkpoints })).rejects.toThrow(
      DivergedError,
    );
    for (const { state } of checkpoints.saved)
      for (const { data } of Object.values(state)) expect([...data].every(Number.isFinite)).toBe(true);
  });
});

const small = (more: Partial<MultVaeOptions> = {}) =>
  parseOptions(multVae, { hidden: [12], latent: 6, batchSize: 32, epochs: 6, learningRate: 0.01, ...more });

describe("a run that is interrupted and resumed", () => {
  const dataset = tastes();
  const weightsOf = async (run: Partial<RunContext>, options = small()) => {
    const model = await multVae.fit(dataset, options, { engine, seed: 5, ...run });
    return (await model.save()).tensors;
  };

  it("ends with the uninterrupted run's weights, byte for byte, from every checkpoint", async () => {
    const all = new MemoryCheckpoints();
    const whole = await weightsOf({ checkpoints: all });
    expect(all.saved.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const checkpoint of all.saved) {
      const epochs: number[] = [];
      const checkpoints = new MemoryCheckpoints(0, checkpoint);
      const resumed = await weightsOf({ checkpoints, onEpoch: ({ epoch }) => epochs.push(epoch) });
      expect(resumed).toEqual(whole);
      // Not only the best epoch's weights: the last epoch's, and Adam's moments.
      expect(checkpoints.saved.at(-1)).toEqual(all.saved.at(-1));
      expect(epochs).toEqual([1, 2, 3, 4, 5, 6].slice(checkpoint.epoch));
    }
    // And checkpoints change nothing.
    expect(await weightsOf({})).toEqual(whole);
  });

  it("if it is stopped repeatedly in the middle of epochs", async () => {
    const whole = await weightsOf({});
    const checkpoints = new MemoryCheckpoints();
    let stops = 0;
    for (;;) {
      const stopper = new AbortController();
      let events = 0;
      // Stops within the second epoch of every attempt.
      const original = engine.sparse.bind(engine);
      engine.sparse = (matrix) => {
        if (++events === 14) stopper.abort();
        return original(matrix);
      };
      try {
        expect(await weightsOf({ checkpoints, signal: stopper.signal })).toEqual(whole);
        break;
      } catch (error) {
        expect(error).toBeInstanceOf(AbortedError);
        expect(++stops).toBeLessThan(20);
      } finally {
        engine.sparse = original;
      }
    }
    expect(stops).toBeGreaterThan(2);
  });

  it("is rejected with other options, another seed or other data, naming both values", async () => {
    const checkpoints = new MemoryCheckpoints();
    await weightsOf({ checkpoints });
    const refused = (options: MultVaeOptions, seed = 5, data = dataset) =>
      multVae.fit(data, options, { engine, seed, checkpoints });
    await expect(refused(small({ epochs: 7 }))).rejects.toThrow(
      /epochs: is 6 in the run to resume, but 7 in this one.*Resume with epochs 6/,
    );
    await expect(refused(small({ patience: 3 }))).rejects.toThrow(
      /patience: is unset in .*, but 3 in this one/,
    );
    await expect(refused(small({ hidden: [13] }))).rejects.toThrow(
      /hidden: is \[12\] in .*, but \[13\] in this one/,
    );
    await expect(refused(small(), 6)).rejects.toThrow(/seed: is 5 in .*, but 6 in this one/);
    await expect(refused(small(), 5, tastes({ seed: 2 }))).rejects.toThrow(/data: /);
    await expect(refused(small(), 6)).rejects.toThrow(UserError);
  });

  it("uses no more memory after many epochs than after a few", async () => {
    const bytes: number[] = [];
    await weightsOf({ onEpoch: () => bytes.push(engine.memory()) }, small({ epochs: 30 }));
    expect(new Set(bytes.slice(3)).size).toBeLessThanOrEqual(2);
    expect(bytes.at(-1)).toBeLessThanOrEqual(Math.max(...bytes.slice(0, 4)));
  });

  it("yields to timers while it trains", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 20);
    const started = performance.now();
    await weightsOf({}, small({ epochs: 60 }));
    clearInterval(timer);
    const expected = (performance.now() - started) / 20;
    expect(ticks).toBeGreaterThan(expected / 8);
  });
});
