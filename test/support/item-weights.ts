// Slim and item-knn on a small matrix, with the weights that scikit-learn and implicit find.

import { readFileSync } from "node:fs";
import type { Engine } from "../../src/compute/engine.js";
import { parseOptions } from "../../src/models/options.js";
import { findAlgorithm } from "../../src/models/registry.js";
import { fromRows } from "../../src/sparse/csr.js";
import { trainingOnly } from "./datasets.js";

export const fixture = JSON.parse(
  readFileSync(new URL("../models/fixtures/item-weights.json", import.meta.url), "utf8"),
) as {
  items: number;
  rows: number[][];
  slim: { options: Record<string, number>; weights: number[] }[];
  neighbours: { by: string; options: Record<string, unknown>; similarity: number[] }[];
};
export const { items, rows } = fixture;
export const dataset = trainingOnly(fromRows(items, rows), "fixture");
/** Each item alone: its scores are its row of W. */
const one = fromRows(
  items,
  Array.from({ length: items }, (_, item) => [item]),
);

/** W, row by row. */
export async function weightsOf(
  engine: Engine,
  model: string,
  options: Record<string, unknown>,
  of = dataset,
): Promise<number[]> {
  const algorithm = await findAlgorithm(model);
  const trained = await algorithm.fit(of, parseOptions(algorithm, options), { engine, seed: 1 });
  try {
    return [...(await trained.score(one).read())];
  } finally {
    trained.dispose();
  }
}

export const worst = (actual: number[], expected: number[]) =>
  Math.max(...expected.map((x, i) => Math.abs(x - actual[i])));
