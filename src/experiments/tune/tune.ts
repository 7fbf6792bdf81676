// Finds the best model for a dataset within a budget: tries the models that fit its shape, searches their options, and blends the
// best. Everything is chosen on the validation users; the test users are evaluated once, at the end. One folder:
//   tune.json                what is tuned
//   trials.json              the trials so far, with which it is resumed
//   trials/<n>-<model>/      a run folder per trial; the best trial of each model keeps its model
//   blends/<models>/         the blends that were tried
//   best/, best-blend/       the best options and the best blend, trained again on all users that are not test users
//   results.json, report.html, recipe.json

import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { openEngine } from "../../compute/open-engine.js";
import { productSpeed } from "../../compute/speed.js";
import { AbortedError, throwIfAborted, UserError } from "../../core/errors.js";
import { asJson, type JsonObject } from "../../core/json.js";
import { withLock } from "../../core/lock.js";
import { shellCommand } from "../../core/shell.js";
import { readManifest } from "../../data/dataset.js";
import { defaultMetrics, parseAccuracyMetric } from "../../evaluation/metrics.js";
import { layeredOptions } from "../../models/options.js";
import { algorithmNames, findAlgorithm } from "../../models/registry.js";
import { localPool } from "../../tasks/local-pool.js";
import { SELECTION_METRIC } from "../../training/fit.js";
import { claimFolder } from "../claim-folder.js";
import { hashOf } from "../search/dataset-hash.js";
import { discardModel, type PointJob, type PointOutcome, type PointResult } from "../search/point.js";
import type { PointSetup } from "../search/point-task.js";
import { optionsAt } from "../search/space.js";
import { type Shape, shapeOf } from "../shape.js";
import { DEFAULT_SEED } from "../train.js";
import { finish, type Tuned } from "./finish.js";
import type { TuneOptions } from "./options.js";
import { affordable, type Candidate, EFFICIENCY, type LeftOut, planFor } from "./plan.js";
import { bestValue, nextSteps, type Step } from "./planner.js";
import type { TuneResult } from "./result.js";
import { type KeptTrial, readState, type TuneState, writeState } from "./state.js";

/** Models whose best training is ended if it is paused. */
const COMPLETED = 4;
/** The share of a time budget that is kept for blending, evaluating and refitting. */
const RESERVE = 0.15;
/** Seconds for which the speed of a core is measured, to estimate what fits a budget. */
const SPEED_SECONDS = 0.2;
/** Small enough for the reference engine, which computes on the main thread: 0.07 s. */
const SPEED_PRODUCT = { rows: 64, inner: 600, columns: 1024 };

/**
 * Tunes. Throws UserError without a budget, for an unknown model or metric, for a dataset without validation users, for a folder of
 * other contents, and if no training succeeds; AbortedError when the signal aborts: the same call then resumes.
 */
export async function tune(dataset: string, given: TuneOptions): Promise<TuneResult> {
  const { out, progress } = given;
  if (given.budgetSeconds === undefined && given.trials === undefined)
    throw new UserError({
      place: "tune",
      problem: "has no budget",
      remedy: "Give a time (--budget 30m) or a number of trials (--trials 50)",
    });
  return withLock(out, () => new Tuning(dataset, given).run(), {
    onNote: (text) => progress?.({ type: "note", text }),
  });
}

class Tuning {
  readonly #dataset: string;
  readonly #given: TuneOptions;
  readonly #metric: string;
  readonly #seed: number;
  #state: TuneState = { seconds: 0, trials: [], pending: [] };
  /** When this session began, in milliseconds, less the seconds of earlier sessions. */
  #began = 0;

  constructor(dataset: string, given: TuneOptions) {
    this.#dataset = dataset;
    this.#given = given;
    this.#metric = parseAccuracyMetric(given.metric ?? "ndcg@100").name;
    this.#seed = given.seed ?? DEFAULT_SEED;
  }

