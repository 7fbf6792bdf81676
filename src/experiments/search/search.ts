// A hyperparameter search: trains a model with many combinations of option values, each in an ordinary run folder, in parallel
// worker processes, and selects the best point on the validation users. Everything is written into one folder:
//   search.json    what is searched, so that the search can be resumed (sweep.json in earlier versions)
//   points/<key>/  a run folder per point, with result.json; only the best keeps its model
//   results.json, results.csv, report.html, recipe.json
// Started again with the same folder, it resumes: finished points are kept, also if the search space has grown.

import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { writeFileWhole } from "../../core/atomic-file.js";
import { UserError } from "../../core/errors.js";
import { asJson, type JsonObject } from "../../core/json.js";
import { withLock } from "../../core/lock.js";
import { untilSeen } from "../../core/seen.js";
import { shellCommand } from "../../core/shell.js";
import { version } from "../../core/version.js";
import { loadDataset } from "../../data/dataset.js";
import { localPool } from "../../tasks/local-pool.js";
import { removeAttempts } from "../attempt-folder.js";
import { type Recipe, withSearch, writeRecipe } from "../recipes/recipe.js";
import type { Report } from "../report.js";
import { modelFolderOf, readRunFolder } from "../run-folder.js";
import { reportOnRun } from "../run-report.js";
import { sizeOf } from "../shape.js";
import { DEFAULT_SEED, train } from "../train.js";
import { searchCommand } from "./command.js";
import { existingRecipe, type Point, planSearch } from "./plan.js";
import {
  discardModel,
  type EvaluatedOn,
  type PointJob,
  type PointOutcome,
  type PointResult,
  readPointResult,
  readResult,
} from "./point.js";
import type { PointSetup } from "./point-task.js";
import { reportOnSearch } from "./report.js";
import type { SearchPoint, SearchResult } from "./result.js";
import { resultsCsv } from "./results-csv.js";
import type { SearchOptions } from "./search-options.js";

/**
 * Searches, and returns all points with the best one. Throws UserError for an unknown model, option, metric or recipe, for a
 * value that is valid at no point, for a folder of another search, and if every point failed; AbortedError when the signal aborts.
 */
export async function search(dataset: string, given: SearchOptions): Promise<SearchResult> {
  const { out, patience, progress } = given;
  return withLock(out, () => searchAll(dataset, given), {
    patience,
    onNote: (text) => progress?.({ type: "note", text }),
  });
}

/** Searches; the caller holds the folder's lock. */
async function searchAll(dataset: string, given: SearchOptions): Promise<SearchResult> {
  const { out, seed = DEFAULT_SEED, chooseOn = "validation", progress, signal } = given;
  const { algorithm, metric, manifest, fixed, points } = await planSearch(dataset, given);

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
    const tasks = given.tasks ?? localPool({ jobs, threads });
    await tasks.run(
      {
        kind: "point",
        folder: resolve(out),
        setup: asJson({
          dataset: resolve(dataset),
          engine: given.engine ?? "auto",
          precision: given.precision,
        } satisfies PointSetup),
      },
      wanted.map(({ key, job }) => ({ name: key, job: asJson(job) })),
      {
        signal,
        onNote: (text) => progress?.({ type: "note", text }),
        onShare: (p, share) => {
          shares.set(p, share);
          advance();
        },
        onOutcome: async (p, outcome) => {
          shares.delete(p);
          ended++;
          outcomes.set(wanted[p], outcome as PointOutcome);
          if (outcome.state === "done") await untilSeen(modelFolderOf(wanted[p].job.folder));
          given.onPoint?.(pointOf(wanted[p]), finished + ended, points.length);
          advance();
          await discard();
        },
      },
    );
    await removeAttempts(join(out, "points"));
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
      const before = await existingRecipe(given.writeRecipe, algorithm.name);
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
