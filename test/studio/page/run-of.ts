import type { Run } from "../../../src/studio/api.js";

/** A run as the studio's server describes it. */
export function runOf({ ndcg, ...given }: Partial<Run> & { ndcg?: number } = {}): Run {
  return {
    id: "run",
    model: "mult-vae",
    dataset: { name: "films", path: null, fingerprint: "f" },
    state: "finished",
    options: {},
    seed: 1,
    engine: "native",
    precision: "float32",
    threads: 2,
    epochs: 10,
    seconds: 20,
    modelBytes: 1000,
    changed: 0,
    report: true,
    on: ndcg === undefined ? {} : { test: { users: 10, metrics: { "ndcg@100": { mean: ndcg } } } },
    ...given,
  };
}
