import { describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { implicitSlim } from "../../../src/compute/solvers/implicit-slim.js";
import type { NamedTensors } from "../../../src/compute/tensor.js";
import { numbersOfImplicitSlim } from "../../../src/models/autoencoders/implicit-slim.js";
import { recVae } from "../../../src/models/autoencoders/rec-vae.js";
import { parseOptions } from "../../../src/models/options.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { tastes } from "../../support/datasets.js";
import { engineNames } from "../../support/engine-names.js";

const dataset = tastes();
const { items, train } = dataset;
const small = { hidden: 12, layers: 2, latent: 6, batchSize: 50, epochs: 3, learningRate: 0.01 };
const constants = { lambda: 20, alpha: 2, threshold: 10 };
const slim = {
  implicitSlimLambda: constants.lambda,
  implicitSlimAlpha: constants.alpha,
  implicitSlimThreshold: constants.threshold,
};
const layers = ["encoder.1.weight", "decoder.weight"];

async function trained(
  given: Record<string, unknown>,
  {
    engine = new ReferenceEngine({ precision: "float64" }),
    checkpoints = new MemoryCheckpoints(),
  }: { engine?: Engine; checkpoints?: MemoryCheckpoints } = {},
) {
  const options = parseOptions(recVae, { ...small, ...given });
  const model = await recVae.fit(dataset, options, { engine, seed: 3, checkpoints });
  const { tensors } = await model.save();
  model.dispose();
  await engine.close();
  return { tensors, checkpoints };
}

/** The state with the closed form of both layers' item embeddings. */
async function embedded(state: NamedTensors): Promise<NamedTensors> {
  const engine = new ReferenceEngine({ precision: "float64" });
  const replaced = layers.map(async (name) => {
    const { shape, data } = state[name];
    const weights = engine.tensor(shape[0], shape[1], data);
    await implicitSlim(weights, train, constants, { engine, batchSize: 1000 });
    return [name, { shape, data: await engine.read(weights) }] as const;
  });
  return { ...state, ...Object.fromEntries(await Promise.all(replaced)) };
}

function expectClose(found: NamedTensors, wanted: NamedTensors): void {
  expect(Object.keys(found)).toEqual(Object.keys(wanted));
  for (const [name, { data }] of Object.entries(wanted))
    for (const [i, value] of data.entries()) expect(found[name].data[i], name).toBeCloseTo(value, 8);
}

describe("rec-vae with implicitSlim", () => {
  it("replaces both layers' item embeddings before the epochs whose numbers are multiples of it, and nothing else", async () => {
    const plain = new MemoryCheckpoints();
    await trained({}, { checkpoints: plain });
    for (const every of [2, 3]) {
      const checkpoints = new MemoryCheckpoints();
      await trained({ ...slim, implicitSlim: every }, { checkpoints });
      const before = plain.saved[every - 2];
      expect(checkpoints.saved[every - 2].state).toEqual(before.state);
      // An epoch as usual, from a state with other weights of these layers: biases, former encoder and moments are the same.
      const changed = new MemoryCheckpoints(0, { ...before, state: await embedded(before.state) });
      await trained({}, { checkpoints: changed });
      expectClose(checkpoints.saved[every - 1].state, changed.saved[1].state);
    }
  });

  it("draws embeddings of items of one taste together before the first update", async () => {
    // With a learning rate of almost nothing, the weights after an epoch are those before it.
    const frozen = { learningRate: 1e-300, epochs: 1 };
    const { tensors: before } = await trained(frozen);
    const { tensors: after } = await trained({ ...slim, ...frozen, implicitSlim: 1 });
    expectClose(after, { ...before, ...(await embedded(before)) });
    const share = ({ shape, data }: NamedTensors[string]) => {
      const width = shape[1];
      const row = (item: number) => Float64Array.from(data.subarray(item * width, (item + 1) * width));
      const cosine = (i: number, j: number) => {
        const dot = (a: number, b: number) => row(a).reduce((sum, value, k) => sum + value * row(b)[k], 0);
        return dot(i, j) / Math.sqrt(dot(i, i) * dot(j, j));
      };
      const mean = (same: boolean) => {
        const found: number[] = [];
        for (let i = 0; i < items.size; i++)
          for (let j = 0; j < i; j++) if ((i % 4 === j % 4) === same) found.push(cosine(i, j));
        return found.reduce((sum, value) => sum + value, 0) / found.length;
      };
      return mean(true) - mean(false);
    };
    for (const name of layers) {
      expect(Math.abs(share(before[name]))).toBeLessThan(0.1);
      expect(share(after[name])).toBeGreaterThan(0.4);
    }
  });

  it("resumed between any two epochs, ends with the uninterrupted run's weights, byte for byte", async () => {
    const options = { ...slim, implicitSlim: 2 };
    const run = (checkpoints: MemoryCheckpoints) =>
      trained(options, { engine: new ReferenceEngine(), checkpoints });
    const { tensors, checkpoints } = await run(new MemoryCheckpoints());
    expect(checkpoints.saved).toHaveLength(3);
    for (const saved of checkpoints.saved)
      expect((await run(new MemoryCheckpoints(0, saved))).tensors).toEqual(tensors);
  });

  it.each(engineNames)("has the same weights for any number of threads on the %s engine", async (name) => {
    const weights = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        const engine = await openEngine({ engine: name, threads });
        return (await trained({ ...slim, implicitSlim: 1 }, { engine })).tensors;
      }),
    );
    expect(weights[1]).toEqual(weights[0]);
    expect(weights[2]).toEqual(weights[0]);
  });

  it("has the weights of today if it is 0, unset, or larger than the number of epochs", async () => {
    const { tensors } = await trained({});
    for (const given of [{ implicitSlim: 0 }, { ...slim }, { ...slim, implicitSlim: 4 }])
      expect((await trained(given)).tensors).toEqual(tensors);
  });

  it("has 500, 1 and the mean number of interactions of an item as the values of unset options", async () => {
    const { tensors } = await trained({ implicitSlim: 2 });
    const given = { implicitSlimLambda: 500, implicitSlimAlpha: 1 };
    const threshold = Math.ceil(train.indices.length / items.size);
    const of = async (implicitSlimThreshold: number) =>
      (await trained({ ...given, implicitSlim: 2, implicitSlimThreshold })).tensors;
    expect(await of(threshold)).toEqual(tensors);
    expect(await of(threshold + 3)).not.toEqual(tensors);
  });

  it("rejects a threshold that no item reaches, and one for which alpha is out of proportion", async () => {
    await expect(trained({ ...slim, implicitSlim: 2, implicitSlimThreshold: 1000 })).rejects.toThrow(
      /^implicitSlimThreshold: no item has 1,000 training interactions; the most popular one has \d+ \(expected a threshold that some hundreds of items reach\)/,
    );
    const most = train.indices.reduce((counts, item) => {
      counts[item]++;
      return counts;
    }, new Uint32Array(items.size));
    const highest = Math.max(...most);
    await expect(trained({ ...slim, implicitSlim: 9, implicitSlimThreshold: highest + 1 })).rejects.toThrow(
      /no item has/,
    );
    await trained({ ...slim, implicitSlim: 9, implicitSlimThreshold: highest });
    // One item alone leaves S with rank 1.
    const singular = { implicitSlim: 1, implicitSlimThreshold: highest, implicitSlimAlpha: 1e30 };
    await expect(trained(singular, { engine: new ReferenceEngine() })).rejects.toThrow(
      /^implicitSlimAlpha: 1e\+30 is too large: the closed form of epoch 1 is numerically singular \(expected a smaller value, such as 1\)/,
    );
    for (const [option, value] of [
      ["implicitSlim", 1.5],
      ["implicitSlimLambda", 0],
      ["implicitSlimAlpha", -1],
      ["implicitSlimThreshold", -1],
    ] as const)
      expect(() => parseOptions(recVae, { [option]: value })).toThrow(
        new RegExp(`^${option}: .* is not valid`),
      );
  });

  it("needs three more matrices of item embeddings between updates", () => {
    const weights = [
      { rows: 1000, columns: 10 },
      { rows: 1000, columns: 30 },
    ];
    expect(numbersOfImplicitSlim(weights, {})).toBe(3 * 30_000 + 5 * 900);
  });
});
