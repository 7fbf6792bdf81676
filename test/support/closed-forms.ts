// Models that are solved in closed form, and NumPy's numbers for them.

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { Dataset } from "../../src/data/dataset.js";
import { parseOptions } from "../../src/models/options.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import type { RunContext } from "../../src/recommender/run-context.js";
import { type CsrMatrix, fromRows } from "../../src/sparse/csr.js";
import { trainingOnly } from "./datasets.js";
import { precisions } from "./engine-names.js";

export const fixture = JSON.parse(
  readFileSync(new URL("../models/fixtures/numpy-closed-forms.json", import.meta.url), "utf8"),
) as {
  items: number;
  rows: number[][];
  probe: number[][];
  ease: { options: Record<string, number>; weights: number[] }[];
  "infinite-ae": { options: Record<string, number>; scores: number[] }[];
};
export const { items } = fixture;
export const dataset = trainingOnly(fromRows(items, fixture.rows), "numpy");

/** In float64 NumPy's numbers; in float32 what single precision leaves of them. */
export const engines = precisions(1e-7, 2e-5);
export const reference = async () => new ReferenceEngine();

/** Trains on a fresh engine, which `use` may ask and which is closed afterwards. */
export async function trained<Options, Result>(
  algorithm: Algorithm<Options>,
  open: () => Promise<Engine>,
  options: Record<string, unknown>,
  use: (scores: (histories: CsrMatrix) => Promise<Float32Array>, engine: Engine) => Promise<Result>,
  run: Partial<RunContext> = {},
  on: Dataset = dataset,
): Promise<Result> {
  const engine = await open();
  try {
    const context = { engine, seed: 1, ...run };
    const model = await algorithm.fit(on, parseOptions(algorithm, options), context);
    const result = await use((histories) => model.score(histories).read(), engine);
    model.dispose();
    return result;
  } finally {
    await engine.close();
  }
}

export function worst(found: ArrayLike<number>, wanted: readonly number[]): number {
  expect(found.length).toBe(wanted.length);
  return Math.max(...wanted.map((value, i) => Math.abs(found[i] - value)));
}
