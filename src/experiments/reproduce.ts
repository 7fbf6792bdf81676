// Runs a preset from raw files to its table: prepares the data, says how long it will take, trains what is not trained yet,
// and judges. Everything lies beneath one folder: data/<study>/, runs/<study>/<run>/, results.json, report.html. Started
// again with the same folder it goes on where it stopped.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import { writeFileWhole } from "../core/atomic-file.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import type { ProgressListener } from "../core/progress.js";
import { type Dataset, loadDataset, readManifest } from "../data/dataset.js";
import { findSourceFolder, prepareSource } from "../data/sources/prepare-source.js";
import { evaluate, type MetricValue } from "../evaluation/evaluate.js";
import { parseOptions } from "../models/options.js";
import { findAlgorithm } from "../models/registry.js";
import type { EpochRecord } from "../recommender/run-context.js";
import { emptyMatrix, sliceRows } from "../sparse/csr.js";
import type { Preset, PresetRun, Published, Study } from "./presets/preset.js";
import { findRunFolder, type RunFolder, readRunFolder } from "./run-folder.js";
import { train } from "./train.js";

export interface ReproduceOptions {
  /** The folder with the raw files, or with one folder per source: "ml-1m/ratings.dat". */
  data: string;
  /** Where everything goes; one that is there already is gone on with. */
  out: string;
  engine?: EngineChoice;
  threads?: number;
  /** Default 98765, as `train`. */
  seed?: number;
  /** At most this many epochs per run: for a look. The result says so. */
  epochs?: number;
  progress?: ProgressListener;
  signal?: AbortSignal;
  /** Told before training: how long what is left will take at most, in seconds, and how many trainings that is. */
  onEstimate?: (seconds: number, runs: number) => void;
  /** Told before each training. */
  onRun?: (title: string, number: number, runs: number) => void;
}

export interface ReproducedRun {
  key: string;
  title: string;
  model: string;
  options: Record<string, unknown>;
  seed: number;
  note?: string;
  epochs: number;
  /** The epoch whose weights were judged; null for a model without epochs. */
  chosenEpoch: number | null;
  /** Wall-clock seconds of training and validation. */
  seconds: number;
  /** By metric, in the order of the table. */
  metrics: Record<string, { ours: MetricValue; published?: Published }>;
  /** Every epoch's numbers. */
  history: EpochRecord[];
}

export interface ReproducedStudy {
  key: string;
  title: string;
  source: string;
  items: number;
  trainUsers: number;
  testUsers: number;
  truth: "held-out" | "complete";
  maskKnown: boolean;
  curve: string;
  note?: string;
  grid?: Study["grid"];
  runs: ReproducedRun[];
}

export interface Reproduction {
  preset: string;
  summary: string;
  source: string;
  studies: ReproducedStudy[];
  /** Studies that were left out, and why. */
  skipped: { title: string; why: string }[];
  /** The most epochs per run, where that was cut short. */
  shortenedTo?: number;
}

/** Runs the preset and returns its tables; `results.json` holds the same. Throws UserError where a needed source's files are missing. */
export async function reproduce(preset: Preset, given: ReproduceOptions): Promise<Reproduction> {
  const { data, out, progress, signal, epochs } = given;
  const folders = await Promise.all(preset.studies.map(({ source }) => findSourceFolder(source, data)));
  const missing = preset.studies.find((study, s) => !study.optional && folders[s] === undefined);
  if (missing)
    throw new UserError({
      place: data,
      problem: `has no files of ${missing.source}, which ${preset.name} needs`,
      expected: `the folder of ${missing.source}, or a folder with ${missing.source}/ in it`,
      remedy: `foldin prepare ${missing.source} --download --out <folder> fetches them, where its publisher lets it`,
    });
  const skipped = preset.studies
    .filter((_, s) => folders[s] === undefined)
    .map(({ title, source }) => ({ title, why: `there are no files of ${source} in ${data}` }));
  const studies = preset.studies.filter((_, s) => folders[s] !== undefined);

  await mkdir(out, { recursive: true });
  const engine = await openEngine({
    engine: given.engine ?? "auto",
    threads: given.threads,
    onNote: (text) => progress?.({ type: "note", text }),
  });
  try {
    const datasets: Dataset[] = [];
    for (const study of studies) datasets.push(await datasetOf(study, given));
    const plan = studies.flatMap((study, s) =>
      study.runs.map((run) => ({
        study,
        run,
        dataset: datasets[s],
        folder: join(out, "runs", study.key, run.key),
      })),
    );
    // Wrong options show before anything is trained.
    for (const { run } of plan) parseOptions(await findAlgorithm(run.model), optionsOf(run, epochs));
    let seconds = 0;
    let left = 0;
    for (const { run, dataset, folder } of plan) {
      const before = await findRunFolder(folder);
      if (before?.complete) continue;
      left++;
      seconds += await estimateSeconds(
        engine,
        dataset,
        run,
        optionsOf(run, epochs),
        before?.epochs.length,
        signal,
      );
    }
    if (left > 0) given.onEstimate?.(seconds, left);

    const results = new Map<PresetRun, ReproducedRun>();
    let number = 0;
    for (const { study, run, dataset, folder } of plan) {
      throwIfAborted(signal);
      const before = await findRunFolder(folder);
      if (!before?.complete) given.onRun?.(`${run.title}: ${study.title}`, ++number, left);
      results.set(run, await runOne(engine, study, run, dataset, folder, before, given));
    }
    const result: Reproduction = {
      preset: preset.name,
      summary: preset.summary,
      source: preset.source,
      studies: studies.map((study, s) => ({
        key: study.key,
        title: study.title,
        source: study.source,
        items: datasets[s].items.size,
        trainUsers: datasets[s].train.rows,
        testUsers: datasets[s].test.users.size,
        truth: study.truth ?? "held-out",
        maskKnown: study.maskKnown ?? true,
        curve: study.curve,
        note: study.note,
        grid: study.grid,
        runs: study.runs.flatMap((run) => results.get(run) ?? []),
      })),
      skipped,
      ...(epochs === undefined ? {} : { shortenedTo: epochs }),
    };
    await writeFileWhole(join(out, "results.json"), (file) =>
      file.writeFile(`${JSON.stringify(result, null, 2)}\n`),
    );
    return result;
  } finally {
    await engine.close();
  }
}

