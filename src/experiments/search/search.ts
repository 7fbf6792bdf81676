// A hyperparameter search: trains a model with many combinations of option values, each in an ordinary run folder, in parallel
// worker processes, and selects the best point on the validation users. Everything is written into one folder:
//   search.json    what is searched, so that the search can be resumed (sweep.json in earlier versions)
//   points/<key>/  a run folder per point, with result.json; only the best keeps its model
//   results.json, results.csv, report.html, recipe.json
// Started again with the same folder, it resumes: finished points are kept, also if the search space has grown.

import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { EngineChoice } from "../../compute/open-engine.js";
import type { EnginePrecision } from "../../compute/tensor.js";
import { writeFileWhole } from "../../core/atomic-file.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject, JsonValue } from "../../core/json.js";
import { withLock } from "../../core/lock.js";
import type { ProgressListener } from "../../core/progress.js";
import { shellCommand } from "../../core/shell.js";
import { version } from "../../core/version.js";
import { loadDataset, readManifest } from "../../data/dataset.js";
import { defaultMetrics, parseAccuracyMetric } from "../../evaluation/metrics.js";
import { layeredOptions, parseOptions } from "../../models/options.js";
import { findAlgorithm } from "../../models/registry.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { claimFolder } from "../claim-folder.js";
import { ownName } from "../option-text.js";
import { type Recipe, readRecipe, withSearch, writeRecipe } from "../recipes/recipe.js";
import { findRecipe } from "../recipes/registry.js";
import type { Report } from "../report.js";
import { modelFolderOf, readRunFolder } from "../run-folder.js";
import { reportOnRun } from "../run-report.js";
import { sizeOf } from "../shape.js";
import { openTrackers, type TrackerChoice } from "../trackers/open-trackers.js";
import { DEFAULT_SEED, train } from "../train.js";
import { searchCommand } from "./command.js";
import { hash, hashOf } from "./dataset-hash.js";
import {
  discardModel,
  type EvaluatedOn,
  type PointJob,
  type PointResult,
  readPointResult,
  readResult,
} from "./point.js";
import { type PointOutcome, runPoints } from "./pool.js";
import { reportOnSearch } from "./report.js";
import type { SearchPoint, SearchResult } from "./result.js";
import { resultsCsv } from "./results-csv.js";
import { type Dimension, drawSettings, gridOf, optionsAt, type Setting } from "./space.js";

export interface SearchOptions {
  /** A registered name. */
  model: string;
  /** The search space (`parseSpace` reads it from text). */
  space: readonly Dimension[];
  /** Number of points drawn at random. Default: all points, as a grid. */
  random?: number;
  /** A recipe of the model with the base options: the name of a data set, or the file of a recipe. */
  recipe?: string;
  /** Options that are the same at every point; they override the recipe. */
  options?: Record<string, unknown>;
  /** The seed of every training and of drawing points. Default 98765. */
  seed?: number;
  engine?: EngineChoice;
  /** As in `train`. */
  precision?: EnginePrecision;
  /** Number of worker processes. Default: one per core, at most 4. */
  jobs?: number;
  /** Threads per worker. Default: the cores divided among the jobs. The results do not depend on it. */
  threads?: number;
  /** The metric by which the best point is chosen; higher is better. Default "ndcg@100". */
  metric?: string;
  /** The users on which the best point is chosen. Default "validation"; "test" is only for reproducing published results. */
  chooseOn?: EvaluatedOn;
  /** Keep the models of all points instead of only the best one. */
  keepModels?: boolean;
  /** The search's folder; an existing one is resumed. */
  out: string;
  /** A recipe file for the best point; an existing one keeps its searches, and the better point wins. */
  writeRecipe?: string;
  checkpointSeconds?: number;
  /** A folder in which pretraining is kept for other points with the same content and options; see `TrainOptions`. Default: none. */
  cache?: string;
  /** Follow every training in other programs, without models and reports. */
  trackers?: TrackerChoice;
  progress?: ProgressListener;
  signal?: AbortSignal;
  /** Called for every point when it ends. */
  onPoint?: (point: SearchPoint, finished: number, points: number) => void;
}

const headSchema = z.object({
  formatVersion: z.literal(1),
  dataset: z.string(),
  data: z.string(),
  model: z.string(),
});

interface Point {
  readonly key: string;
  readonly setting: Setting;
  readonly job: PointJob;
  /** The reason why its options are not a valid combination. */
  readonly misfit?: string;
}

