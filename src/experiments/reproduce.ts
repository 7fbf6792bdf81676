// Runs a preset from raw files to its table: prepares the data, estimates the time, trains the missing runs, and evaluates.
// Everything is written into one folder: data/<study>/, runs/<study>/<run>/ (with several splits data/<study>/<split>/ and
// runs/<study>/<split>/<run>/), results.json, report.html. Started again with the same folder, it resumes where it stopped.

import { join } from "node:path";
import type { Engine } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import { writeFileWhole } from "../core/atomic-file.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import { withLock } from "../core/lock.js";
import { suggestion } from "../core/nearest.js";
import type { ProgressListener } from "../core/progress.js";
import { type Dataset, loadDataset, readManifest } from "../data/dataset.js";
import { findSourceFolder, prepareSource } from "../data/sources/prepare-source.js";
import { cvaePaper, evaluate, type MetricValue } from "../evaluation/evaluate.js";
import { parseOptions } from "../models/options.js";
import { findAlgorithm } from "../models/registry.js";
import { recommend } from "../recommender/recommend.js";
import type { Recommender } from "../recommender/recommender.js";
import type { EpochRecord } from "../recommender/run-context.js";
import { emptyMatrix, rowIndices, sliceRows } from "../sparse/csr.js";
import { claimFolder } from "./claim-folder.js";
import type { ListedUser, Preset, PresetRun, Published, Split, Study } from "./presets/preset.js";
import { findRunFolder, type RunFolder, readRunFolder } from "./run-folder.js";
import { train } from "./train.js";

export interface ReproduceOptions {
  /** The folder with the raw files, or with one folder per source: "ml-1m/ratings.dat". */
  data: string;
  /** The output folder; an existing one is resumed. */
  out: string;
  engine?: EngineChoice;
  threads?: number;
  /** Default 98765, as in `train`. */
  seed?: number;
  /** Maximum number of epochs per run, for a quick trial. Recorded in the result. */
  epochs?: number;
  /** Only the studies with these keys. Default: all. */
  studies?: readonly string[];
  /** Only runs of these models. Default: all. */
  models?: readonly string[];
  /** Only this number of splits of each study. Default: all. */
  splits?: number;
  /** A cache folder for pretraining, shared by runs with the same content and options. Default: none. */
  cache?: string;
  progress?: ProgressListener;
  signal?: AbortSignal;
  /** Called before training with an upper estimate of the remaining time in seconds and the number of runs. */
  onEstimate?: (seconds: number, runs: number) => void;
  /** Called before each run. */
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
  /** The epoch whose weights were evaluated; null for a model without epochs. */
  chosenEpoch: number | null;
  /** Wall-clock seconds of training and validation. */
  seconds: number;
  /** By metric, in the order of the table; with several splits the mean and its standard error over the splits. */
  metrics: Record<string, { ours: MetricValue; published?: Published }>;
  /** The same with the evaluator of the CVAE paper, if the study has it. */
  cvaePaper?: Record<string, MetricValue>;
  /** The results per split, if the study has several; all fields except the metrics are those of the first split. */
  splits?: {
    key: string;
    metrics: Record<string, MetricValue>;
    cvaePaper?: Record<string, MetricValue>;
    seconds: number;
  }[];
  /** The top items of the study's listed users. */
  lists?: ReproducedList[];
  /** The numbers of every epoch. */
  history: EpochRecord[];
}

interface ReproducedList {
  user: string;
  title: string;
  /** Titles of the user's training items. */
  history: string[];
  /** Best first; `inLibrary` = a held-out item of the user. */
  items: { title: string; inLibrary: boolean }[];
  /** Number of items of the published list that are in the user's library. */
  published?: number;
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
  byDepth?: string;
  publishedBy?: string;
  /** The splits that were run, and the number of splits. */
  splits?: { run: string[]; of: number };
  runs: ReproducedRun[];
}

export interface Reproduction {
  preset: string;
  summary: string;
  source: string;
  studies: ReproducedStudy[];
  /** Studies that were skipped, with the reason. */
  skipped: { title: string; why: string }[];
  /** The maximum number of epochs per run, if it was shortened. */
  shortenedTo?: number;
}

