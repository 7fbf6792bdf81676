import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../../src/compute/engines/reference.js";
import { AbortedError } from "../../../src/core/errors.js";
import { RandomSequence } from "../../../src/core/philox.js";
import { cdae, foldInWork } from "../../../src/models/autoencoders/cdae.js";
import { parseOptions } from "../../../src/models/options.js";
import type { EpochRecord } from "../../../src/recommender/run-context.js";
import { emptyMatrix, fromRows } from "../../../src/sparse/csr.js";
import { MemoryCheckpoints } from "../../support/checkpoints.js";
import { tastes, trainingOnly } from "../../support/datasets.js";
import { precisions } from "../../support/engine-names.js";

interface Case {
  options: Record<string, unknown>;
  losses: number[];
  weights: Record<string, number[]>;
  scores: number[];
}
const fixture = JSON.parse(readFileSync(new URL("../fixtures/numpy-cdae.json", import.meta.url), "utf8")) as {
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

  it("has the authors' options as defaults, and reports invalid ones", () => {
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
    expect(() => parseOptions(cdae, { latent: 0 })).toThrow(/latent: 0 is not valid/);
    expect(() => parseOptions(cdae, { negatives: "some" })).toThrow(/negatives: "some" is not valid/);
    expect(() => parseOptions(cdae, { foldIn: "steps" })).toThrow(/foldIn: "steps" is not valid/);
    expect(() => parseOptions(cdae, { l2: -1 })).toThrow(/l2: -1 is not valid/);
  });
});

describe("folding in", () => {
  const shape = { latent: 50, foldInSteps: 20, negatives: 5 } as const;
  /** Multiplications: each step looks at the history and its negatives twice, once on the way there and once back. */
  const work = (history: number, latent: number, given: ReturnType<typeof foldInWork>, items: number) =>
    2 * latent * given.steps * (history + (given.negatives === "all" ? items - history : given.negatives));

  it("uses the steps and negatives of the options within the bound", () => {
    expect(foldInWork(100, 20_000, shape)).toEqual({ steps: 20, negatives: 500 });
    expect(foldInWork(5000, 20_000, shape)).toEqual({ steps: 20, negatives: 25_000 });
    expect(foldInWork(100, 20_000, { ...shape, negatives: "all" })).toEqual({ steps: 20, negatives: "all" });
    // 2^26 multiplications are 2^26 / (2 x 64) = 524,288 looks: 1,024 steps of 512.
    const exact = { latent: 64, negatives: 7 };
    expect(foldInWork(64, 20_000, { ...exact, foldInSteps: 1024 })).toEqual({ steps: 1024, negatives: 448 });
    expect(foldInWork(64, 20_000, { ...exact, foldInSteps: 1025 })).toEqual({ steps: 1024, negatives: 448 });
  });

  it("never exceeds the bound or a pass over all items, for any options", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.integer({ min: 1, max: 2000 }),
        fc.integer({ min: 1, max: 1000 }),
        fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.constant("all" as const)),
        (history, latent, foldInSteps, negatives) => {
          const given = foldInWork(history, 20_000, { latent, foldInSteps, negatives });
          expect(given.steps).toBeGreaterThanOrEqual(1);
          expect(given.steps).toBeLessThanOrEqual(foldInSteps);
          const least = 2 * latent * 2 * 20_000;
          expect(work(history, latent, given, 20_000)).toBeLessThanOrEqual(Math.max(2 ** 26, least));
        },
      ),
    );
  });

  it("yields to timers, and stops on an abort, also within one history", async () => {
    const engine = new ReferenceEngine();
    const items = 3000;
    const latent = 50;
    const random = new RandomSequence({ seed: 3, step: 0, stream: 0 });
    const numbers = (rows: number, columns: number) => ({
      shape: [rows, columns],
      data: Float32Array.from({ length: rows * columns }, () => random.uniform() - 0.5),
    });
    const model = await cdae.restore(
      {
        algorithm: "cdae",
        config: { ...parseOptions(cdae, { latent, negatives: 1000, foldInSteps: 1000 }) },
        tensors: {
          input: numbers(items, latent),
          "hidden.bias": numbers(1, latent),
          "output.bias": numbers(1, items),
          "user.mean": numbers(1, latent),
        },
        items: trainingOnly(emptyMatrix(1, items)).items,
      },
      { engine },
    );
    const histories = fromRows(
      items,
      Array.from({ length: 100 }, (_, user) => Array.from({ length: 20 }, (_, n) => user + 7 * n)),
    );
    const stop = new AbortController();
    let turns = 0;
    const tick = setInterval(() => {
      if (++turns === 3) stop.abort();
    }, 1);
    await expect(model.score(histories, { signal: stop.signal }).topK(10)).rejects.toThrow(AbortedError);
    clearInterval(tick);
    expect(turns).toBe(3);
    model.dispose();
    await engine.close();
  });
});