/**
 * Searches, and returns all points with the best one. Throws UserError for an unknown model, option, metric or recipe, for a
 * value that is valid at no point, for a folder of another search, and if every point failed; AbortedError when the signal aborts.
 */
export async function search(dataset: string, given: SearchOptions): Promise<SearchResult> {
  const { out, progress } = given;
  return withLock(out, () => searchAll(dataset, given), {
    onNote: (text) => progress?.({ type: "note", text }),
  });
}

/** Searches; the caller holds the folder's lock. */
async function searchAll(dataset: string, given: SearchOptions): Promise<SearchResult> {
  const { out, seed = DEFAULT_SEED, chooseOn = "validation", progress, signal } = given;
  const algorithm = await findAlgorithm(given.model);
  const metric = parseAccuracyMetric(given.metric ?? "ndcg@100");
  if (chooseOn === "test" && given.writeRecipe !== undefined)
    throw new UserError({
      place: "write-recipe",
      problem: "a recipe must be chosen on validation users, not on test users",
      remedy: "Leave out --choose-on test or --write-recipe",
    });
  const manifest = await readManifest(dataset);
  if (manifest.counts[chooseOn].judgedUsers === 0)
    throw new UserError({
      place: dataset,
      problem: `has no ${chooseOn} users with held-out items, so the best point cannot be chosen`,
      remedy: `Prepare it with --${chooseOn}-users`,
    });
  const recipe = given.recipe === undefined ? undefined : await findRecipe(given.recipe, algorithm.name);
  const fixed = layeredOptions(algorithm, recipe?.options, given.options);
  parseOptions(algorithm, fixed);
  const settings =
    given.random === undefined ? gridOf(given.space) : drawSettings(given.space, given.random, seed);
  const data = hashOf(manifest);
  const metrics = [...new Set([metric.name, ...defaultMetrics])];
  const points = settings.map((setting): Point => {
    const options = optionsAt(fixed, setting);
    const key = keyOf(setting, { model: algorithm.name, options: byOwnName(options), seed, data });
    const job: PointJob = {
      folder: resolve(out, "points", key),
      model: algorithm.name,
      options,
      seed,
      metrics,
      on: chooseOn,
      datasetPath: resolve(dataset),
      checkpointSeconds: given.checkpointSeconds,
      cache: given.cache,
      trackers: given.trackers,
    };
    return { key, setting, job, misfit: misfitOf(algorithm, options) };
  });
  refuseHopeless(algorithm, fixed, points);
  // An invalid choice is refused before the first training.
  await openTrackers(given.trackers ?? {}, { onNote: () => {} });
  if (given.writeRecipe !== undefined) await existing(given.writeRecipe, algorithm.name);
  await claimSearchFolder(out, { dataset: manifest.name, data, model: algorithm.name });

  const outcomes = new Map<Point, PointOutcome>();
  for (const point of points) {
    if (point.misfit !== undefined) {
      outcomes.set(point, { state: "failed", message: point.misfit });
      continue;
    }
    const result = await readResult(point.job.folder, point.job);
    if (result) outcomes.set(point, { state: "done", result });
  }
  const scoreOf = (point: Point) => {
    const outcome = outcomes.get(point);
    return outcome?.state === "done"
      ? (outcome.result[chooseOn]?.metrics[metric.name].mean ?? -Infinity)
      : -Infinity;
  };
  const bestSoFar = () => {
    let best: Point | undefined;
    for (const point of points) if (scoreOf(point) > (best ? scoreOf(best) : -Infinity)) best = point;
    return best;
  };
  const discard = async () => {
    if (given.keepModels) return;
    const best = bestSoFar();
    for (const point of points)
      if (point !== best && outcomes.get(point)?.state === "done") await discardModel(point.job.folder);
  };
  const pointOf = (point: Point): SearchPoint => described(point, outcomes.get(point), chooseOn);

  const cores = availableParallelism();
  const jobs = given.jobs ?? Math.min(cores, 4, points.length);
  const threads = given.threads ?? Math.max(1, Math.floor(cores / jobs));
  const run = async (wanted: readonly Point[]) => {
    const task = "search";
    const shares = new Map<number, number>();
    const finished = points.length - wanted.length;
    let ended = 0;
    const advance = () => {
      const best = bestSoFar();
      progress?.({
        type: "advance",
        task,
        done: finished + ended + [...shares.values()].reduce((sum, share) => sum + Math.min(share, 0.999), 0),
        values: best ? { [`best ${metric.name}`]: scoreOf(best) } : undefined,
      });
    };
    progress?.({ type: "start", task, total: points.length, unit: "points" });
    await runPoints(
      wanted.map(({ job }) => job),
      {
        jobs,
        setup: {
          dataset: resolve(dataset),
          engine: given.engine ?? "auto",
          threads,
          precision: given.precision,
        },
        signal,
        onNote: (text) => progress?.({ type: "note", text }),
        onShare: (p, share) => {
          shares.set(p, share);
          advance();
        },
        onOutcome: async (p, outcome) => {
          shares.delete(p);
          ended++;
          outcomes.set(wanted[p], outcome);
          given.onPoint?.(pointOf(wanted[p]), finished + ended, points.length);
          advance();
          await discard();
        },
      },
    );
    progress?.({ type: "end", task });
  };
  await run(points.filter((point) => !outcomes.has(point)));
  const best = bestSoFar();
  if (!best) {
    const first = pointOf(points[0]).message;
    throw new UserError({
      place: out,
      problem:
        points.length === 1
          ? `its only point failed: ${first}`
          : `all ${points.length} points failed; the first one: ${first}`,
    });
  }
  // Another metric may choose a point whose model was already removed.
  if (!(await stat(modelFolderOf(best.job.folder)).catch(() => undefined))) await run([best]);
  await discard();

  const report = await reportOnBest(best.job, given);
  const command = searchCommand(manifest.name, {
    ...{ model: algorithm.name, space: given.space, random: given.random, options: fixed },
    ...{ seed, metric: metric.name, chooseOn },
  });
  const all = points.map(pointOf);
  const value = outcomeOf(best).result[chooseOn]?.metrics[metric.name];
  const score = {
    metric: metric.name,
    mean: sixDecimals(value?.mean),
    standardError: sixDecimals(value?.standardError),
  };
  const result: SearchResult = {
    dataset: manifest.name,
    model: algorithm.name,
    options: JSON.parse(JSON.stringify(fixed)) as JsonObject,
    seed,
    metric: metric.name,
    chosenOn: chooseOn,
    command,
    space: given.space,
    points: all,
    best: pointOf(best),
    run: join(out, "points", best.key),
    test: Object.fromEntries(report.metrics.flatMap(({ name, test }) => (test ? [[name, test]] : []))),
    recipes: [],
  };
  if (chooseOn === "validation") {
    const name = manifest.name;
    const found: Recipe = {
      formatVersion: 1,
      dataset: name,
      model: algorithm.name,
      options: JSON.parse(JSON.stringify(best.job.options)) as JsonObject,
      validation: {
        ...score,
        command: shellCommand(
          ...["foldin", "train", `data/${name}`, "--model", algorithm.name, "--recipe", name],
          ...(seed === DEFAULT_SEED ? [] : ["--seed", String(seed)]),
          ...["--out", `runs/${algorithm.name}`],
        ),
      },
      searches: [
        {
          command,
          points: points.length,
          failed: all.filter(({ state }) => state === "failed").length,
          best: score,
          chosen: best.setting,
          foldin: version,
        },
      ],
      data: (await readRunFolder(best.job.folder)).config.dataset.fingerprint,
      shape: sizeOf(manifest.counts),
    };
    const own = join(out, "recipe.json");
    await writeRecipe(own, found);
    result.recipes.push(own);
    if (given.writeRecipe !== undefined) {
      const before = await existing(given.writeRecipe, algorithm.name);
      await writeRecipe(given.writeRecipe, before ? withSearch(before, found, given.writeRecipe) : found);
      result.recipes.push(given.writeRecipe);
    }
  }
  await writeFileWhole(join(out, "results.json"), (file) =>
    file.writeFile(`${JSON.stringify(result, null, 2)}\n`),
  );
  await writeFileWhole(join(out, "results.csv"), (file) => file.writeFile(resultsCsv(result)));
  await reportOnSearch(out, result);
  return result;

  function outcomeOf(point: Point): { result: PointResult } {
    const outcome = outcomes.get(point);
    if (outcome?.state !== "done") throw new Error(`${point.key} has no result`);
    return outcome;
  }
}

