// Mult-VAE and Mult-DAE, update by update, against NumPy: its numbers are in the fixture.

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import { fromRows } from "../../src/sparse/csr.js";
import { trainingOnly } from "./datasets.js";
import { precisions } from "./engine-names.js";
import { expectWeights, largestError } from "./updates.js";

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
  const run = { engine, seed, tolerance };
  const { model, updates, reported } = await expectWeights(algorithm, dataset, expected, run);
  expect(largestError(reported("loss"), expected.losses)).toBeLessThan(tolerance);
  if (expected.kls) expect(largestError(reported("kl"), expected.kls)).toBeLessThan(tolerance);
  if (expected.betas) expect(reported("beta")).toEqual(expected.betas);
  expect(updates).toEqual([2, 4, 6]);
  // Scores come back in float32.
  const scores = await model.score(fromRows(items, probe)).read();
  expect(largestError(scores, expected.scores)).toBeLessThan(Math.max(tolerance, 1e-6));
  await engine.close();
}
