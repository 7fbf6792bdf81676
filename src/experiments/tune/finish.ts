// The end of `tune`: the leaderboard, the blend, the refitted model, the comparison on the test users, the recipe and the page.

import { basename, join, resolve } from "node:path";
import { openEngine } from "../../compute/open-engine.js";
import { writeFileWhole } from "../../core/atomic-file.js";
import { UserError } from "../../core/errors.js";
import { asJson, type JsonObject } from "../../core/json.js";
import { readJson } from "../../core/json-file.js";
import { shellCommand } from "../../core/shell.js";
import { version } from "../../core/version.js";
import { type Dataset, loadDataset } from "../../data/dataset.js";
import type { Manifest } from "../../data/manifest.js";
import { evaluate, type MetricValue } from "../../evaluation/evaluate.js";
import { describeOptions, layeredOptions } from "../../models/options.js";
import { type Comparison, compare } from "../compare/compare.js";
import { writeRecipe } from "../recipes/recipe.js";
import { refit } from "../refit.js";
import { modelFolderOf, readRunFolder } from "../run-folder.js";
import { reportOnRun } from "../run-report.js";
import { discardModel, type PointJob, type PointOutcome, readPointResult } from "../search/point.js";
import { optionsAt } from "../search/space.js";
import { type Shape, sizeOf } from "../shape.js";
import { DEFAULT_SEED, train } from "../train.js";
import type { TuneOptions } from "./options.js";
import type { Candidate, LeftOut } from "./plan.js";
import { bestValue } from "./planner.js";
import { reportOnTuning } from "./report.js";
import type { TunedModel, TuneResult } from "./result.js";
import type { KeptTrial } from "./state.js";

export interface Tuned {
  readonly dataset: string;
  readonly manifest: Manifest;
  readonly shape: Shape;
  readonly out: string;
  readonly seed: number;
  readonly metric: string;
  /** What is evaluated: the metric, and the usual ones. */
  readonly metrics: readonly string[];
  readonly command: string;
  readonly candidates: readonly Candidate[];
  readonly leftOut: readonly LeftOut[];
  readonly trials: readonly KeptTrial[];
  readonly given: TuneOptions;
  /** Threads of work in this process. */
  readonly threads: number;
  /** Trains points as the search does. */
  train(
    jobs: readonly PointJob[],
    onOutcome: (job: number, outcome: PointOutcome) => Promise<void>,
  ): Promise<void>;
  /** Wall-clock seconds so far. */
  seconds(): number;
  /** Until the first training had ended. */
  firstModelSeconds(): number | undefined;
  /** Of the budget; Infinity without one. */
  secondsLeft(): number;
}

/** The most models that are blended. */
const BLENDED = 3;
/** A model is tried in blends if it reaches this share of the best value. */
const WORTH_BLENDING = 0.9;
/** Blends that are tried at the same time. */
const AT_ONCE = 4;

/**
 * Chooses and writes everything. With `brief`, after an interruption, only the leaderboard and the recipe. Throws UserError if no
 * training has ended.
 */
export async function finish(tuned: Tuned, { brief = false } = {}): Promise<TuneResult> {
  const { out, manifest, shape, seed, metric, command, trials, given } = tuned;
  const models = leaderboard(tuned);
  const finished = models.filter(({ run }) => run !== undefined);
  const [best] = finished;
  if (best?.run === undefined)
    throw new UserError({
      place: out,
      problem: "no training has ended",
      expected: trials.find(({ state }) => state === "failed")?.message,
      remedy: "Give a larger budget (--budget, --trials)",
    });
  const result: TuneResult = {
    ...{ dataset: manifest.name, shape, seed, metric, command },
    trials: trials.length,
    failed: trials.filter(({ state }) => state === "failed").length,
    paused: trials.filter(({ state }) => state === "paused").length,
    seconds: tuned.seconds(),
    firstModelSeconds: tuned.firstModelSeconds(),
    models,
    leftOut: [...tuned.leftOut],
    best: best.run,
    recipe: await recipeOf(best, tuned),
  };
  if (!brief) {
    const { signal } = given;
    result.blend = await blended(finished, tuned);
    const dataset = await loadDataset(tuned.dataset, { signal });
    await reportOnBest(best.run, dataset, tuned);
    if (tuned.secondsLeft() > 1.5 * best.seconds) {
      result.refitted = await refitted(best.run, join(out, "best"), dataset, tuned);
      const { blend } = result;
      const parts = finished.filter(({ model }) => blend?.parts.some((part) => part.model === model));
      const needed = parts.reduce((sum, { seconds }) => sum + seconds, 0);
      if (blend && tuned.secondsLeft() > 1.5 * needed)
        result.refittedBlend = await refitted(blend.run, join(out, "best-blend"), dataset, tuned);
    } else
      given.progress?.({
        type: "note",
        text: `no time is left to train the best model again on the validation users: ${shellCommand("foldin", "refit", best.run, "--out", "<run>")}`,
      });
    result.comparison = await compared(finished, result.blend?.run, tuned);
    result.seconds = tuned.seconds();
  }
  await writeFileWhole(join(out, "results.json"), (file) =>
    file.writeFile(`${JSON.stringify(result, null, 2)}\n`),
  );
  await reportOnTuning(join(out, "report.html"), result, trials);
  return result;
}

