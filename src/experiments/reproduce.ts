// Runs a preset from raw files to its table: prepares the data, estimates the time, trains what is not trained yet, and evaluates.
// Everything is below one folder: data/<study>/, runs/<study>/<run>/ (with several splits data/<study>/<split>/ and
// runs/<study>/<split>/<run>/; a row with candidates or several seeds has a folder <run>-<candidate> or <run>-seed-<seed> for each),
// results.json, report.html. Started again with the same folder, it resumes.

import { dirname, join, resolve } from "node:path";
import type { Engine } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import type { EnginePrecision } from "../compute/tensor.js";
import { writeFileWhole } from "../core/atomic-file.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import { asJson } from "../core/json.js";
import { withLock } from "../core/lock.js";
import { suggestion } from "../core/nearest.js";
import type { ProgressListener } from "../core/progress.js";
import { untilSeen } from "../core/seen.js";
import { type Dataset, loadDataset, readManifest } from "../data/dataset.js";
import { describeDataset } from "../data/describe.js";
import { prepareSource } from "../data/sources/prepare-source.js";
import { cvaePaper, evaluate, type MetricValue } from "../evaluation/evaluate.js";
import { parseOptions } from "../models/options.js";
import { findAlgorithm } from "../models/registry.js";
import type { NetworkOutline } from "../recommender/outline.js";
import { recommend } from "../recommender/recommend.js";
import type { Recommender } from "../recommender/recommender.js";
import type { EpochRecord } from "../recommender/run-context.js";
import { emptyMatrix, rowIndices, sliceRows } from "../sparse/csr.js";
import type { Tasks } from "../tasks/tasks.js";
import { removeAttempts } from "./attempt-folder.js";
import { claimFolder } from "./claim-folder.js";
import type { PlottedData } from "./data-plot-specs.js";
import { studiesAtHand } from "./presets/at-hand.js";
import type { Candidate, ListedUser, Preset, PresetRun, Published, Split, Study } from "./presets/preset.js";
import {
  chanceOfPublished,
  type Evaluated,
  meanOfSeeds,
  meanOfSplits,
  type RepeatedValue,
} from "./repetitions.js";
import { findRunFolder, modelFolderOf, type RunFolder, readRunFolder } from "./run-folder.js";
import { DEFAULT_SEED, train } from "./train.js";
import type { TrainingJob, TrainingSetup } from "./training-task.js";

export interface ReproduceOptions {
  /** The folder with the raw files, or with one folder per source: "ml-1m/ratings.dat". */
  data: string;
  /** Where everything goes; an existing reproduction is resumed. */
  out: string;
  engine?: EngineChoice;
  /** As in `train`. */
  precision?: EnginePrecision;
  threads?: number;
  /** Default 98765, as `train`; rows with several seeds count up from it. */
  seed?: number;
  /** At most this many seeds per row. Default: all that the preset has. */
  seeds?: number;
  /** Maximum number of epochs per run, for a quick trial. Recorded in the result. */
  epochs?: number;
  /** Only the studies with these keys. Default: all. */
  studies?: readonly string[];
  /** Only runs of these models. Default: all. */
  models?: readonly string[];
  /** Only this number of splits of each study. Default: all. */
  splits?: number;
  /** Does the trainings in other processes, in any order. Default: one after the other in this one. */
  tasks?: Tasks;
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
  /** The first one. */
  seed: number;
  note?: string;
  epochs: number;
  /** The epoch whose weights were evaluated; null for a model without epochs. */
  chosenEpoch: number | null;
  /** Wall-clock seconds of training and validation. */
  seconds: number;
  /**
   * By metric, in the order of the table. Of several splits the mean, with the standard error of the mean over them; of several
   * seeds the mean, with the standard error over users and the standard deviation over the runs. `chance` is that of the published
   * number, see chanceOfPublished.
   */
  metrics: Record<string, { ours: RepeatedValue; published?: Published; chance?: number }>;
  /** The same by the CVAE paper's evaluator, where the study asks for it. */
  cvaePaper?: Record<string, MetricValue>;
  /** The results per split, if the study has several; all fields except the metrics are those of the first split. */
  splits?: {
    key: string;
    metrics: Record<string, MetricValue>;
    cvaePaper?: Record<string, MetricValue>;
    seconds: number;
  }[];
  /** Each seed by itself, where the row has several; everything else but the metrics is the first one's. */
  seeds?: {
    seed: number;
    split?: string;
    metrics: Record<string, MetricValue>;
    epochs: number;
    chosenEpoch: number | null;
    seconds: number;
  }[];
  /** How the options were chosen, where the row has candidates: by the validation users' metric. */
  choice?: Choice;
  /** The best items of the study's listed users. */
  lists?: ReproducedList[];
  /** The numbers of every epoch. */
  history: EpochRecord[];
}

