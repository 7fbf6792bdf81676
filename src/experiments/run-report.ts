// The report of a run: evaluates its model on both splits, selects a few test users as examples, and writes report.html.

import { join } from "node:path";
import { writeFileWhole } from "../core/atomic-file.js";
import type { ProgressListener } from "../core/progress.js";
import type { Dataset, HeldOutSplit } from "../data/dataset.js";
import { describeDataset } from "../data/describe.js";
import { protocols } from "../data/protocol.js";
import { type EvaluateOptions, type Evaluation, evaluate } from "../evaluation/evaluate.js";
import { describeOptions, layeredOptions, parseOptions } from "../models/options.js";
import { findAlgorithm } from "../models/registry.js";
import { recommend } from "../recommender/recommend.js";
import type { Recommender } from "../recommender/recommender.js";
import type { EpochRecord } from "../recommender/run-context.js";
import { entryCount, rowIndices } from "../sparse/csr.js";
import { optionText } from "./option-text.js";
import { type Report, type ReportExample, renderReport } from "./report.js";
import { readRunFolder } from "./run-folder.js";
import { type RunResult, readRunResult, writeRunResult } from "./run-result.js";
import { type Tracker, together } from "./trackers/tracker.js";

const METRICS = [
  "ndcg@100",
  "recall@20",
  "recall@50",
  "ndcg@10",
  "precision@10",
  "map@10",
  "mrr@10",
  "hit-rate@10",
  "coverage@100",
  "gini@100",
  "novelty@10",
  "diversity@10",
  "long-tail@10",
];
const SELECTION = "validation ndcg@100";

export interface RunReportOptions {
  /** Wall-clock seconds of a model without epochs; epochs record their own time. */
  seconds?: number;
  signal?: AbortSignal;
  progress?: ProgressListener;
  /** Receive the metrics and the report. */
  trackers?: readonly Tracker[];
}

/** Writes report.html and result.json into the folder of a finished run; returns the contents of the report. */
export async function reportOnRun(
  path: string,
  recommender: Recommender,
  dataset: Dataset,
  { seconds = 0, signal, progress, trackers = [] }: RunReportOptions = {},
): Promise<Report> {
  const { config, epochs } = await readRunFolder(path);
  const algorithm = await findAlgorithm(config.model);
  const test = await evaluationOn("test", recommender, dataset, { segments: true, signal, progress });
  const validation = await evaluationOn("validation", recommender, dataset, { signal, progress });
  const given = layeredOptions(algorithm, config.options);
  const report: Report = {
    algorithm: { name: algorithm.name, summary: algorithm.summary, source: algorithm.source },
    dataset: {
      name: dataset.name,
      protocol: protocolText(dataset.manifest),
      trainUsers: dataset.train.rows,
      items: dataset.items.size,
      trainInteractions: entryCount(dataset.train),
      validation: countsOf(dataset.validation),
      test: countsOf(dataset.test),
      plots: await describeDataset(dataset, { ratings: true }),
    },
    options: describeOptions(algorithm).map(({ name, default: defaultValue, description }) => ({
      name,
      value: optionText(given[name]),
      defaultValue: optionText(defaultValue),
      meaning: description,
    })),
    seed: config.seed,
    engine: `${config.engine}, ${config.precision}, ${config.threads} ${config.threads === 1 ? "thread" : "threads"}`,
    seconds:
      epochs.length > 0
        ? epochs.reduce((sum, record) => sum + record.seconds + record.validationSeconds, 0)
        : seconds,
    epochs,
    unseenUsers: dataset.test.users.ids.every((id) => dataset.users.indexOf(id) === undefined),
    chosenEpoch: chosenEpoch(epochs),
    metrics: METRICS.map((name) => ({
      name,
      test: test?.metrics[name],
      validation: validation?.metrics[name],
    })),
    segments: test?.segments,
    network: algorithm.outline?.(dataset.items.size, parseOptions(algorithm, given)),
    examples: await examplesOf(recommender, dataset.test),
    finished: new Date(),
  };
  const page = await renderReport(report);
  await writeFileWhole(join(path, "report.html"), (file) => file.writeFile(page));
  await writeRunResult(path, await resultOf(path, report, { test, validation }));
  const tested = Object.entries(test?.metrics ?? {}).map(
    ([name, { mean }]) => [`test/${name}`, mean] as const,
  );
  together(trackers).report({ folder: path, epoch: report.chosenEpoch, metrics: Object.fromEntries(tested) });
  return report;
}

