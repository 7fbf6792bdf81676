// One point of a search: an ordinary run folder with an additional result.json. A finished point is not trained again, an
// interrupted one resumes from its checkpoint. A finished point may lack its model, since only the best point keeps it.

import { rm } from "node:fs/promises";
import type { Engine } from "../../compute/engine.js";
import { AbortedError } from "../../core/errors.js";
import type { ProgressListener } from "../../core/progress.js";
import type { Dataset } from "../../data/dataset.js";
import { evaluate } from "../../evaluation/evaluate.js";
import { SELECTION_METRIC } from "../../training/fit.js";
import { findRunFolder, modelFolderOf, readRunFolder } from "../run-folder.js";
import { type RunResult, readRunResult, writeRunResult } from "../run-result.js";
import { openTrackers, type TrackerChoice } from "../trackers/open-trackers.js";
import { together } from "../trackers/tracker.js";
import { train } from "../train.js";

export type EvaluatedOn = "validation" | "test";

/** The result of a point. A paused one is never written: its only metric is the validation metric of training. */
export type PointResult = RunResult & { readonly paused?: true };

export type PointOutcome =
  | { readonly state: "done"; readonly result: PointResult }
  | { readonly state: "failed"; readonly message: string };

export interface PointJob {
  /** The run folder, absolute. */
  readonly folder: string;
  readonly model: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly metrics: readonly string[];
  readonly on: EvaluatedOn;
  readonly datasetPath: string;
  readonly checkpointSeconds?: number;
  /** Where pretraining is kept for other runs. */
  readonly cache?: string;
  /** The programs in which the training is followed. */
  readonly trackers?: TrackerChoice;
  /** The epoch after which the training pauses, to be resumed later or not at all. Default: none. */
  readonly pauseAfter?: number;
}

/** The result of a point; undefined if it is not finished. Throws UserError if its file is damaged. */
export async function readPointResult(folder: string): Promise<PointResult | undefined> {
  return readRunResult(folder, { remedy: "Remove it to train the point again" });
}

/** The result of a point that is finished and was evaluated on these users with these metrics; otherwise undefined. */
export async function readResult(
  folder: string,
  { on, metrics }: Pick<PointJob, "on" | "metrics">,
): Promise<PointResult | undefined> {
  const result = await readPointResult(folder);
  const evaluated = result?.[on];
  if (!evaluated || !metrics.every((name) => evaluated.metrics[name])) return undefined;
  // The report of a point's run adds metrics and the other split, which the search did not ask for.
  const { formatVersion, epochs, chosenEpoch, seconds } = result;
  const asked = Object.fromEntries(metrics.map((name) => [name, evaluated.metrics[name]]));
  return { formatVersion, [on]: { users: evaluated.users, metrics: asked }, epochs, chosenEpoch, seconds };
}

export interface PointContext {
  readonly progress?: ProgressListener;
  readonly signal?: AbortSignal;
  readonly onNote?: (text: string) => void;
  /** As in `TrainOptions`. */
  readonly name?: string;
  readonly beforeWrite?: () => Promise<void>;
}

/** Trains or resumes the point, evaluates it, and writes its result. Throws like `train` and `evaluate`. */
export async function runPoint(
  dataset: Dataset,
  engine: Engine,
  { folder, model, options, seed, metrics, on, datasetPath, checkpointSeconds, cache, ...job }: PointJob,
  { progress, signal, onNote = () => {}, name, beforeWrite }: PointContext = {},
): Promise<PointResult> {
  const started = performance.now();
  const before = await findRunFolder(folder);
  const trackers = await openTrackers(job.trackers ?? {}, { onNote, files: false });
  const tracker = together(trackers);
  const recommender = await train(dataset, {
    model,
    options,
    seed,
    engine,
    out: folder,
    resume: before !== undefined,
    // A worker whose parent was just killed may still hold the lock.
    patience: 15_000,
    datasetPath,
    checkpointSeconds,
    pauseAfter: job.pauseAfter,
    cache,
    progress,
    signal,
    trackers,
    name,
    beforeWrite,
  }).catch(async (error: unknown) => {
    await tracker.close();
    const paused = error instanceof AbortedError && !signal?.aborted && job.pauseAfter !== undefined;
    if (paused) return undefined;
    throw error;
  });
  if (!recommender) return pausedResult(folder);
  try {
    const trained = performance.now();
    const { users, metrics: values } = await evaluate(recommender, dataset, { on, metrics, signal });
    const { epochs } = await readRunFolder(folder);
    const last = epochs.at(-1);
    const result: PointResult = {
      formatVersion: 1,
      [on]: { users, metrics: values },
      epochs: epochs.length,
      chosenEpoch: last ? (last.kept ?? last.epoch) : null,
      seconds: last
        ? epochs.reduce((sum, epoch) => sum + epoch.seconds + epoch.validationSeconds, 0)
        : (trained - started) / 1000,
    };
    const found = Object.entries(values).map(([name, { mean }]) => [`${on}/${name}`, mean] as const);
    tracker.report({
      ...{ folder: undefined, epoch: result.chosenEpoch ?? undefined },
      // The monitored metric of each epoch is already there.
      metrics: Object.fromEntries(found.filter(([name]) => name !== "validation/ndcg@100")),
    });
    await writeRunResult(folder, result);
    return result;
  } finally {
    recommender.dispose();
    await tracker.close();
  }
}

/** What is known of a paused training: the best value of the monitored metric so far. */
async function pausedResult(folder: string): Promise<PointResult> {
  const { epochs } = await readRunFolder(folder);
  const values = epochs.map(({ values }) => values[`validation ${SELECTION_METRIC}`] ?? Number.NaN);
  const mean = Math.max(...values.filter(Number.isFinite));
  return {
    formatVersion: 1,
    validation: { users: 0, metrics: { [SELECTION_METRIC]: { mean } } },
    epochs: epochs.length,
    chosenEpoch: epochs.at(-1)?.kept ?? null,
    seconds: epochs.reduce((sum, epoch) => sum + epoch.seconds + epoch.validationSeconds, 0),
    paused: true,
  };
}

/** Removes the model of a finished point to save disk space. */
export async function discardModel(folder: string): Promise<void> {
  await rm(modelFolderOf(folder), { recursive: true, force: true });
}
