// Trained models in folders, for tests of what is made of several.

import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Dataset } from "../../src/data/dataset.js";
import { train } from "../../src/experiments/train.js";

/** Trains a run of each model with its options, and returns the run folders. */
export async function trainedRuns(
  dataset: Dataset,
  models: Record<string, Record<string, unknown>>,
): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "foldin-parts-"));
  const runs: string[] = [];
  for (const [model, options] of Object.entries(models)) {
    const out = join(folder, model);
    (await train(dataset, { model, options, out, engine: "reference" })).dispose();
    runs.push(out);
  }
  return runs;
}