/** Every model with its best trial, best first; a finished trial is preferred to a paused one. */
function leaderboard({ candidates, trials, out, metric }: Tuned): TunedModel[] {
  const models = candidates.flatMap(({ algorithm, options }): TunedModel[] => {
    const own = trials.filter((trial) => trial.model === algorithm.name);
    const done = own.filter(({ state }) => state === "done");
    const known = done.length > 0 ? done : own;
    const best = known.reduce<KeptTrial | undefined>(
      (a, b) => ((bestValue(b) ?? -Infinity) > (a ? (bestValue(a) ?? -Infinity) : -Infinity) ? b : a),
      undefined,
    );
    const value = best && bestValue(best);
    if (best === undefined || value === undefined) return [];
    return [
      {
        model: algorithm.name,
        options: changed(algorithm, optionsAt(layeredOptions(algorithm, options), best.setting)),
        validation: best.metrics?.[metric] ?? { mean: value },
        trials: own.length,
        seconds: best.seconds,
        totalSeconds: own.reduce((sum, { seconds }) => sum + seconds, 0),
        ...(best.state === "done" && { run: join(out, "trials", best.key) }),
      },
    ];
  });
  return models.sort((a, b) => b.validation.mean - a.validation.mean);
}

/** The options that differ from the defaults. */
function changed(algorithm: Candidate["algorithm"], options: Record<string, unknown>): JsonObject {
  const defaults = new Map(describeOptions(algorithm).map(({ name, default: value }) => [name, value]));
  const entries = Object.entries(options).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults.get(name)),
  );
  return asJson(Object.fromEntries(entries));
}

/** A blend that was tried. */
interface TriedBlend {
  readonly parts: readonly TunedModel[];
  readonly folder: string;
  readonly validation: MetricValue;
}

/**
 * Forward selection (Caruana et al. 2004): blends the best model with each of the others, then the best pair with each of the rest. Models
 * of another kind often add more than the second best one. The best blend, if it is better than the best model on the validation users.
 */
async function blended(finished: readonly TunedModel[], tuned: Tuned): Promise<TuneResult["blend"]> {
  const [first] = finished;
  const good = finished.filter(({ validation }) => validation.mean >= WORTH_BLENDING * first.validation.mean);
  let best: TriedBlend | undefined;
  while ((best?.parts.length ?? 1) < BLENDED) {
    const parts = best?.parts ?? [first];
    const others = good.filter((model) => !parts.includes(model));
    const tried = await tryBlends(
      others.map((other) => [...parts, other]),
      tuned,
    );
    const better = tried.reduce<TriedBlend | undefined>(
      (a, b) => (b.validation.mean > (a?.validation ?? first.validation).mean ? b : a),
      best,
    );
    await Promise.all([...tried, best].map((one) => one && one !== better && discardModel(one.folder)));
    if (better === best) break;
    best = better;
  }
  if (!best) return undefined;
  return {
    run: join(tuned.out, "blends", basename(best.folder)),
    // Models with a weight of 0 are not part of it.
    parts: await partsOf(best.folder),
    validation: best.validation,
  };
}