/** Limits the digits in a file that people read. */
function sixDecimals(value: number | undefined): number {
  return Number((value ?? Number.NaN).toFixed(6));
}

/** The marker file of a search folder, and its former name, which is still accepted. */
const MARKER = "search.json";
const FORMER_MARKER = "sweep.json";

/** Whether the folder contains a search. */
export function isSearchFolder(folder: string): boolean {
  return [MARKER, FORMER_MARKER].some((name) => existsSync(join(folder, name)));
}

/** Creates the folder of the search, or checks that the existing one is for this model and data. */
async function claimSearchFolder(
  out: string,
  head: { dataset: string; data: string; model: string },
): Promise<void> {
  const found = await claimFolder(out, {
    marker: MARKER,
    formerMarker: FORMER_MARKER,
    head: { formatVersion: 1, ...head },
    what: "a search",
  });
  const before = headSchema.safeParse(found);
  if (!before.success || before.data.model !== head.model || before.data.data !== head.data)
    throw new UserError({
      place: out,
      problem: before.success
        ? `contains a search of ${before.data.model} on ${before.data.dataset}${before.data.dataset === head.dataset && before.data.model === head.model ? ", prepared differently" : ""}`
        : "contains a search in an unknown format",
      expected: `a new folder, or a search of ${head.model} on this ${head.dataset}`,
      remedy: "Choose another folder with --out",
    });
}

