// Mult-VAE and Mult-DAE, update by update, against NumPy: its numbers are in the fixture.

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { parseOptions } from "../../src/models/options.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import type { EpochRecord } from "../../src/recommender/run-context.js";
import { fromRows } from "../../src/sparse/csr.js";
import { trainingOnly } from "./datasets.js";
import { precisions } from "./engine-names.js";

interface Trained {
  options: Record<string, unknown>;
  losses: number[];
  kls?: number[];
  betas?: number[];
  scores: number[];
  weights: Record<string, number[]>;
}
export const fixture = JSON.parse(
  readFileSync(new URL("../models/fixtures/numpy-updates.json", import.meta.url), "utf8"),
) as {
  seed: number;
  items: number;
  rows: number[][];
  probe: number[][];
  vae: Trained;
  dae: Trained;
};

const { seed, items, rows, probe } = fixture;
const dataset = trainingOnly(fromRows(items, rows));

/** In float64 the same numbers; in float32 what six updates of single precision leave of them. */
export const engines = precisions(1e-10, 1e-4);

/** Trains for six updates; weights, losses and scores must be NumPy's. */
export async function expectNumpyUpdates<Options>(
  algorithm: Algorithm<Options>,
  expected: Trained,
  tolerance: number,
  open: () => Promise<Engine>,
): Promise<void> {
  const engine = await open();
  const records: EpochRecord[] = [];
  const model = await algorithm.fit(dataset, parseOptions(algorithm, expected.options), {
    engine,
    seed,
    onEpoch: (record) => records.push(record),
  });
  const error = (found: ArrayLike<number>, wanted: number[]) => {
    expect(found.length).toBe(wanted.length);
    return Math.max(...wanted.map((value, i) => Math.abs(found[i] - value)));
  };
  const reported = (name: string) => records.map(({ values }) => values[name]);
  const { tensors } = await model.save();
  expect(Object.keys(tensors).sort()).toEqual(Object.keys(expected.weights).sort());
  for (const [name, wanted] of Object.entries(expected.weights))
    expect(error(tensors[name].data, wanted), name).toBeLessThan(tolerance);
  expect(error(reported("loss"), expected.losses)).toBeLessThan(tolerance);
  if (expected.kls) expect(error(reported("kl"), expected.kls)).toBeLessThan(tolerance);
  if (expected.betas) expect(reported("beta")).toEqual(expected.betas);
  expect(records.map(({ updates }) => updates)).toEqual([2, 4, 6]);
  // Scores come back in float32.
  const scores = await model.score(fromRows(items, probe)).read();
  expect(error(scores, expected.scores)).toBeLessThan(Math.max(tolerance, 1e-6));
  await engine.close();
}
