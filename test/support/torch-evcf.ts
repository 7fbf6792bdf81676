// Vamp and H+Vamp, update by update, against an independent program: its text and its numbers are in the fixture.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import { openEngine } from "../../src/compute/open-engine.js";
import { parseOptions } from "../../src/models/options.js";
import { findAlgorithm } from "../../src/models/registry.js";
import type { EpochRecord } from "../../src/recommender/run-context.js";
import { fromRows } from "../../src/sparse/csr.js";
import { trainingOnly } from "./datasets.js";
import { engineNames } from "./engine-names.js";

interface Trained {
  model: string;
  options: Record<string, unknown>;
  losses: number[];
  kls: number[];
  /** The norm, and the sum weighted by cos(1), cos(2), ... */
  weights: Record<string, [number, number]>;
  scores: number[];
  clamped?: { logVariance: number; pseudoInputs: number };
}
const fixture = JSON.parse(
  readFileSync(new URL("../models/fixtures/torch-evcf.json", import.meta.url), "utf8"),
) as {
  seed: number;
  items: number;
  rows: number[][];
  probe: number[][];
  cases: Trained[];
};

const { seed, items, rows, probe } = fixture;
const dataset = trainingOnly(fromRows(items, rows));

/** Trains as the program did; every number must be its number, to a share of it (of 1 where it is smaller). */
async function expectSameNumbers(expected: Trained, engine: Engine, tolerance: number): Promise<void> {
  const algorithm = await findAlgorithm(expected.model);
  const records: EpochRecord[] = [];
  const model = await algorithm.fit(dataset, parseOptions(algorithm, expected.options), {
    engine,
    seed,
    onEpoch: (record) => records.push(record),
  });
  const close = (what: string, found: ArrayLike<number>, wanted: number[], limit = tolerance) => {
    expect(found.length, what).toBe(wanted.length);
    const errors = wanted.map((value, i) => Math.abs(found[i] - value) / Math.max(1, Math.abs(value)));
    expect(Math.max(...errors), what).toBeLessThan(limit);
  };
  const reported = (name: string) => records.map(({ values }) => values[name]);
  close("losses", reported("loss"), expected.losses);
  close("KL terms", reported("kl"), expected.kls);
  const { tensors } = await model.save();
  for (const [name, wanted] of Object.entries(expected.weights)) {
    const { data } = tensors[name];
    const sums = [0, 0];
    for (let i = 0; i < data.length; i++) {
      sums[0] += data[i] ** 2;
      sums[1] += data[i] * Math.cos(i + 1);
    }
    close(name, [Math.sqrt(sums[0]), sums[1]], wanted);
  }
  // Scores come back in float32.
  const scores = await model.score(fromRows(items, probe)).read();
  close("scores", scores, expected.scores, Math.max(tolerance, 1e-6));
  model.dispose();
}

const titled = (cases: Trained[]) =>
  cases.map((each) => {
    const { layers, gated, likelihood = "" } = each.options;
    return [`${each.model}, ${layers} layers, ${gated ? "gated" : "tanh"}, ${likelihood}`, each] as const;
  });

/** The tests of one of the models. */
export function describeTorchUpdates(model: string): void {
  const cases = fixture.cases.filter((each) => each.model === model);
  const gentle = cases.filter(({ clamped }) => clamped === undefined);
  const clamping = cases.filter(({ clamped }) => clamped !== undefined);

  describe("ends nine updates with PyTorch's numbers", () => {
    it.each(titled(gentle))("%s", async (_, expected) => {
      await expectSameNumbers(expected, new ReferenceEngine({ precision: "float64" }), 1e-10);
      for (const name of engineNames) {
        const engine = await openEngine({ engine: name, threads: 2 });
        await expectSameNumbers(expected, engine, 2e-4);
        await engine.close();
      }
    });

    it.each(titled(clamping))("%s, where the clamps act", async (_, expected) => {
      expect(expected.clamped?.logVariance).toBeGreaterThan(10);
      expect(expected.clamped?.pseudoInputs).toBeGreaterThan(100);
      await expectSameNumbers(expected, new ReferenceEngine({ precision: "float64" }), 1e-8);
    });
  });
}