/** The existing recipe in the file, if any. */
async function existing(path: string, model: string): Promise<Recipe | undefined> {
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const recipe = await readRecipe(path);
  if (recipe.model !== model)
    throw new UserError({
      place: path,
      problem: `contains a recipe for ${recipe.model}, but this search is for ${model}`,
      remedy: "Write to another file",
    });
  return recipe;
}

/** Options by their names within their groups: earlier versions had no groups, and their points are found by these names. */
function byOwnName(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [ownName(name), value]));
}

/** A unique and descriptive name for the point's folder. */
function keyOf(setting: Setting, identity: JsonObject | Record<string, unknown>): string {
  const text = Object.entries(setting)
    .map(([name, value]) => `${ownName(name)}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("_")
    .replace(/[^\w=.+-]+/g, "-");
  return `${text.slice(0, 80)}_${hash(identity).slice(0, 8)}`;
}

function misfitOf(algorithm: Algorithm, options: Record<string, unknown>): string | undefined {
  try {
    parseOptions(algorithm, options);
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/** Throws UserError for a value that is valid at no point: this is a typing error rather than a result. */
function refuseHopeless(
  algorithm: Algorithm,
  fixed: Record<string, unknown>,
  points: readonly Point[],
): void {
  const values = new Map<string, { name: string; value: JsonValue; fits: boolean }>();
  for (const { setting, misfit } of points)
    for (const [name, value] of Object.entries(setting)) {
      const id = `${name}=${JSON.stringify(value)}`;
      const known = values.get(id) ?? { name, value, fits: false };
      values.set(id, { ...known, fits: known.fits || misfit === undefined });
    }
  for (const { name, value, fits } of values.values())
    if (!fits) {
      const first = points.find(({ setting }) => JSON.stringify(setting[name]) === JSON.stringify(value));
      parseOptions(algorithm, optionsAt(fixed, { [name]: value }));
      // The value is valid alone, but not in combination with any other tried value.
      parseOptions(algorithm, optionsAt(fixed, first?.setting ?? {}));
    }
}

function described({ key, setting }: Point, outcome: PointOutcome | undefined, on: EvaluatedOn): SearchPoint {
  if (outcome?.state !== "done")
    return { key, setting, state: "failed", message: outcome?.message ?? "was not run" };
  const { result } = outcome;
  return {
    key,
    setting,
    state: "done",
    metrics: result[on]?.metrics,
    epochs: result.epochs,
    chosenEpoch: result.chosenEpoch,
    seconds: result.seconds,
  };
}

/** Writes the report of the best run and returns its test metrics. */
async function reportOnBest(
  { folder, model, options, seed, datasetPath }: PointJob,
  { engine, threads, precision, signal }: SearchOptions,
): Promise<Report> {
  const dataset = await loadDataset(datasetPath, { signal });
  // The run is finished, so this only loads it.
  const run = { out: folder, resume: true, model, options, seed, datasetPath };
  const recommender = await train(dataset, { ...run, engine, threads, precision, signal });
  try {
    const seconds = (await readPointResult(folder))?.seconds;
    return await reportOnRun(folder, recommender, dataset, { seconds, signal });
  } finally {
    recommender.dispose();
  }
}