/** The study's dataset, prepared where that has not been done. */
async function datasetOf(study: Study, { data, out, progress, signal }: ReproduceOptions): Promise<Dataset> {
  const folder = join(out, "data", study.key);
  const there = await readManifest(folder).catch(() => undefined);
  if (!there)
    await prepareSource({
      source: study.source,
      from: data,
      out: folder,
      options: study.protocol as Record<string, unknown>,
      progress,
      signal,
    });
  return loadDataset(folder, { signal });
}

function optionsOf({ options }: PresetRun, epochs: number | undefined): Record<string, unknown> {
  if (epochs === undefined || options.epochs === undefined) return { ...options };
  return { ...options, epochs: Math.min(epochs, Number(options.epochs)) };
}

async function runOne(
  engine: Engine,
  study: Study,
  run: PresetRun,
  dataset: Dataset,
  folder: string,
  before: RunFolder | undefined,
  { epochs, seed, out, progress, signal }: ReproduceOptions,
): Promise<ReproducedRun> {
  const recommender = await train(dataset, {
    model: run.model,
    options: optionsOf(run, epochs),
    seed,
    engine,
    out: folder,
    resume: before !== undefined,
    datasetPath: join(out, "data", study.key),
    // That a run is finished already is no news here.
    progress: before?.complete ? undefined : progress,
    signal,
  });
  try {
    const { metrics } = await evaluate(recommender, dataset, {
      metrics: study.metrics,
      truth: study.truth,
      maskKnown: study.maskKnown,
      signal,
    });
    const finished = await readRunFolder(folder);
    const last = finished.epochs.at(-1);
    return {
      key: run.key,
      title: run.title,
      model: run.model,
      options: finished.config.options,
      seed: finished.config.seed,
      note: run.note,
      epochs: finished.epochs.length,
      chosenEpoch: last ? (last.kept ?? last.epoch) : null,
      seconds: finished.epochs.reduce((sum, record) => sum + record.seconds + record.validationSeconds, 0),
      metrics: Object.fromEntries(
        study.metrics.map((name) => [name, { ours: metrics[name], published: run.published?.[name] }]),
      ),
      history: [...finished.epochs],
    };
  } finally {
    recommender.dispose();
  }
}

/** Updates that are timed for the estimate. */
const TIMED_UPDATES = 4;
/** What validation adds, roughly. */
const VALIDATION = 1.15;

/**
 * How long a training will take at most, by a few updates of it on the first users. 0 for a model without epochs.
 * `done`: finished epochs of an interrupted run.
 */
async function estimateSeconds(
  engine: Engine,
  dataset: Dataset,
  { model }: PresetRun,
  given: Record<string, unknown>,
  done = 0,
  signal?: AbortSignal,
): Promise<number> {
  const algorithm = await findAlgorithm(model);
  const options = parseOptions(algorithm, given) as { epochs?: number; batchSize?: number };
  if (options.epochs === undefined || options.batchSize === undefined) return 0;
  const users = Math.min(dataset.train.rows, TIMED_UPDATES * options.batchSize);
  const nobody = emptyMatrix(0, dataset.items.size);
  const few: Dataset = {
    ...dataset,
    train: sliceRows(dataset.train, 0, users),
    validation: { ...dataset.validation, foldIn: nobody, heldOut: nobody },
  };
  let perUser = 0;
  const timed = parseOptions(algorithm, { ...given, epochs: 1 });
  const trained = await algorithm.fit(few, timed, {
    engine,
    seed: 0,
    signal,
    onEpoch: ({ seconds }) => {
      perUser = seconds / users;
    },
  });
  trained.dispose();
  return perUser * dataset.train.rows * Math.max(0, options.epochs - done) * VALIDATION;
}
