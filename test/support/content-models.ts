// The small catalogue of torch-cvae.json, which the fixtures of CDL, CTR and DeepMusic share, and training on it that is listened to.

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { ReferenceEngine } from "../../src/compute/engines/reference.js";
import type { ProgressEvent } from "../../src/core/progress.js";
import { wordContent } from "../../src/data/content/in-memory.js";
import type { WordContent } from "../../src/data/content.js";
import type { Dataset } from "../../src/data/dataset.js";
import { parseOptions } from "../../src/models/options.js";
import type { Algorithm } from "../../src/recommender/algorithm.js";
import { isContentAware } from "../../src/recommender/content-aware.js";
import type { NamedTensors } from "../../src/recommender/recommender.js";
import type { EpochRecord, RunContext, TensorCache } from "../../src/recommender/run-context.js";
import { fromRows } from "../../src/sparse/csr.js";
import { MemoryCheckpoints } from "./checkpoints.js";
import { trainingOnly, vocabulary } from "./datasets.js";

type Counts = [word: number, count: number][][];

export function modelFixture<Fixture>(name: string): Fixture {
  return JSON.parse(readFileSync(new URL(`../models/fixtures/${name}.json`, import.meta.url), "utf8"));
}

const { items, rows, words, newWords, probe } = modelFixture<{
  items: number;
  rows: number[][];
  probe: number[][];
  words: Counts;
  newWords: Counts;
}>("torch-cvae");
const WIDTH = 7;

function bags(counts: Counts, maxima?: ArrayLike<number>): WordContent {
  const lists = fromRows(
    WIDTH,
    counts.map((row) => row.map(([word]) => word)),
  );
  const values = Float32Array.from(counts.flatMap((row) => row.map(([, count]) => count)));
  return wordContent({ ...lists, values }, vocabulary("w", WIDTH), { maxima });
}

/** Seven users, eleven items: item 4 has no words, items 9 and 10 no clicks. */
export const smallCatalogue = {
  ...trainingOnly(fromRows(items, rows), "words"),
  content: bags(words),
} satisfies Dataset;
/** Two new items. */
export const newItems = {
  items: vocabulary("new", 2),
  content: bags(newWords, smallCatalogue.content.maxima),
};
/** Three histories. */
export const histories = fromRows(items, probe);

export function worstError(found: ArrayLike<number>, wanted: readonly number[]): number {
  expect(found.length).toBe(wanted.length);
  return Math.max(...wanted.map((value, i) => Math.abs(found[i] - value)));
}

/** A cache of pretraining in memory; `kept` has what was saved. */
export function memoryCache(): TensorCache & { readonly kept: ReadonlyMap<string, NamedTensors> } {
  const kept = new Map<string, NamedTensors>();
  return {
    kept,
    place: "memory",
    load: async (name) => structuredClone(kept.get(name)),
    save: async (name, tensors) => {
      kept.set(name, structuredClone(tensors));
    },
  };
}

/** Trains, and keeps what each phase of pretraining and each epoch reported. */
export async function trainedOn<Options>(
  dataset: Dataset,
  algorithm: Algorithm<Options>,
  options: Record<string, unknown>,
  run: Partial<RunContext> = {},
) {
  const pretraining = new Map<string, number[]>();
  const records: EpochRecord[] = [];
  const progress = (event: ProgressEvent) => {
    if (event.type === "advance" && Number.isInteger(event.done) && event.values)
      pretraining.set(event.task, [...(pretraining.get(event.task) ?? []), event.values.loss]);
  };
  const engine = run.engine ?? new ReferenceEngine({ precision: "float64" });
  const model = await algorithm.fit(dataset, parseOptions(algorithm, options), {
    ...{ seed: 1, progress, onEpoch: (record) => records.push(record) },
    ...run,
    engine,
  });
  if (!isContentAware(model)) throw new Error(`${algorithm.name} knows no content`);
  return { model, pretraining, records, tensors: (await model.save()).tensors };
}

/** Every checkpoint of a training, gone on from, ends with the uninterrupted training's numbers; there are more than three. */
export async function expectToResumeAnywhere<Options>(
  dataset: Dataset,
  algorithm: Algorithm<Options>,
  options: Record<string, unknown>,
): Promise<void> {
  const engine = new ReferenceEngine();
  const all = new MemoryCheckpoints();
  const whole = await trainedOn(dataset, algorithm, options, { engine, checkpoints: all });
  expect(all.saved.length).toBeGreaterThan(3);
  for (const saved of all.saved) {
    const checkpoints = new MemoryCheckpoints(0, saved);
    const { tensors } = await trainedOn(dataset, algorithm, options, { engine, checkpoints });
    expect(tensors).toEqual(whole.tensors);
  }
}
