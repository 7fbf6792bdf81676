// A training as trackers see it.

import type { TrackedRun } from "../../src/experiments/trackers/tracker.js";
import type { EpochRecord } from "../../src/recommender/run-context.js";

export function trackedRun(given: Partial<TrackedRun> = {}): TrackedRun {
  return {
    ...{ name: "vae", folder: undefined, foldin: "1.2.3", model: "mult-vae" },
    options: { hidden: [600], learningRate: 0.001, weights: { decay: 0.5 }, tied: true },
    ...{ seed: 7, engine: "native", precision: "float32", threads: 2 },
    dataset: { name: "demo", fingerprint: "f00d", users: 10, items: 20, interactions: 30 },
    ...{ resumed: false, earlier: [] },
    ...given,
  };
}

/** Epoch k has the loss 10 - k. */
export function epochRecord(epoch: number, given: Record<string, number> = {}): EpochRecord {
  return {
    ...{ epoch, updates: 5 * epoch, seconds: 0.5, validationSeconds: 0.25 },
    values: { loss: 10 - epoch, "validation ndcg@100": epoch / 8, ...given },
  };
}
