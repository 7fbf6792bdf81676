import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { cdae } from "../../src/models/cdae.js";
import { parseOptions } from "../../src/models/options.js";
import type { EpochRecord } from "../../src/recommender/run-context.js";
import { fromRows } from "../../src/sparse/csr.js";
import { MemoryCheckpoints } from "../support/checkpoints.js";
import { tastes, trainingOnly } from "../support/datasets.js";
import { precisions } from "../support/engine-names.js";

interface Case {
  options: Record<string, unknown>;
  losses: number[];
  weights: Record<string, number[]>;
  scores: number[];
}
const fixture = JSON.parse(readFileSync(new URL("./fixtures/numpy-cdae.json", import.meta.url), "utf8")) as {
  seed: number;
  items: number;
  rows: number[][];
  probe: number[][];
  cases: Case[];
};
const { seed, items, rows, probe } = fixture;
const dataset = trainingOnly(fromRows(items, rows));

/** In float64 the same numbers; in float32 what some hundred steps on rounded weights leave of them. */
const engines = precisions(1e-10, 1e-4);

describe.each(engines)("cdae on the %s engine", (_, tolerance, open) => {
  it.each(fixture.cases.map((expected, i) => [i, expected] as const))(
    "ends a short run with NumPy's weights, losses and scores of folded-in users: case %i",
    async (_, expected) => {
      const engine = await open();
      const records: EpochRecord[] = [];
      const model = await cdae.fit(dataset, parseOptions(cdae, expected.options), {
        engine,
        seed,
        onEpoch: (record) => records.push(record),
      });
      const error = (found: ArrayLike<number>, wanted: number[]) => {
        expect(found.length).toBe(wanted.length);
        return Math.max(...wanted.map((value, i) => Math.abs(found[i] - value)));
      };
      const { tensors } = await model.save();
      expect(Object.keys(tensors).sort()).toEqual(Object.keys(expected.weights).sort());
      for (const [name, wanted] of Object.entries(expected.weights))
        expect(error(tensors[name].data, wanted), name).toBeLessThan(tolerance);
      const losses = records.map(({ values }) => values.loss);
      expect(error(losses, expected.losses)).toBeLessThan(10 * tolerance);
      // Scores come back in float32.
      const scores = await model.score(fromRows(items, probe)).read();
      expect(error(scores, expected.scores)).toBeLessThan(Math.max(10 * tolerance, 1e-6));
      await engine.close();
    },
  );
});

describe("cdae", () => {
  it("resumed between any two epochs, ends with the uninterrupted run's weights", async () => {
    const engine = new ReferenceEngine();
    const options = parseOptions(cdae, { latent: 4, tied: false, epochs: 3 });
    const weights = async (checkpoints?: MemoryCheckpoints) => {
      const model = await cdae.fit(tastes(), options, { engine, seed, checkpoints });
      return (await model.save()).tensors;
    };
    const whole = await weights();
    const all = new MemoryCheckpoints();
    await weights(all);
    expect(all.saved.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    for (const saved of all.saved) expect(await weights(new MemoryCheckpoints(0, saved))).toEqual(whole);
  });

  it("has the author's options as defaults, and says what is wrong with others", () => {
    // jasonyaw/CDAE: cdae.hpp, apps/yelp/cdae.sh, yelp_implicit.cpp; the last two of folding in are ours.
    expect(parseOptions(cdae)).toEqual({
      latent: 50,
      activation: "sigmoid",
      loss: "logistic",
      tied: true,
      dropout: 0.5,
      negatives: 5,
      l2: 0.01,
      learningRate: 0.1,
      damping: 1,
      epochs: 300,
      foldIn: "gradient",
      foldInSteps: 20,
    });
    expect(() => parseOptions(cdae, { latent: 0 })).toThrow(/latent: 0 does not fit/);
    expect(() => parseOptions(cdae, { negatives: "some" })).toThrow(/negatives: "some" does not fit/);
    expect(() => parseOptions(cdae, { foldIn: "steps" })).toThrow(/foldIn: "steps" does not fit/);
    expect(() => parseOptions(cdae, { l2: -1 })).toThrow(/l2: -1 does not fit/);
  });
});
