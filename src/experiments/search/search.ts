// A hyperparameter search: a model trained with many settings of its options, each an ordinary run folder, in parallel worker
// processes; the best on the validation users is the choice. Everything lies beneath one folder:
//   search.json    what is searched, so that the search can go on (a former version called it sweep.json)
//   points/<key>/  a run folder each, with result.json; only the best keeps its model
//   results.json, results.csv, report.html, recipe.json
// Started again with the same folder it goes on: finished points are kept, also where the space has grown.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { EngineChoice } from "../../compute/open-engine.js";
import { writeFileWhole } from "../../core/atomic-file.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject, JsonValue } from "../../core/json.js";
import { withLock } from "../../core/lock.js";
import type { ProgressListener } from "../../core/progress.js";
import { shellCommand } from "../../core/shell.js";
import { version } from "../../core/version.js";
import { loadDataset, readManifest } from "../../data/dataset.js";
import type { Manifest } from "../../data/manifest.js";
import { defaultMetrics, parseMetric } from "../../evaluation/metrics.js";
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
import { DEFAULT_SEED, train } from "../train.js";
import { searchCommand } from "./command.js";
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
  /** What is varied (`parseSpace` reads it from text). */
  space: readonly Dimension[];
  /** Draw so many points of the space. Default: all of them, as a grid. */
  random?: number;
  /** A recipe of the model to start from: a data set's name, or a recipe's file. */
  recipe?: string;
  /** Options that are the same at every point, over the recipe's. */
  options?: Record<string, unknown>;
  /** Of every training, and of drawing. Default 98765. */
  seed?: number;
  engine?: EngineChoice;
  /** Worker processes. Default: one per core, at most 4. */
  jobs?: number;
  /** Threads of each worker. Default: the cores divided among the jobs. The results do not depend on it. */
  threads?: number;
  /** What chooses: more is better. Default "ndcg@100". */
  metric?: string;
  /** Whose metric chooses. Default "validation"; "test" only repeats what was published so. */
  chooseOn?: EvaluatedOn;
  /** Keep every point's model, not the best one's alone. */
  keepModels?: boolean;
  /** The search's folder; one that is there already is gone on with. */
  out: string;
  /** A recipe's file to write the choice into; one that is there already keeps its searches and the better choice. */
  writeRecipe?: string;
  checkpointSeconds?: number;
  /** A folder in which pretraining is kept for other points with the same content and options; see `TrainOptions`. Default: none. */
  cache?: string;
  progress?: ProgressListener;
  signal?: AbortSignal;
  /** Told of every point that ends now, in the order in which they end. */
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
  /** Its options do not fit together. */
  readonly misfit?: string;
}

/**
 * Searches, and returns every point with the best one. Throws UserError for an unknown model, option, metric or recipe, for a
 * value that fits at no point, for a folder of another search, and where every point failed; AbortedError on the signal.
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
  const metric = parseMetric(given.metric ?? "ndcg@100");
  if (!metric.ofUser)
    throw new UserError({
      place: "metric",
      problem: `${metric.name} is not a mean over users, so it cannot choose`,
      expected: "a metric of users, such as ndcg@100",
    });
  if (chooseOn === "test" && given.writeRecipe !== undefined)
    throw new UserError({
      place: "write-recipe",
      problem: "a recipe is chosen on validation users, never on test users",
      remedy: "Leave out --choose-on test, or --write-recipe",
    });
  const manifest = await readManifest(dataset);
  if (manifest.counts[chooseOn].judgedUsers === 0)
    throw new UserError({
      place: dataset,
      problem: `has no ${chooseOn} users with held-out items, so nothing can be chosen`,
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
    };
    return { key, setting, job, misfit: misfitOf(algorithm, options) };
  });
  refuseHopeless(algorithm, fixed, points);
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
        setup: { dataset: resolve(dataset), engine: given.engine ?? "auto", threads },
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
          : `every one of its ${points.length} points failed; the first one: ${first}`,
    });
  }
  // Another metric may choose a point whose model is gone already.
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

/** More digits than these tell nothing, in a file that people read. */
function sixDecimals(value: number | undefined): number {
  return Number((value ?? Number.NaN).toFixed(6));
}

/** The file that says what a search's folder is for, and its former name: folders that have that one are gone on with. */
const MARKER = "search.json";
const FORMER_MARKER = "sweep.json";

/** Whether a search was begun in the folder. */
export function isSearchFolder(folder: string): boolean {
  return [MARKER, FORMER_MARKER].some((name) => existsSync(join(folder, name)));
}

/** Makes the search's folder, or sees that the one that is there is this model's on this data. */
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
        ? `holds a search of ${before.data.model} on ${before.data.dataset}${before.data.dataset === head.dataset && before.data.model === head.model ? ", prepared differently" : ""}`
        : "holds a search that this foldin does not understand",
      expected: `a new folder, or a search of ${head.model} on this ${head.dataset}`,
      remedy: "Choose another folder with --out",
    });
}

/** The recipe that is in the file already. */
async function existing(path: string, model: string): Promise<Recipe | undefined> {
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const recipe = await readRecipe(path);
  if (recipe.model !== model)
    throw new UserError({
      place: path,
      problem: `holds a recipe for ${recipe.model}, this search is for ${model}`,
      remedy: "Write into another file",
    });
  return recipe;
}

/** A hash of everything in a dataset folder. */
function hashOf({ tables }: Manifest): string {
  const sums = Object.entries(tables).map(([file, { sha256 }]) => `${file} ${sha256}`);
  return hash(sums.sort());
}

function hash(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}

/** Options by the names that they have within their groups: earlier versions had no groups, and their points are found by these. */
function byOwnName(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [ownName(name), value]));
}

/** A name for the point's folder that tells what it is, and is no other point's. */
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

/** Throws for a value that fits at no point it is part of: that is a slip of the keyboard, not a result. */
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
      // It fits alone, but with nothing that is tried beside it.
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

/** The page of the best run, and its test metrics. */
async function reportOnBest(
  { folder, model, options, seed, datasetPath }: PointJob,
  { engine, threads, signal }: SearchOptions,
): Promise<Report> {
  const dataset = await loadDataset(datasetPath, { signal });
  // It is finished: this loads it.
  const run = { out: folder, resume: true, model, options, seed, datasetPath };
  const recommender = await train(dataset, { ...run, engine, threads, signal });
  try {
    const seconds = (await readPointResult(folder))?.seconds;
    return await reportOnRun(folder, recommender, dataset, { seconds, signal });
  } finally {
    recommender.dispose();
  }
}