  async run(): Promise<TuneResult> {
    const { out, models, budgetSeconds, progress } = this.#given;
    for (const name of models ?? []) await findAlgorithm(name);
    const manifest = await readManifest(this.#dataset);
    const shape = shapeOf(manifest);
    if (shape.validationUsers === 0)
      throw new UserError({
        place: this.#dataset,
        problem: "has no validation users with held-out items, so nothing can be chosen",
        remedy: "Prepare it with --validation-users",
      });
    const { candidates, leftOut } = await this.#plan(shape);
    if (candidates.length === 0) {
      const why = leftOut.find(({ reason }) => reason !== "it was not asked for")?.reason;
      const names = (models ?? algorithmNames).join(", ");
      throw new UserError({
        place: "tune",
        problem: `none of ${names} can be tuned on ${manifest.name}${why === undefined ? "" : `: ${why}`}`,
        remedy: "Give a larger budget (--budget), or other models (--models)",
      });
    }
    await this.#claim(manifest.name, hashOf(manifest));
    this.#state = await readState(out);
    this.#began = performance.now() - 1000 * this.#state.seconds;
    progress?.({
      type: "start",
      task: "tune",
      ...(budgetSeconds === undefined
        ? { total: this.#given.trials, unit: "trials" }
        : { total: Math.round(budgetSeconds), unit: "s" }),
    });
    const tuned: Tuned = {
      ...{ dataset: this.#dataset, manifest, shape, out, seed: this.#seed },
      ...{ metric: this.#metric, metrics: this.#metrics },
      ...{ candidates, leftOut, trials: this.#state.trials, seconds: () => this.#seconds() },
      firstModelSeconds: () => this.#state.firstModelSeconds,
      ...{ command: this.#command(manifest.name), given: this.#given },
      ...{ threads: this.#jobs * this.#threads },
      train: (jobs, onOutcome) => this.#train(jobs, { signal: this.#given.signal, onOutcome }),
      secondsLeft: () => (budgetSeconds === undefined ? Infinity : budgetSeconds - this.#seconds()),
    };
    try {
      await this.#search(candidates);
      await this.#completeLeaders(candidates);
      progress?.({ type: "end", task: "tune" });
      this.#leaveOutFailed(candidates, leftOut);
      return await finish(tuned);
    } catch (error) {
      // What was found so far is kept, and can be used.
      if (error instanceof AbortedError && this.#state.trials.some(({ state }) => state === "done"))
        await finish(tuned, { brief: true });
      throw error;
    }
  }

  get #metrics(): string[] {
    return [...new Set([this.#metric, ...defaultMetrics])];
  }

  /** Wall-clock seconds of all sessions. */
  #seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  #searchSecondsLeft(): number {
    const { budgetSeconds } = this.#given;
    return budgetSeconds === undefined ? Infinity : (1 - RESERVE) * budgetSeconds - this.#seconds();
  }

  get #jobs(): number {
    return this.#given.jobs ?? Math.min(availableParallelism(), 4);
  }

  get #threads(): number {
    return this.#given.threads ?? Math.max(1, Math.floor(availableParallelism() / this.#jobs));
  }

  /** The models to try. With a budget in trials they depend on the shape alone, with one in seconds also on the speed of a core. */
  async #plan(shape: Shape): Promise<{ candidates: Candidate[]; leftOut: LeftOut[] }> {
    const { models, budgetSeconds, engine, precision } = this.#given;
    if (budgetSeconds === undefined) return planFor(shape, models);
    const opened = await openEngine({ engine, precision, threads: 1 });
    const speed = await productSpeed(opened, SPEED_SECONDS, SPEED_PRODUCT);
    await opened.close();
    const plan = await planFor(shape, models, EFFICIENCY * speed);
    const fitting = affordable(plan.candidates, budgetSeconds, this.#threads);
    return { candidates: fitting.candidates, leftOut: [...plan.leftOut, ...fitting.leftOut] };
  }

  async #claim(dataset: string, data: string): Promise<void> {
    const { out } = this.#given;
    const head = { formatVersion: 1, dataset, data, seed: this.#seed, metric: this.#metric };
    const found = await claimFolder(out, { marker: "tune.json", head, what: "foldin tune" });
    for (const [name, value] of Object.entries(head)) {
      const before = (found as JsonObject)[name];
      if (before !== value)
        throw new UserError({
          place: out,
          problem: `was tuned with ${name} ${JSON.stringify(before)}, not ${JSON.stringify(value)}`,
          remedy: "Choose another folder with --out",
        });
    }
  }

  async #search(candidates: readonly Candidate[]): Promise<void> {
    const { signal, trials = Infinity, budgetSeconds } = this.#given;
    const state = this.#state;
    while (this.#searchSecondsLeft() > 0) {
      throwIfAborted(signal);
      if (state.pending.length === 0) {
        const open = candidates.filter(({ algorithm }) => !this.#isHopeless(algorithm.name));
        const planned = nextSteps(open, state.trials, {
          ...{ seed: this.#seed, trials },
          shared: budgetSeconds === undefined ? "trials" : "seconds",
        });
        state.pending = planned.filter((step) => this.#fits(step));
        if (state.pending.length === 0) break;
      }
      if (!(await this.#round(candidates))) break;
    }
  }

  /** Ends the paused trainings that are the best of their models, of the best few models. */
  async #completeLeaders(candidates: readonly Candidate[]): Promise<void> {
    const leaders = new Map<string, KeptTrial>();
    for (const trial of this.#state.trials) {
      const best = leaders.get(trial.model);
      if ((bestValue(trial) ?? -1) > (best ? (bestValue(best) ?? -1) : -1)) leaders.set(trial.model, trial);
    }
    const paused = [...leaders.values()]
      .sort((a, b) => (bestValue(b) ?? 0) - (bestValue(a) ?? 0))
      .slice(0, COMPLETED)
      .filter(({ state }) => state === "paused");
    if (paused.length === 0 || this.#searchSecondsLeft() <= 0) return;
    this.#state.pending = paused.map(({ number, model, setting }) => ({ trial: number, model, setting }));
    await this.#round(candidates);
  }

  /** Whether every training of a model has failed, at least twice. */
  #isHopeless(model: string): boolean {
    const own = this.#state.trials.filter((trial) => trial.model === model);
    return own.length > 1 && own.every(({ state }) => state === "failed");
  }

  /** Whether a training will probably end within the budget. */
  #fits({ trial, model, pauseAfter }: Step): boolean {
    const left = this.#searchSecondsLeft();
    if (left === Infinity) return true;
    const own = this.#state.trials.filter((one) => one.model === model && one.state !== "failed");
    const measured = own.filter(({ seconds }) => seconds > 0);
    if (measured.length === 0) return true;
    const known = this.#state.trials.find(({ number }) => number === trial);
    const perEpoch = measured.flatMap(({ seconds, epochs }) => (epochs ? [seconds / epochs] : []));
    if (perEpoch.length > 0 && pauseAfter !== undefined) {
      const epochs = pauseAfter - (known?.epochs ?? 0);
      return epochs * mean(perEpoch) <= left;
    }
    const done = measured.filter(({ state }) => state === "done");
    return done.length === 0 || mean(done.map(({ seconds }) => seconds)) <= left;
  }

  /** Runs the pending trainings. Returns whether time is left. */
  async #round(candidates: readonly Candidate[]): Promise<boolean> {
    const { signal } = this.#given;
    const left = this.#searchSecondsLeft();
    const deadline = left === Infinity ? undefined : AbortSignal.timeout(Math.ceil(1000 * left));
    const signals = [signal, deadline].filter((one) => one !== undefined);
    const steps = [...this.#state.pending];
    for (const step of steps) if (!this.#trialOf(step)) this.#state.trials.push(this.#newTrial(step));
    await this.#save();
    try {
      await this.#train(
        steps.map((step) => this.#jobOf(step, candidates)),
        {
          signal: signals.length > 0 ? AbortSignal.any(signals) : undefined,
          onOutcome: (s, outcome) => this.#ended(steps[s], outcome),
        },
      );
      return true;
    } catch (error) {
      if (!(error instanceof AbortedError) || signal?.aborted || !deadline?.aborted) throw error;
      // Out of time: what was not finished stays paused.
      this.#state.pending = [];
      await this.#save();
      return false;
    }
  }

  /** Trains points in the local processes, or through the given tasks. */
  async #train(
    jobs: readonly PointJob[],
    {
      signal,
      onOutcome,
    }: { signal?: AbortSignal; onOutcome(job: number, outcome: PointOutcome): Promise<void> },
  ): Promise<void> {
    const { out, progress, engine = "auto", precision } = this.#given;
    const tasks = this.#given.tasks ?? localPool({ jobs: this.#jobs, threads: this.#threads });
    const setup: PointSetup = { dataset: resolve(this.#dataset), engine, precision };
    await tasks.run(
      { kind: "point", folder: resolve(out), setup: asJson(setup) },
      jobs.map((job) => ({ name: basename(job.folder), job: asJson(job) })),
      {
        signal,
        onNote: (text) => progress?.({ type: "note", text }),
        onOutcome: (job, outcome) => onOutcome(job, outcome as PointOutcome),
      },
    );
  }

  #trialOf({ trial }: Step): KeptTrial | undefined {
    return this.#state.trials.find(({ number }) => number === trial);
  }

  #newTrial({ trial, model, setting }: Step): KeptTrial {
    return {
      ...{ number: trial, model, setting, atRungs: [], state: "paused", seconds: 0 },
      key: `${String(trial + 1).padStart(3, "0")}-${model}`,
    };
  }

  #jobOf({ trial, model, setting, pauseAfter }: Step, candidates: readonly Candidate[]): PointJob {
    const candidate = candidates.find(({ algorithm }) => algorithm.name === model);
    if (!candidate) throw new Error(`${model} is not a candidate`);
    const { algorithm, options } = candidate;
    const { key } =
      this.#state.trials.find(({ number }) => number === trial) ?? this.#newTrial({ trial, model, setting });
    // A metric other than the one that training monitors is known only at the end.
    const pauses = this.#metric === SELECTION_METRIC;
    return {
      folder: resolve(this.#given.out, "trials", key),
      model,
      options: optionsAt(layeredOptions(algorithm, options), setting),
      seed: this.#seed,
      metrics: this.#metrics,
      on: "validation",
      datasetPath: resolve(this.#dataset),
      ...(pauses && pauseAfter !== undefined && { pauseAfter }),
    };
  }

  async #ended(step: Step, outcome: PointOutcome): Promise<void> {
    const { trials } = this.#state;
    const at = trials.findIndex(({ number }) => number === step.trial);
    const before = this.#best();
    trials[at] = this.#after(trials[at], outcome);
    if (trials[at].state === "done") this.#state.firstModelSeconds ??= this.#seconds();
    this.#state.pending = this.#state.pending.filter(({ trial }) => trial !== step.trial);
    await this.#save();
    await this.#discard();
    const { number, model, setting, state, seconds, message } = trials[at];
    const value = bestValue(trials[at]);
    const isBest = value !== undefined && value > (before ?? -Infinity);
    this.#given.onTrial?.({ number, model, setting, state, value, seconds, message, isBest });
    const best = this.#best();
    this.#given.progress?.({
      type: "advance",
      task: "tune",
      done:
        this.#given.budgetSeconds === undefined
          ? trials.filter((trial) => trial.state !== "paused" || trial.seconds > 0).length
          : Math.min(this.#given.budgetSeconds, Math.round(this.#seconds())),
      values: best === undefined ? undefined : { [`best ${this.#metric}`]: best },
    });
  }

  #after(trial: KeptTrial, outcome: PointOutcome): KeptTrial {
    if (outcome.state === "failed") return { ...trial, state: "failed", message: outcome.message };
    const { result } = outcome;
    const { epochs, chosenEpoch, seconds } = result;
    const value = valueIn(result, this.#metric);
    const known = { ...trial, epochs, chosenEpoch, seconds };
    if (result.paused) return { ...known, atRungs: [...trial.atRungs, value ?? 0] };
    // A training that ends before its next rung counts there with its final value.
    const metrics = result.validation?.metrics;
    return { ...known, state: "done", value, metrics, atRungs: [...trial.atRungs, value ?? 0] };
  }

  #best(): number | undefined {
    const values = this.#state.trials.flatMap((trial) => bestValue(trial) ?? []);
    return values.length > 0 ? Math.max(...values) : undefined;
  }

  /** Keeps the model of each model's best finished trial only. */
  async #discard(): Promise<void> {
    const kept = new Map<string, KeptTrial>();
    const finished = this.#state.trials.filter(({ state }) => state === "done");
    for (const trial of finished) {
      const best = kept.get(trial.model);
      if (!best || (trial.value ?? 0) > (best.value ?? 0)) kept.set(trial.model, trial);
    }
    for (const trial of finished)
      if (kept.get(trial.model) !== trial) await discardModel(join(this.#given.out, "trials", trial.key));
  }

  async #save(): Promise<void> {
    this.#state.seconds = this.#seconds();
    await writeState(this.#given.out, this.#state);
  }

  /** Models of which no training succeeded, with the reason. */
  #leaveOutFailed(candidates: readonly Candidate[], leftOut: LeftOut[]): void {
    for (const { algorithm } of candidates) {
      const own = this.#state.trials.filter(({ model }) => model === algorithm.name);
      if (own.some((trial) => bestValue(trial) !== undefined)) continue;
      const message = own.find(({ state }) => state === "failed")?.message;
      leftOut.push({
        model: algorithm.name,
        reason: message ?? "the budget ended before its first training",
      });
    }
  }

  #command(dataset: string): string {
    const { budgetSeconds, trials, models } = this.#given;
    return shellCommand(
      ...["foldin", "tune", `data/${dataset}`],
      ...(budgetSeconds === undefined ? [] : ["--budget", `${budgetSeconds}s`]),
      ...(trials === undefined ? [] : ["--trials", String(trials)]),
      ...(models === undefined ? [] : ["--models", models.join(",")]),
      ...(this.#metric === "ndcg@100" ? [] : ["--metric", this.#metric]),
      ...(this.#seed === DEFAULT_SEED ? [] : ["--seed", String(this.#seed)]),
    );
  }
}

function valueIn(result: PointResult, metric: string): number | undefined {
  return result.validation?.metrics[metric]?.mean;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