/** Chooses the weights of blends, a few at the same time, as long as time is left to train the best model again. */
async function tryBlends(choices: readonly TunedModel[][], tuned: Tuned): Promise<TriedBlend[]> {
  const { dataset, out, seed, metric, metrics, secondsLeft } = tuned;
  const tried: TriedBlend[] = [];
  let longest = 0;
  for (let from = 0; from < choices.length; from += AT_ONCE) {
    if (from > 0 && secondsLeft() < longest + 1.5 * choices[from][0].seconds) break;
    const started = tuned.seconds();
    const some = choices.slice(from, from + AT_ONCE);
    const jobs = some.map(
      (parts): PointJob => ({
        // Named by the trials, because a later session may find better ones.
        folder: resolve(out, "blends", parts.map(({ run }) => basename(run ?? "")).join("+")),
        model: "blend",
        options: { runs: parts.map(({ run }) => resolve(run ?? "")), metric, step: 0.1 },
        seed,
        metrics,
        on: "validation",
        datasetPath: resolve(dataset),
      }),
    );
    await tuned.train(jobs, async (j, outcome) => {
      const validation = outcome.state === "done" ? outcome.result.validation?.metrics[metric] : undefined;
      if (validation) tried[from + j] = { parts: some[j], folder: jobs[j].folder, validation };
    });
    longest = Math.max(longest, tuned.seconds() - started);
  }
  // In the order of the choices, without those that failed.
  return tried.filter((one) => one !== undefined);
}

/** The models of a blend with their weights. */
async function partsOf(run: string): Promise<{ model: string; weight: number }[]> {
  const { config } = (await readJson(join(modelFolderOf(run), "config.json"))) as {
    config: { parts: { algorithm: string; weight: number }[] };
  };
  return config.parts.map(({ algorithm, weight }) => ({ model: algorithm, weight }));
}

async function reportOnBest(run: string, dataset: Dataset, { given, threads }: Tuned): Promise<void> {
  const recommender = await train(dataset, {
    ...{ out: run, resume: true, engine: given.engine, threads, precision: given.precision },
    signal: given.signal,
  });
  try {
    const seconds = (await readPointResult(run))?.seconds;
    await reportOnRun(run, recommender, dataset, { seconds, signal: given.signal });
  } finally {
    recommender.dispose();
  }
}

/** Trains a run again, on training and validation users, and evaluates it on the test users; undefined if its options do not allow that. */
async function refitted(
  run: string,
  folder: string,
  dataset: Dataset,
  { dataset: datasetPath, given, threads, metrics }: Tuned,
): Promise<TuneResult["refitted"]> {
  const engine = await openEngine({
    engine: given.engine ?? "auto",
    precision: given.precision,
    threads,
  });
  try {
    const again = await refit(dataset, run, {
      // A former session may have left the model of another choice.
      ...{ out: folder, force: true, engine, datasetPath },
      signal: given.signal,
    });
    try {
      if (dataset.test.heldOut.indices.length === 0) return { run: again.run };
      const { metrics: test } = await evaluate(again.recommender, dataset, {
        ...{ metrics, signal: given.signal },
      });
      return { run: again.run, test };
    } finally {
      again.recommender.dispose();
    }
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    given.progress?.({ type: "note", text: `${run} is not trained again: ${error.message}` });
    return undefined;
  } finally {
    await engine.close();
  }
}

/** The best runs on the test users; undefined for a single run, and without test users. */
async function compared(
  finished: readonly TunedModel[],
  blend: string | undefined,
  { dataset, manifest, metrics, given, threads, seed }: Tuned,
): Promise<Comparison | undefined> {
  const runs = finished.map(({ run = "", model }) => ({ path: run, name: model }));
  if (blend !== undefined) runs.unshift({ path: blend, name: "blend" });
  if (runs.length < 2 || manifest.counts.test.judgedUsers === 0) return undefined;
  return compare(runs, {
    ...{ dataset, seed, against: "best", metrics },
    ...{ engine: given.engine, threads, signal: given.signal },
  });
}

async function recipeOf(best: TunedModel, tuned: Tuned): Promise<string> {
  const { manifest, metric, command, trials, seed, out, shape } = tuned;
  const path = join(out, "recipe.json");
  const score = {
    metric,
    mean: Number(best.validation.mean.toFixed(6)),
    standardError: Number((best.validation.standardError ?? 0).toFixed(6)),
  };
  await writeRecipe(path, {
    formatVersion: 1,
    dataset: manifest.name,
    model: best.model,
    options: best.options,
    validation: {
      ...score,
      command: shellCommand(
        ...["foldin", "train", `data/${manifest.name}`, "--model", best.model, "--recipe", "recipe.json"],
        ...(seed === DEFAULT_SEED ? [] : ["--seed", String(seed)]),
        ...["--out", `runs/${best.model}`],
      ),
    },
    searches: [
      {
        command,
        points: trials.length,
        failed: trials.filter(({ state }) => state === "failed").length,
        best: score,
        chosen: best.options,
        foldin: version,
      },
    ],
    data: (await readRunFolder(best.run ?? "")).config.dataset.fingerprint,
    shape: sizeOf(shape),
  });
  return path;
}