/** Runs the preset and returns its tables; `results.json` has the same. Throws UserError if the files of a required source are missing. */
export async function reproduce(preset: Preset, given: ReproduceOptions): Promise<Reproduction> {
  const { out, progress } = given;
  return withLock(out, () => reproduceInto(preset, given), {
    onNote: (text) => progress?.({ type: "note", text }),
  });
}

/** Reproduces; the caller holds the folder's lock. */
async function reproduceInto(preset: Preset, given: ReproduceOptions): Promise<Reproduction> {
  const { data, out, progress, signal, epochs } = given;
  const chosen = chosenStudies(preset, given);
  const folders = await Promise.all(chosen.map(({ source }) => findSourceFolder(source, data)));
  const missing = chosen.find((study, s) => !study.optional && folders[s] === undefined);
  if (missing)
    throw new UserError({
      place: data,
      problem: `does not contain the files of ${missing.source}, which ${preset.name} needs`,
      expected: `the folder of ${missing.source}, or a folder with ${missing.source}/ in it`,
      remedy: `Download them with foldin prepare ${missing.source} --download --out <folder>, if the publisher allows it`,
    });
  const skipped = chosen
    .filter((_, s) => folders[s] === undefined)
    .map(({ title, source }) => ({ title, why: `${data} does not contain the files of ${source}` }));
  const studies = chosen.filter((_, s) => folders[s] !== undefined);

  await claimReproduction(out, preset.name);
  const engine = await openEngine({
    engine: given.engine ?? "auto",
    threads: given.threads,
    onNote: (text) => progress?.({ type: "note", text }),
  });
  try {
    // Split by split, so that every table has a result as early as possible.
    const rounds = Math.max(0, ...studies.map(({ splits }) => splits?.length ?? 1));
    const places = Array.from({ length: rounds }, (_, round) =>
      studies.flatMap((study) => {
        const split = study.splits?.[round];
        return split || (round === 0 && !study.splits) ? [{ study, split }] : [];
      }),
    ).flat();
    const plan: PlannedRun[] = [];
    for (const { study, split } of places) {
      const dataset = await datasetOf(study, split, given);
      for (const run of study.runs)
        plan.push({
          study,
          split,
          run,
          dataset,
          folder: join(out, "runs", ...pathOf(study, split), run.key),
        });
    }
    // Check all options before anything is trained.
    for (const { run } of plan) parseOptions(await findAlgorithm(run.model), await optionsOf(run, epochs));
    let seconds = 0;
    let left = 0;
    for (const { study, run, dataset, folder } of plan) {
      const before = await findRunFolder(folder);
      if (before?.complete) continue;
      left++;
      if (study.timed === false) continue;
      const options = await optionsOf(run, epochs);
      seconds += await estimateSeconds(engine, dataset, run, options, before?.epochs.length, signal);
    }
    if (left > 0) given.onEstimate?.(seconds, left);

    const results = new Map<PresetRun, SplitResult[]>();
    let number = 0;
    for (const planned of plan) {
      throwIfAborted(signal);
      const { study, split, run, folder } = planned;
      const before = await findRunFolder(folder);
      const title = `${run.title}: ${study.title}${split ? `, split ${split.key}` : ""}`;
      if (!before?.complete) given.onRun?.(title, ++number, left);
      results.set(run, [...(results.get(run) ?? []), await runOne(engine, planned, before, given)]);
    }
    const result: Reproduction = {
      preset: preset.name,
      summary: preset.summary,
      source: preset.source,
      studies: studies.map((study) => {
        const { dataset } = plan.find((planned) => planned.study === study) as PlannedRun;
        return {
          key: study.key,
          title: study.title,
          source: study.source,
          items: dataset.items.size,
          trainUsers: dataset.train.rows,
          testUsers: dataset.test.users.size,
          truth: study.truth ?? "held-out",
          maskKnown: study.maskKnown ?? true,
          curve: study.curve,
          note: study.note,
          grid: study.grid,
          byDepth: study.byDepth,
          publishedBy: study.publishedBy,
          ...(study.splits && {
            splits: {
              run: study.splits.map(({ key }) => key),
              of: preset.studies.find(({ key }) => key === study.key)?.splits?.length ?? 0,
            },
          }),
          runs: study.runs.flatMap((run) => reproducedRun(run, results.get(run) ?? [])),
        };
      }),
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

/** Creates the folder, or checks that the existing one belongs to this preset. */
async function claimReproduction(out: string, preset: string): Promise<void> {
  const found = await claimFolder(out, {
    marker: "reproduction.json",
    head: { formatVersion: 1, preset },
    what: `foldin reproduce ${preset}`,
    former: ["data", "runs", "results.json", "report.html"],
  });
  const before = typeof found === "object" && found !== null && "preset" in found ? found.preset : undefined;
  if (before !== preset)
    throw new UserError({
      place: out,
      problem:
        typeof before === "string" ? `contains a reproduction of ${before}` : "contains something else",
      expected: `a new folder, or a folder of foldin reproduce ${preset}`,
      remedy: "Choose another folder with --out",
    });
}

interface PlannedRun {
  readonly study: Study;
  readonly split: Split | undefined;
  readonly run: PresetRun;
  readonly dataset: Dataset;
  readonly folder: string;
}

/** The result of one run on one split. */
interface SplitResult extends Omit<ReproducedRun, "metrics" | "splits"> {
  split: string | undefined;
  metrics: Record<string, MetricValue>;
}

/** The requested studies of the preset. Throws UserError for an unknown name. */
function chosenStudies(
  preset: Preset,
  { studies: wanted, models, splits }: Pick<ReproduceOptions, "studies" | "models" | "splits">,
): Study[] {
  const known = (place: string, names: readonly string[] | undefined, of: readonly string[]) => {
    const wrong = names?.find((name) => !of.includes(name));
    if (wrong !== undefined)
      throw new UserError({
        place,
        problem: `${preset.name} has no "${wrong}"`,
        remedy: suggestion(wrong, [...new Set(of)]),
      });
  };
  known(
    "studies",
    wanted,
    preset.studies.map(({ key }) => key),
  );
  known(
    "models",
    models,
    preset.studies.flatMap(({ runs }) => runs.map(({ model }) => model)),
  );
  return preset.studies
    .filter(({ key }) => wanted?.includes(key) ?? true)
    .map((study) => ({
      ...study,
      ...(study.splits && { splits: study.splits.slice(0, splits) }),
      runs: study.runs.filter(({ model }) => models?.includes(model) ?? true),
    }))
    .filter(({ runs }) => runs.length > 0);
}

const pathOf = (study: Study, split: Split | undefined): string[] =>
  split ? [study.key, split.key] : [study.key];

/** The study's dataset, prepared if necessary. */
async function datasetOf(
  study: Study,
  split: Split | undefined,
  { data, out, progress, signal }: ReproduceOptions,
): Promise<Dataset> {
  const folder = join(out, "data", ...pathOf(study, split));
  const there = await readManifest(folder).catch(() => undefined);
  if (!there)
    await prepareSource({
      source: study.source,
      from: data,
      out: folder,
      options: { ...study.protocol, ...split?.protocol } as Record<string, unknown>,
      progress,
      signal,
    });
  return loadDataset(folder, { signal });
}

/** The run's options; if it is shortened, with at most this number of epochs of each kind, including pretraining. */
async function optionsOf(
  { model, options }: PresetRun,
  epochs: number | undefined,
): Promise<Record<string, unknown>> {
  if (epochs === undefined) return { ...options };
  const all = parseOptions(await findAlgorithm(model), { ...options }) as Record<string, unknown>;
  const long = Object.entries(all).filter(
    ([name, value]) => /^(epochs|[a-z]+Epochs)$/.test(name) && typeof value === "number" && value > epochs,
  );
  return { ...options, ...Object.fromEntries(long.map(([name]) => [name, epochs])) };
}

async function runOne(
  engine: Engine,
  { study, split, run, dataset, folder }: PlannedRun,
  before: RunFolder | undefined,
  { epochs, seed, out, cache, progress, signal }: ReproduceOptions,
): Promise<SplitResult> {
  const recommender = await train(dataset, {
    model: run.model,
    options: await optionsOf(run, epochs),
    seed,
    engine,
    out: folder,
    resume: before !== undefined,
    datasetPath: join(out, "data", ...pathOf(study, split)),
    cache,
    // Suppress the note that a run is already finished.
    progress: before?.complete ? undefined : progress,
    signal,
  });
  try {
    const { metrics: names, truth, maskKnown } = study;
    const { metrics } = await evaluate(recommender, dataset, { metrics: names, truth, maskKnown, signal });
    const paper = study.cvaePaper
      ? await evaluate(recommender, dataset, { ...cvaePaper, metrics: names, signal })
      : undefined;
    const finished = await readRunFolder(folder);
    const last = finished.epochs.at(-1);
    return {
      split: split?.key,
      key: run.key,
      title: run.title,
      model: run.model,
      options: finished.config.options,
      seed: finished.config.seed,
      note: run.note,
      epochs: finished.epochs.length,
      chosenEpoch: last ? (last.kept ?? last.epoch) : null,
      seconds: finished.epochs.reduce((sum, record) => sum + record.seconds + record.validationSeconds, 0),
      metrics,
      ...(paper && { cvaePaper: paper.metrics }),
      ...(study.lists && { lists: await listsOf(recommender, dataset, study.lists, run.key) }),
      history: [...finished.epochs],
    };
  } finally {
    recommender.dispose();
  }
}

/** The top items of some users, with their training items as history. Throws UserError for an unknown user. */
async function listsOf(
  recommender: Recommender,
  { name, items, users, train, test }: Dataset,
  { k, users: listed }: { readonly k: number; readonly users: readonly ListedUser[] },
  run: string,
): Promise<ReproducedList[]> {
  const lists: ReproducedList[] = [];
  for (const { id, title, published } of listed) {
    const [row, heldOutRow] = [users.indexOf(id), test.users.indexOf(id)];
    if (row === undefined)
      throw new UserError({ place: name, problem: `has no user ${id}, whose top items the preset lists` });
    const history = rowIndices(train, row);
    const library = new Set(heldOutRow === undefined ? [] : rowIndices(test.heldOut, heldOutRow));
    const best = await recommend(recommender, history.slice(), { k });
    lists.push({
      user: id,
      title,
      history: best.history.map((item) => items.titleOf(item.index)),
      items: best.items.map((item) => ({ title: item.title, inLibrary: library.has(item.index) })),
      published: published?.[run],
    });
  }
  return lists;
}

/** One row of a table from its results on each split; empty without results. */
function reproducedRun({ published }: PresetRun, results: readonly SplitResult[]): ReproducedRun[] {
  if (results.length === 0) return [];
  const [{ split, ...first }] = results;
  const mean = (values: readonly Record<string, MetricValue>[]) =>
    Object.fromEntries(
      Object.keys(values[0]).map((name) => [name, meanOfSplits(values.map((of) => of[name]))]),
    );
  const ours = mean(results.map(({ metrics }) => metrics));
  return [
    {
      ...first,
      metrics: Object.fromEntries(
        Object.entries(ours).map(([name, value]) => [name, { ours: value, published: published?.[name] }]),
      ),
      ...(first.cvaePaper && { cvaePaper: mean(results.map((result) => result.cvaePaper ?? {})) }),
      ...(split !== undefined && {
        splits: results.map(({ split: key = "", metrics, cvaePaper, seconds }) => ({
          key,
          metrics,
          ...(cvaePaper && { cvaePaper }),
          seconds,
        })),
      }),
    },
  ];
}

/** The mean over splits with its standard error over the splits (ddof 1), or over the users for a single split. */
export function meanOfSplits(values: readonly MetricValue[]): MetricValue {
  if (values.length === 1) return values[0];
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value.mean, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value.mean - mean) ** 2, 0) / (n - 1);
  return { mean, standardError: Math.sqrt(variance / n) };
}

/** Number of updates that are timed for the estimate. */
const TIMED_UPDATES = 4;
/** Approximate factor for the time of validation. */
const VALIDATION = 1.15;

/**
 * An upper estimate of the training time, from a few updates on the first users. 0 for a model without epochs.
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
