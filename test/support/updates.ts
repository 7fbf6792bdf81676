// Training a model for a few updates, to be compared number by number with what another program made of the same data.

import { expect } from "vitest";
import type { Engine } from "../../src/compute/engine.js";
import type { Dataset } from "../../src/data/dataset.js";
import { parseOptions } from "../../src/models/options.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import type { EpochRecord } from "../../src/recommender/run-context.js";

/** The largest difference between numbers and what they should be, as many of them. */
export function largestError(found: ArrayLike<number>, wanted: readonly number[]): number {
  expect(found.length).toBe(wanted.length);
  return Math.max(...wanted.map((value, i) => Math.abs(found[i] - value)));
}

/** Trains; the saved weights must be the wanted ones, by name. What each epoch reported comes back with the model. */
export async function expectWeights<Options>(
  algorithm: Algorithm<Options>,
  dataset: Dataset,
  wanted: { readonly options: Record<string, unknown>; readonly weights: Record<string, number[]> },
  { engine, seed, tolerance }: { readonly engine: Engine; readonly seed: number; readonly tolerance: number },
) {
  const records: EpochRecord[] = [];
  const options = parseOptions(algorithm, wanted.options);
  const model = await algorithm.fit(dataset, options, {
    engine,
    seed,
    onEpoch: (record) => records.push(record),
  });
  const { tensors } = await model.save();
  expect(Object.keys(tensors).sort()).toEqual(Object.keys(wanted.weights).sort());
  for (const [name, weights] of Object.entries(wanted.weights))
    expect(largestError(tensors[name].data, weights), name).toBeLessThan(tolerance);
  return {
    model,
    updates: records.map(({ updates }) => updates),
    reported: (name: string) => records.map(({ values }) => values[name]),
  };
}
