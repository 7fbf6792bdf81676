// Runs a preset from raw files to its table: prepares the data, says how long it will take, trains what is not trained yet,
// and evaluates. Everything lies beneath one folder: data/<study>/, runs/<study>/<run>/ (with several splits data/<study>/<split>/
// and runs/<study>/<split>/<run>/), results.json, report.html. Started again with the same folder it goes on where it stopped.

import { join } from "node:path";
import type { Engine } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import { writeFileWhole } from "../core/atomic-file.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import { withLock } from "../core/lock.js";
import { suggestion } from "../core/nearest.js";
import type { ProgressListener } from "../core/progress.js";
import { type Dataset, loadDataset, readManifest } from "../data/dataset.js";
import { prepareSource } from "../data/sources/prepare-source.js";
import { cvaePaper, evaluate, type MetricValue } from "../evaluation/evaluate.js";
import { parseOptions } from "../models/options.js";
import { findAlgorithm } from "../models/registry.js";
import { recommend } from "../recommender/recommend.js";
import type { Recommender } from "../recommender/recommender.js";
import type { EpochRecord } from "../recommender/run-context.js";
import { emptyMatrix, rowIndices, sliceRows } from "../sparse/csr.js";
import { claimFolder } from "./claim-folder.js";
import { studiesAtHand } from "./presets/at-hand.js";
import type { ListedUser, Preset, PresetRun, Published, Split, Study } from "./presets/preset.js";
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
  /** Only the studies with these keys. Default: all. */
  studies?: readonly string[];
  /** Only runs of these models. Default: all. */
  models?: readonly string[];
  /** Only the first so many splits of each study. Default: all. */
  splits?: number;
  /** A folder in which pretraining is kept for other runs with the same content and options. Default: none. */
  cache?: string;
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
  /** The epoch whose weights were evaluated; null for a model without epochs. */
  chosenEpoch: number | null;
  /** Wall-clock seconds of training and validation. */
  seconds: number;
  /** By metric, in the order of the table; of several splits the mean, with the standard error of the mean over them. */
  metrics: Record<string, { ours: MetricValue; published?: Published }>;
  /** The same by the CVAE paper's evaluator, where the study asks for it. */
  cvaePaper?: Record<string, MetricValue>;
  /** Each split by itself, where the study has several; everything else but the metrics is the first one's. */
  splits?: {
    key: string;
    metrics: Record<string, MetricValue>;
    cvaePaper?: Record<string, MetricValue>;
    seconds: number;
  }[];
  /** The best items of the study's listed users. */
  lists?: ReproducedList[];
  /** Every epoch's numbers. */
  history: EpochRecord[];
}

interface ReproducedList {
  user: string;
  title: string;
  /** Titles of what the user is known by. */
  history: string[];
  /** Best first; whether the user has it, unknown to the model. */
  items: { title: string; inLibrary: boolean }[];
  /** How many of the published list's the user has. */
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
  /** The splits that were run, and how many there are. */
  splits?: { run: string[]; of: number };
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
  const { out, progress } = given;
  return withLock(out, () => reproduceInto(preset, given), {
    onNote: (text) => progress?.({ type: "note", text }),
  });
}

/** Reproduces; the caller holds the folder's lock. */
async function reproduceInto(preset: Preset, given: ReproduceOptions): Promise<Reproduction> {
  const { data, out, progress, signal, epochs } = given;
  const chosen = chosenStudies(preset, given);
  const { studies, skipped } = await studiesAtHand(preset.name, chosen, data);

  await claimReproduction(out, preset.name);
  const engine = await openEngine({
    engine: given.engine ?? "auto",
    threads: given.threads,
    onNote: (text) => progress?.({ type: "note", text }),
  });
  try {
    // Split by split, so that an interrupted run has one of each table first.
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
    // Wrong options show before anything is trained.
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

/** Makes the folder, or sees that the one that is there is this preset's. */
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
      problem: typeof before === "string" ? `holds a reproduction of ${before}` : "holds something else",
      expected: `a new folder, or one of foldin reproduce ${preset}`,
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

/** What one training on one split came to. */
interface SplitResult extends Omit<ReproducedRun, "metrics" | "splits"> {
  split: string | undefined;
  metrics: Record<string, MetricValue>;
}

/** The preset's studies as far as they were asked for. Throws UserError for a name that none of them has. */
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

/** The study's dataset, prepared where that has not been done. */
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

/** The run's options; where it is cut short, with at most so many epochs of each kind: those of pretraining too. */
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
    // That a run is finished already is no news here.
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

/** The best items of some users, who are known by what they were trained on. Throws UserError where the data has no such user. */
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
      throw new UserError({ place: name, problem: `has no user ${id}, whose best items the preset lists` });
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

/** One row of a table from what its trainings on each split came to; none where there was none. */
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

/** The mean over splits; its standard error is the splits' (ddof 1), of one split the users'. */
export function meanOfSplits(values: readonly MetricValue[]): MetricValue {
  if (values.length === 1) return values[0];
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value.mean, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value.mean - mean) ** 2, 0) / (n - 1);
  return { mean, standardError: Math.sqrt(variance / n) };
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