/** The result of the run. Other metrics that a search has measured for the same model are kept. */
async function resultOf(
  path: string,
  { epochs, chosenEpoch, seconds }: Report,
  evaluations: Partial<Record<"test" | "validation", Evaluation>>,
): Promise<RunResult> {
  const former = await readRunResult(path).catch(() => undefined);
  const on = (split: "test" | "validation") => {
    const evaluation = evaluations[split];
    if (!evaluation) return {};
    const { users, metrics } = evaluation;
    return { [split]: { users, metrics: { ...former?.[split]?.metrics, ...metrics } } };
  };
  return {
    formatVersion: 1,
    ...on("validation"),
    ...on("test"),
    epochs: epochs.length,
    chosenEpoch: chosenEpoch ?? null,
    seconds,
  };
}

/** The evaluation on a split; none if it has no held-out items. */
async function evaluationOn(
  on: "test" | "validation",
  recommender: Recommender,
  dataset: Dataset,
  options: Pick<EvaluateOptions, "segments" | "signal" | "progress">,
): Promise<Evaluation | undefined> {
  if (entryCount(dataset[on].heldOut) === 0) return undefined;
  return evaluate(recommender, dataset, { on, metrics: METRICS, ...options });
}

/** Protocol and filters of the dataset, in one sentence. */
function protocolText(manifest: Dataset["manifest"]): string | undefined {
  if (!manifest) return undefined;
  const { protocol: options, source } = manifest;
  const { minRating, minUser, minItem } = options;
  const parts = [
    ...(source.generated ? ["synthetic data"] : []),
    `protocol ${options.protocol}: ${protocols[options.protocol].shape.protocol.description}`,
    ...(minRating === undefined ? [] : [`ratings of at least ${minRating}`]),
    ...(minUser > 1 ? [`users with at least ${minUser} interactions`] : []),
    ...(minItem > 1 ? [`items with at least ${minItem} interactions`] : []),
    ...("seed" in options ? [`seed ${options.seed}`] : []),
  ];
  return parts.join("; ");
}

function countsOf({ heldOut }: HeldOutSplit): { users: number; heldOut: number } {
  return { users: heldOut.rows, heldOut: entryCount(heldOut) };
}

/** The epoch whose weights were kept, as recorded; in runs of older versions the first best on validation, or the last. */
function chosenEpoch(epochs: readonly EpochRecord[]): number | undefined {
  const kept = epochs.at(-1)?.kept;
  if (kept !== undefined) return kept;
  let chosen = epochs.at(-1);
  let best = -Infinity;
  for (const record of epochs)
    if (record.values[SELECTION] > best) {
      best = record.values[SELECTION];
      chosen = record;
    }
  return chosen?.epoch;
}

const EXAMPLES = 4;
const RECOMMENDED = 10;

/** A few test users, evenly spaced over those with enough items; the selection does not depend on the results. */
async function examplesOf(
  recommender: Recommender,
  { users, foldIn, heldOut }: HeldOutSplit,
): Promise<ReportExample[]> {
  const length = (matrix: typeof foldIn, row: number) => matrix.offsets[row + 1] - matrix.offsets[row];
  const all = Array.from({ length: heldOut.rows }, (_, row) => row).filter((row) => length(heldOut, row) > 0);
  const rich = all.filter((row) => length(foldIn, row) >= 5 && length(heldOut, row) >= 3);
  const eligible = rich.length >= EXAMPLES ? rich : all;
  const chosen = Array.from(
    { length: Math.min(EXAMPLES, eligible.length) },
    (_, e, n = Math.min(EXAMPLES, eligible.length)) =>
      eligible[Math.floor(((e + 0.5) * eligible.length) / n)],
  );
  const examples: ReportExample[] = [];
  for (const row of chosen) {
    const truth = new Set(rowIndices(heldOut, row));
    const { history, items } = await recommend(recommender, Uint32Array.from(rowIndices(foldIn, row)), {
      k: RECOMMENDED,
    });
    examples.push({
      user: users.ids[row],
      history: history.map(({ title }) => title),
      recommendations: items.map(({ index, title }) => ({ title, heldOut: truth.has(index) })),
      heldOut: truth.size,
    });
  }
  return examples;
}
