import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../../src/compute/engine.js";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { openEngine } from "../../../src/compute/open-engine.js";
import { RandomSequence } from "../../../src/core/philox.js";
import { elsa } from "../../../src/models/linear/elsa.js";
import { parseOptions } from "../../../src/models/options.js";
import { fromRows } from "../../../src/sparse/csr.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { trainingOnly } from "../../support/datasets.js";
import { engineNames, precisions } from "../../support/engine-names.js";
import { expectWeights, largestError } from "../../support/updates.js";

const fixture = JSON.parse(readFileSync(new URL("../fixtures/torch-elsa.json", import.meta.url), "utf8")) as {
  seed: number;
  items: number;
  rows: number[][];
  probe: number[][];
  options: Record<string, unknown>;
  losses: number[];
  weights: Record<string, number[]>;
  scores: number[];
};
const { seed, items, rows, probe } = fixture;
const dataset = trainingOnly(fromRows(items, rows));
const engine = new ReferenceEngine();
const fitted = async (given: Record<string, unknown>, on: Engine = engine, data = dataset) => {
  const options = parseOptions(elsa, { ...fixture.options, ...given });
  return (await (await elsa.fit(data, options, { engine: on, seed })).save()).tensors.items.data;
};

describe("elsa", () => {
  it.each(precisions(1e-9, 1e-4))(
    "ends 6 updates on the %s engine with PyTorch's numbers",
    async (_, tolerance, open) => {
      const engine = await open();
      const { model, reported } = await expectWeights(elsa, dataset, fixture, { engine, seed, tolerance });
      expect(largestError(reported("loss"), fixture.losses)).toBeLessThan(tolerance);
      // Scores are float32.
      const scores = await model.score(fromRows(items, probe)).read();
      expect(largestError(scores, fixture.scores)).toBeLessThan(Math.max(tolerance, 1e-6));
      await engine.close();
    },
  );

  it("resumed between any two epochs, ends with the uninterrupted run's weights, byte for byte", async () => {
    for (const outputs of [0, 8]) {
      const options = parseOptions(elsa, { ...fixture.options, outputs });
      const weights = async (checkpoints?: MemoryCheckpoints) =>
        (await (await elsa.fit(dataset, options, { engine, seed, checkpoints })).save()).tensors;
      const whole = await weights();
      const all = new MemoryCheckpoints();
      await weights(all);
      expect(all.saved.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
      for (const checkpoint of all.saved.slice(0, 2))
        expect(await weights(new MemoryCheckpoints(0, checkpoint))).toEqual(whole);
    }
  });

  it("takes values of interactions as 1", async () => {
    const values = Float32Array.from(dataset.train.indices, (item) => item + 2);
    const valued = { ...dataset, train: { ...dataset.train, values } };
    expect(await fitted({}, engine, valued)).toEqual(await fitted({}));
  });

  it("with as many outputs as items, is the model of all items", async () => {
    expect(await fitted({ outputs: items })).toEqual(await fitted({}));
  });

  it.each(engineNames)("updates only the outputs of a step, on the %s engine", async (name) => {
    const on = await openEngine({ engine: name, threads: 2 });
    // One update; two users with four of 400 items.
    const some = trainingOnly(
      fromRows(400, [
        [3, 200],
        [7, 399],
      ]),
    );
    const once = { epochs: 1, batchSize: 2, factors: 4 };
    const start = await fitted({ ...once, learningRate: 1e-30 }, on, some);
    const moved = async (outputs: number) => {
      const after = await fitted({ ...once, outputs }, on, some);
      return Array.from({ length: 400 }, (_, item) => item).filter((item) =>
        [0, 1, 2, 3].some((c) => after[item * 4 + c] !== start[item * 4 + c]),
      );
    };
    expect(await moved(1)).toEqual([3, 7, 200, 399]);
    for (const outputs of [20, 390]) {
      const items = await moved(outputs);
      expect(items).toHaveLength(outputs);
      for (const own of [3, 7, 200, 399]) expect(items).toContain(own);
    }
    await on.close();
  });

  it("draws the other outputs uniformly, anew in every update", async () => {
    const some = trainingOnly(fromRows(50, [[0]]));
    const once = { epochs: 1, batchSize: 1, factors: 4 };
    const counts = new Float64Array(50);
    const draws = 400;
    for (let seed = 0; seed < draws; seed++) {
      const run = { engine, seed };
      const of = async (given: Record<string, unknown>) =>
        (await (await elsa.fit(some, parseOptions(elsa, given), run)).save()).tensors.items.data;
      const start = await of({ ...once, learningRate: 1e-30 });
      const after = await of({ ...once, outputs: 11 });
      for (let item = 0; item < 50; item++) if (after[item * 4] !== start[item * 4]) counts[item]++;
    }
    expect(counts[0]).toBe(draws);
    // Chi-squared with 48 degrees of freedom (a little less, as draws are without replacement): 99.99 % are below 93.
    const expected = (draws * 10) / 49;
    const chi = counts.subarray(1).reduce((all, count) => all + (count - expected) ** 2 / expected, 0);
    expect(chi).toBeLessThan(93);
  });

  it("learns about as well from some outputs as from all: two groups of items are kept apart", async () => {
    const random = new RandomSequence({ seed: 2, step: 0, stream: 0 });
    const groups = Array.from({ length: 60 }, (_, u) =>
      Array.from({ length: 40 }, (_, i) => i).filter((i) => i % 2 === u % 2 && random.below(3) === 0),
    );
    const data = trainingOnly(fromRows(40, groups));
    for (const outputs of [0, 30]) {
      const options = parseOptions(elsa, { factors: 8, batchSize: 2, epochs: 10, outputs });
      const model = await elsa.fit(data, options, { engine, seed });
      const histories = fromRows(40, [
        [0, 4],
        [1, 5],
      ]);
      const { items: best } = await model.score(histories).topK(10, histories);
      expect([...best].map((item) => item % 2)).toEqual([...Array(10).fill(0), ...Array(10).fill(1)]);
    }
  });
});
