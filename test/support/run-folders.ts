// Generates run folders and a dataset's manifest, as small as the studio can read them: no model can be loaded from them.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface GeneratedRun {
  readonly model?: string;
  readonly dataset?: string;
  /** Where the dataset was; default: not on disk. */
  readonly path?: string;
  readonly options?: object;
  readonly seed?: number;
  readonly epochs?: number;
  /** Default true: with model/, result.json and report.html. */
  readonly finished?: boolean;
  /** NDCG@100 on test users. */
  readonly ndcg?: number;
  /** Of the model's file. */
  readonly bytes?: number;
}

/** Writes one run folder. */
export function writeRun(folder: string, given: GeneratedRun = {}): void {
  const { model = "mult-vae", dataset = "films", options = {}, seed = 1, epochs = 3, path = null } = given;
  const { finished = true, ndcg = 0.4, bytes = 2048 } = given;
  mkdirSync(folder, { recursive: true });
  const write = (name: string, value: unknown) =>
    writeFileSync(join(folder, name), `${JSON.stringify(value)}\n`);
  write("config.json", {
    ...{ formatVersion: 1, foldin: "0.2.0", model, options, seed },
    dataset: { name: dataset, path, fingerprint: `of-${dataset}` },
    ...{ engine: "native", precision: "float32", threads: 2 },
  });
  const lines = Array.from({ length: epochs }, (_, place) => epochLine(place + 1, ndcg));
  if (epochs > 0) writeFileSync(join(folder, "metrics.jsonl"), lines.join(""));
  if (!finished) {
    mkdirSync(join(folder, "checkpoint"), { recursive: true });
    return;
  }
  mkdirSync(join(folder, "model"), { recursive: true });
  writeFileSync(join(folder, "model", "model.safetensors"), new Uint8Array(bytes));
  writeFileSync(
    join(folder, "report.html"),
    `<!doctype html><title>${model}</title><p>report of ${model}</p>`,
  );
  const metrics = (shift: number) => ({
    users: 1000,
    metrics: {
      "ndcg@100": { mean: ndcg + shift, standardError: 0.002 },
      "recall@20": { mean: ndcg - 0.03 + shift, standardError: 0.003 },
      "recall@50": { mean: ndcg + 0.1 + shift, standardError: 0.0025 },
    },
  });
  write("result.json", {
    ...{ formatVersion: 1, validation: metrics(0.01), test: metrics(0) },
    ...{ epochs, chosenEpoch: epochs || null, seconds: 12.5 },
  });
}

/** A line of metrics.jsonl. */
export function epochLine(epoch: number, ndcg = 0.4): string {
  const values = { loss: 600 - 10 * Math.log(epoch), "validation ndcg@100": ndcg * (1 - 0.5 / epoch) };
  return `${JSON.stringify({ epoch, updates: epoch * 10, seconds: 1.5, validationSeconds: 0.5, kept: epoch, values })}\n`;
}

/** Writes as many runs of three models on one dataset, with options that differ, below `folder`. */
export function writeRuns(folder: string, number: number): void {
  const models = ["mult-vae", "mult-dae", "ease"];
  for (let run = 0; run < number; run++) {
    const model = models[run % models.length];
    const options = Object.fromEntries(Array.from({ length: 25 }, (_, o) => [`option${o}`, o]));
    writeRun(join(folder, model, `run-${run}`), {
      model,
      options: { ...options, latent: 50 * ((run >> 1) % 5), epochs: 50, hidden: [600] },
      seed: run,
      epochs: model === "ease" ? 0 : 30 + ((run * 7) % 40),
      ndcg: 0.3 + (0.15 * ((run * 37) % number)) / number,
      bytes: 1000 + ((run * 5011) % 40_000),
    });
  }
}

/** Writes the manifest of a dataset. */
export function writeManifest(folder: string, name = "films"): void {
  mkdirSync(folder, { recursive: true });
  const split = { users: 10, judgedUsers: 10, foldIn: 80, heldOut: 20, unknownItems: 0, coldUsers: 0 };
  const filtered = { users: 120, items: 50, interactions: 1000, duplicates: 0, belowRating: 0 };
  const file = { rows: 1, bytes: 1, sha256: "0".repeat(64) };
  const names = ["items", "users", "train", "validation", "test"];
  const manifest = {
    ...{ format: "foldin-dataset", formatVersion: 1, foldin: "0.2.0", name },
    source: { name, files: [] },
    protocol: { protocol: "strong", validationUsers: 10, testUsers: 10 },
    counts: {
      ...{ users: 100, items: 50, interactions: 800, sourceRows: 1000, filtered },
      ...{ validation: split, test: split },
    },
    columns: { value: true, time: true },
    items: { id: "id", title: "title", rows: 50, matched: 50, titled: 50 },
    tables: Object.fromEntries(names.map((table) => [`${table}.parquet`, file])),
  };
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
}