interface Choice {
  /** "validation ndcg@100" */
  metric: string;
  candidates: { key: string; title: string; value: number; chosen: boolean }[];
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
  /** What the page draws of the training data, of the first split. */
  data: PlottedData;
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
  /** The network of the preset's row for it, where its study was run. */
  network?: NetworkOutline;
  /** The most epochs per run, where that was cut short. */
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
  const { studies, skipped } = await studiesAtHand(preset.name, chosen, data);

  await claimReproduction(out, preset.name);
  const engine = await openEngine({
    engine: given.engine ?? "auto",
    precision: given.precision,
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
    const mostSeeds = Math.max(
      0,
      ...studies.flatMap(({ runs }) => runs.map((run) => seedsOf(run, given).length)),
    );
    for (let s = 0; s < mostSeeds; s++)
      for (const { study, split } of places) {
        const runs = study.runs.filter((run) => s < seedsOf(run, given).length);
        if (runs.length === 0) continue;
        const dataset = await datasetOf(study, split, given);
        for (const run of runs) {
          const seed = seedsOf(run, given)[s];
          plan.push({
            study,
            split,
            run,
            dataset,
            seed,
            trainings: trainingsOf(study, split, run, seed, out),
          });
        }
      }
    // Wrong options show before anything is trained.
    for (const { run, trainings } of plan)
      for (const { options } of trainings)
        parseOptions(await findAlgorithm(run.model), await optionsOf(run.model, options, epochs));
    let seconds = 0;
    let left = 0;
    for (const { study, run, dataset, trainings } of plan)
      for (const { options: given, folder } of trainings) {
        const before = await findRunFolder(folder);
        if (before?.complete) continue;
        left++;
        if (study.timed === false) continue;
        const options = await optionsOf(run.model, given, epochs);
        seconds += await estimateSeconds(engine, dataset, run, options, before?.epochs.length, signal);
      }
    if (left > 0) given.onEstimate?.(seconds, left);
    if (given.tasks) await trainElsewhere(plan, given.tasks, engine, given);

    const results = new Map<PresetRun, TrainedRun[]>();
    let number = 0;
    for (const planned of plan) {
      throwIfAborted(signal);
      const { run } = planned;
      const onTraining = (title: string) => given.onRun?.(title, ++number, left);
      results.set(run, [...(results.get(run) ?? []), await runOne(engine, planned, given, onTraining)]);
    }
    const drawn = new Map<Study, PlottedData>();
    for (const { study, dataset } of plan)
      if (!drawn.has(study)) {
        const { historyHistogram, itemHistogram, ratings } = await describeDataset(dataset, {
          ratings: true,
        });
        drawn.set(study, { historyHistogram, itemHistogram, ratings });
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
          data: drawn.get(study) as PlottedData,
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
      ...(await networkOf(preset, plan, results)),
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

/** The network that a preset draws, for the items of its study, with the options that its row was trained with. */
async function networkOf(
  { network }: Preset,
  plan: readonly PlannedRun[],
  results: ReadonlyMap<PresetRun, readonly TrainedRun[]>,
): Promise<Pick<Reproduction, "network">> {
  const planned = plan.find(({ study, run }) => study.key === network?.study && run.key === network.run);
  const [trained] = (planned && results.get(planned.run)) ?? [];
  if (!planned || !trained) return {};
  const algorithm = await findAlgorithm(planned.run.model);
  const options = parseOptions(algorithm, { ...trained.options });
  return { network: algorithm.outline?.(planned.dataset.items.size, options) };
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
      problem:
        typeof before === "string" ? `contains a reproduction of ${before}` : "contains something else",
      expected: `a new folder, or a folder of foldin reproduce ${preset}`,
      remedy: "Choose another folder with --out",
    });
}

/** One row on one split with one seed: a training, or one per candidate. */
interface PlannedRun {
  readonly study: Study;
  readonly split: Split | undefined;
  readonly run: PresetRun;
  readonly dataset: Dataset;
  readonly seed: number;
  readonly trainings: readonly Training[];
}

interface Training {
  readonly candidate: Candidate | undefined;
  readonly options: PresetRun["options"];
  readonly folder: string;
}

/** The result of a planned run. */
interface TrainedRun extends Omit<ReproducedRun, "metrics" | "cvaePaper" | "splits" | "seeds"> {
  split: string | undefined;
  evaluated: Evaluated;
  cvaePaper?: Evaluated;
}

/** The seeds of a row. */
function seedsOf(
  { seeds = 1 }: PresetRun,
  { seed = DEFAULT_SEED, seeds: most = seeds }: Pick<ReproduceOptions, "seed" | "seeds">,
): number[] {
  return Array.from({ length: Math.min(seeds, most) }, (_, s) => seed + s);
}

function trainingsOf(
  study: Study,
  split: Split | undefined,
  run: PresetRun,
  seed: number,
  out: string,
): Training[] {
  const folderOf = (candidate?: Candidate) => {
    const parts = [run.key, ...(candidate ? [candidate.key] : []), ...(run.seeds ? [`seed-${seed}`] : [])];
    return join(out, "runs", ...pathOf(study, split), parts.join("-"));
  };
  const candidates = run.candidates ?? [undefined];
  return candidates.map((candidate) => ({
    candidate,
    options: { ...run.options, ...candidate?.options },
    folder: folderOf(candidate),
  }));
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

const datasetFolder = ({ study, split }: Pick<PlannedRun, "study" | "split">, out: string): string =>
  join(out, "data", ...pathOf(study, split));

/** The study's dataset, prepared if necessary. */
async function datasetOf(
  study: Study,
  split: Split | undefined,
  { data, out, progress, signal }: ReproduceOptions,
): Promise<Dataset> {
  const folder = datasetFolder({ study, split }, out);
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

/** The options of a training; with a limit, at most that many epochs of each kind, those of pretraining included. */
async function optionsOf(
  model: string,
  options: PresetRun["options"],
  epochs: number | undefined,
): Promise<Record<string, unknown>> {
  if (epochs === undefined) return { ...options };
  const all = parseOptions(await findAlgorithm(model), { ...options }) as Record<string, unknown>;
  const long = Object.entries(all).filter(
    ([name, value]) => /^(epochs|[a-z]+Epochs)$/.test(name) && typeof value === "number" && value > epochs,
  );
  return { ...options, ...Object.fromEntries(long.map(([name]) => [name, epochs])) };
}

/** Does all trainings that are not finished. Throws UserError if some failed; the others are kept. */
async function trainElsewhere(
  plan: readonly PlannedRun[],
  tasks: Tasks,
  engine: Engine,
  { epochs, out, cache, precision, onRun, progress, signal }: ReproduceOptions,
): Promise<void> {
  const jobs: { title: string; folder: string; job: TrainingJob }[] = [];
  for (const planned of plan)
    for (const { candidate, options, folder } of planned.trainings) {
      if ((await findRunFolder(folder))?.complete) continue;
      const { run, seed } = planned;
      jobs.push({
        title: titleOf(planned, candidate),
        folder,
        job: {
          ...{
            folder: resolve(folder),
            dataset: resolve(datasetFolder(planned, out)),
            model: run.model,
            seed,
          },
          ...{ options: await optionsOf(run.model, options, epochs), cache },
        },
      });
    }
  const setup: TrainingSetup = { engine: engine.name as EngineChoice, precision };
  const failures: string[] = [];
  let ended = 0;
  const shares = new Map<number, number>();
  const task = "trainings";
  const advance = () => {
    const running = [...shares.values()].reduce((sum, share) => sum + Math.min(share, 0.999), 0);
    progress?.({ type: "advance", task, done: ended + running });
  };
  progress?.({ type: "start", task, total: jobs.length, unit: "trainings" });
  await tasks.run(
    { kind: "training", folder: resolve(out), setup: asJson(setup) },
    jobs.map(({ title, job }) => ({ name: title, job: asJson(job) })),
    {
      signal,
      onNote: (text) => progress?.({ type: "note", text }),
      onShare: (t, share) => {
        shares.set(t, share);
        advance();
      },
      onOutcome: async (t, outcome) => {
        shares.delete(t);
        ended++;
        const { title, folder } = jobs[t];
        if (outcome.state === "failed") failures.push(`${title}: ${outcome.message}`);
        else await untilSeen(modelFolderOf(folder));
        onRun?.(`${title}${outcome.state === "failed" ? ": failed" : ""}`, ended, jobs.length);
        advance();
      },
    },
  );
  progress?.({ type: "end", task });
  for (const parent of new Set(jobs.map(({ folder }) => dirname(folder)))) await removeAttempts(parent);
  if (failures.length > 0)
    throw new UserError({
      place: out,
      problem: `${failures.length} of ${jobs.length} trainings failed; the first one: ${failures[0]}`,
      remedy: "Remove the cause, and give the same command again: the other trainings are kept",
    });
}

/** Trains what is not trained yet, chooses among the candidates, and evaluates the choice on the test users. */
async function runOne(
  engine: Engine,
  planned: PlannedRun,
  given: ReproduceOptions,
  onTraining: (title: string) => void,
): Promise<TrainedRun> {
  const { study, split, run, dataset, seed, trainings } = planned;
  const { epochs, out, cache, progress, signal } = given;
  const trained = async ({ candidate, options, folder }: Training) => {
    const before = await findRunFolder(folder);
    if (!before?.complete) onTraining(titleOf(planned, candidate));
    return train(dataset, {
      model: run.model,
      options: await optionsOf(run.model, options, epochs),
      seed,
      engine,
      out: folder,
      resume: before !== undefined,
      datasetPath: datasetFolder(planned, out),
      cache,
      // A finished run is expected here, not worth a note.
      progress: before?.complete ? undefined : progress,
      signal,
    });
  };
  let [chosen] = trainings;
  let choice: Choice | undefined;
  if (trainings.length > 1) {
    const values: number[] = [];
    for (const training of trainings) {
      (await trained(training)).dispose();
      values.push(validationOf(await readRunFolder(training.folder), study.curve));
    }
    chosen = trainings[values.indexOf(Math.max(...values))];
    choice = {
      metric: study.curve,
      candidates: trainings.map((training, t) => ({
        key: training.candidate?.key ?? "",
        title: training.candidate?.title ?? "",
        value: values[t],
        chosen: training === chosen,
      })),
    };
  }
  const recommender = await trained(chosen);
  try {
    const { metrics: names, truth, maskKnown } = study;
    const evaluated = await evaluate(recommender, dataset, { metrics: names, truth, maskKnown, signal });
    const paper = study.cvaePaper
      ? await evaluate(recommender, dataset, { ...cvaePaper, metrics: names, signal })
      : undefined;
    const finished = await readRunFolder(chosen.folder);
    return {
      split: split?.key,
      key: run.key,
      title: run.title,
      model: run.model,
      options: finished.config.options,
      seed: finished.config.seed,
      note: run.note,
      epochs: finished.epochs.length,
      chosenEpoch: keptEpoch(finished),
      seconds: finished.epochs.reduce((sum, record) => sum + record.seconds + record.validationSeconds, 0),
      ...(choice && { choice }),
      evaluated,
      ...(paper && { cvaePaper: paper }),
      ...(study.lists && { lists: await listsOf(recommender, dataset, study.lists, run.key) }),
      history: [...finished.epochs],
    };
  } finally {
    recommender.dispose();
  }
}

function titleOf({ study, split, run, seed }: PlannedRun, candidate: Candidate | undefined): string {
  const parts = [
    study.title,
    ...(split ? [`split ${split.key}`] : []),
    ...(candidate ? [candidate.title] : []),
    ...(run.seeds ? [`seed ${seed}`] : []),
  ];
  return `${run.title}: ${parts.join(", ")}`;
}

/** The epoch whose weights a run ended with; null for a model without epochs. */
function keptEpoch({ epochs }: RunFolder): number | null {
  const last = epochs.at(-1);
  return last ? (last.kept ?? last.epoch) : null;
}

/** The validation number of the epoch that a run ended with, by its name in the run's metrics. */
function validationOf(run: RunFolder, name: string): number {
  const kept = keptEpoch(run);
  const value = run.epochs.find(({ epoch }) => epoch === kept)?.values[name];
  if (value === undefined) throw new Error(`${run.path} has no ${name} to choose a candidate by`);
  return value;
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

/** One row of a table from its trainings on each split with each seed; none where there was none. */
function reproducedRun({ published, seeds }: PresetRun, results: readonly TrainedRun[]): ReproducedRun[] {
  if (results.length === 0) return [];
  const [{ split: _, evaluated: __, cvaePaper: paper, ...first }] = results;
  const bySplit = [...new Set(results.map(({ split }) => split))].map((key) => {
    const ofSplit = results.filter(({ split }) => split === key);
    const papers = ofSplit.flatMap(({ cvaePaper }) => cvaePaper ?? []);
    return {
      key,
      metrics: meanOfSeeds(ofSplit.map(({ evaluated }) => evaluated)),
      ...(papers.length > 0 && { cvaePaper: meanOfSeeds(papers) }),
      seconds: ofSplit.reduce((sum, { seconds }) => sum + seconds, 0),
    };
  });
  const mean = (values: readonly Record<string, RepeatedValue>[]) =>
    Object.fromEntries(
      Object.keys(values[0]).map((name) => [name, meanOfSplits(values.map((of) => of[name]))]),
    );
  const ours = mean(bySplit.map(({ metrics }) => metrics));
  return [
    {
      ...first,
      metrics: Object.fromEntries(
        Object.entries(ours).map(([name, value]) => {
          const chance = chanceOfPublished(value, published?.[name]);
          return [
            name,
            { ours: value, published: published?.[name], ...(chance !== undefined && { chance }) },
          ];
        }),
      ),
      ...(paper && { cvaePaper: mean(bySplit.map(({ cvaePaper = {} }) => cvaePaper)) }),
      ...(results[0].split !== undefined && {
        splits: bySplit.map(({ key = "", ...split }) => ({ key, ...split })),
      }),
      ...(seeds !== undefined && {
        seeds: results.map(({ seed, split, evaluated, epochs, chosenEpoch, seconds }) => ({
          seed,
          ...(split !== undefined && { split }),
          metrics: evaluated.metrics,
          epochs,
          chosenEpoch,
          seconds,
        })),
      }),
    },
  ];
}

/** Updates that are timed for the estimate. */
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
