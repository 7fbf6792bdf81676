// Decides what `tune` trains next, from the results so far and nothing else: with the same results the same decision. Trials are
// started in rounds of a fixed size, so that the number of worker processes does not change what is tried.
//
// First every model is tried with its starting options, the cheapest first. Then the models share the trials by rank: the best one
// gets half of them, the second a quarter, and so on; the share of a model halves when its search converges. Settings come from the
// model-based sampler. A training with rungs pauses at each rung and continues if it is in the best third of its model's trainings
// there (successive halving, Jamieson and Talwalkar 2016, in the asynchronous form of Li et al. 2020).

import type { JsonObject } from "../../core/json.js";
import type { Candidate } from "./plan.js";
import { suggest } from "./tpe.js";

/** Trainings that are decided on at the same time. */
export const ROUND = 4;
/** The share of a model's trainings that continues after a rung. */
const CONTINUES = 1 / 3;
/** A model below this share of the best value is not searched further. */
const COMPETITIVE = 0.8;
/** A relative difference below this one does not matter: it is far below the noise of a validation metric. */
const NO_DIFFERENCE = 2e-3;
/** Trials that make no difference to the best value after which the share of a model halves, and again after as many more. */
const PATIENCE = 4;
/** Draws before a small space counts as exhausted. */
const MOST_DRAWS = 20;

/** A setting of a model, and what is known of its training. */
export interface Trial {
  /** From 0, in the order of the decisions. */
  readonly number: number;
  readonly model: string;
  /** The options that differ from the candidate's. */
  readonly setting: Readonly<JsonObject>;
  /** The validation metric at each rung that was reached, in order. */
  readonly atRungs: readonly number[];
  /** The validation metric of the finished training. */
  readonly value?: number;
  readonly state: "paused" | "done" | "failed";
  /** Seconds of all its trainings. */
  readonly seconds: number;
  readonly message?: string;
}

/** A training to run: of a new trial, or of a paused one. */
export interface Step {
  readonly trial: number;
  readonly model: string;
  readonly setting: Readonly<JsonObject>;
  /** The epoch after which it pauses; undefined = it runs to its end. */
  readonly pauseAfter?: number;
}

export interface PlannerOptions {
  readonly seed: number;
  /** How many trials there may be. */
  readonly trials: number;
  /** What models share: the number of trials, or their seconds. */
  readonly shared: "trials" | "seconds";
}

/** The best known value of a trial. */
export function bestValue({ value, atRungs }: Trial): number | undefined {
  return value ?? (atRungs.length > 0 ? Math.max(...atRungs) : undefined);
}

/** The next round of trainings; empty when nothing is left to try. */
export function nextSteps(
  candidates: readonly Candidate[],
  trials: readonly Trial[],
  options: PlannerOptions,
): Step[] {
  const planned: Trial[] = [...trials];
  const steps: Step[] = [];
  const begin = (candidate: Candidate, setting: Readonly<JsonObject>) => {
    const step = {
      trial: planned.length,
      model: candidate.algorithm.name,
      setting,
      pauseAfter: candidate.rungs.at(0),
    };
    steps.push(step);
    planned.push({ ...step, number: step.trial, atRungs: [], state: "paused", seconds: 0 });
  };
  const room = () => steps.length < ROUND && planned.length < options.trials;

  for (const { candidate, setting } of startsOf(candidates)) {
    const known = planned.some(
      (trial) => trial.model === candidate.algorithm.name && same(trial.setting, setting),
    );
    if (!known && room()) begin(candidate, setting);
  }
  // Half of a round is kept for new trials, so that long trainings do not hold up the others.
  const rest = steps.length + Math.ceil((ROUND - steps.length) / 2);
  const isLast = planned.length >= options.trials;
  for (const trial of promoted(candidates, trials)) {
    if (steps.length >= (isLast ? ROUND : rest)) break;
    const candidate = candidates.find(({ algorithm }) => algorithm.name === trial.model);
    steps.push({
      trial: trial.number,
      model: trial.model,
      setting: trial.setting,
      pauseAfter: candidate?.rungs[trial.atRungs.length],
    });
  }
  const exhausted = new Set<string>();
  while (room()) {
    const candidate = nextModel(candidates, planned, options, exhausted);
    if (!candidate) break;
    const setting = newSetting(candidate, planned, options.seed);
    if (setting) begin(candidate, setting);
    else exhausted.add(candidate.algorithm.name);
  }
  return steps;
}

/** All starting settings: the defaults of all models first, then their recipes. */
function startsOf(
  candidates: readonly Candidate[],
): { candidate: Candidate; setting: Readonly<JsonObject> }[] {
  const most = Math.max(0, ...candidates.map(({ starts }) => starts.length));
  return Array.from({ length: most }, (_, s) =>
    candidates.flatMap((candidate) =>
      s < candidate.starts.length ? [{ candidate, setting: candidate.starts[s] }] : [],
    ),
  ).flat();
}

/**
 * The paused trials that continue: those in the best third at their rung. First those of models without a finished training, the
 * cheapest model first, so that they are there for the blend; then the best ones.
 */
function promoted(candidates: readonly Candidate[], trials: readonly Trial[]): Trial[] {
  const found = candidates.flatMap(({ algorithm, rungs }) =>
    rungs.flatMap((_, rung) => {
      const here = trials
        .filter(({ model, atRungs }) => model === algorithm.name && atRungs.length > rung)
        .sort((a, b) => b.atRungs[rung] - a.atRungs[rung] || a.number - b.number);
      return here
        .slice(0, Math.ceil(CONTINUES * here.length))
        .filter(({ state, atRungs }) => state === "paused" && atRungs.length === rung + 1);
    }),
  );
  const finished = new Set(trials.flatMap(({ model, state }) => (state === "done" ? [model] : [])));
  // The candidates are in the order of their cost.
  const names = candidates.map(({ algorithm }) => algorithm.name);
  const place = ({ model }: Trial) => (finished.has(model) ? names.length : names.indexOf(model));
  const last = ({ atRungs }: Trial) => atRungs.at(-1) ?? 0;
  return found.sort((a, b) => place(a) - place(b) || last(b) - last(a) || a.number - b.number);
}

/** The model that has had the least of its share. */
function nextModel(
  candidates: readonly Candidate[],
  planned: readonly Trial[],
  { shared }: PlannerOptions,
  exhausted: ReadonlySet<string>,
): Candidate | undefined {
  const bestOf = (candidate: Candidate) =>
    Math.max(
      0,
      ...planned.flatMap((trial) =>
        trial.model === candidate.algorithm.name ? [bestValue(trial) ?? 0] : [],
      ),
    );
  const best = Math.max(...candidates.map(bestOf));
  const ranked = candidates
    .filter(({ algorithm, space }) => space.length > 0 && !exhausted.has(algorithm.name))
    .map((candidate) => ({ candidate, best: bestOf(candidate) }))
    .filter(({ best: value }) => value > 0 && value >= COMPETITIVE * best)
    .sort((a, b) => b.best - a.best);
  const spent = ({ candidate }: (typeof ranked)[number]) => {
    const own = planned.filter(({ model }) => model === candidate.algorithm.name);
    if (shared === "trials") return own.length;
    const finished = own.filter(({ seconds }) => seconds > 0);
    const total = finished.reduce((sum, { seconds }) => sum + seconds, 0);
    // Trainings of this round count as much as the earlier ones took.
    return total + ((own.length - finished.length) * total) / Math.max(1, finished.length);
  };
  let next: Candidate | undefined;
  let least = Infinity;
  ranked.forEach((one, rank) => {
    const halvings = rank + Math.floor(indifferent(planned, one.candidate.algorithm.name) / PATIENCE);
    const share = (spent(one) + 1e-9) * 2 ** halvings;
    if (share < least) {
      least = share;
      next = one.candidate;
    }
  });
  return next;
}

/** The model's trials with practically its best value, since the last one that improved it: its search has converged. */
function indifferent(trials: readonly Trial[], model: string): number {
  let best = 0;
  let count = 0;
  for (const trial of trials) {
    const value = trial.model === model ? bestValue(trial) : undefined;
    if (value === undefined) continue;
    if (value > best * (1 + NO_DIFFERENCE)) count = 0;
    else if (value >= best * (1 - NO_DIFFERENCE)) count++;
    best = Math.max(best, value);
  }
  return count;
}

/** A setting of the model that was not tried yet; undefined if none is found. */
function newSetting(
  { algorithm, space, options, defaults }: Candidate,
  planned: readonly Trial[],
  seed: number,
): JsonObject | undefined {
  const own = planned.filter(({ model }) => model === algorithm.name);
  const known = own.flatMap((trial) => {
    const value = bestValue(trial);
    return value === undefined ? [] : [{ trial, value }];
  });
  // A starting setting may leave options out. What it sets and is not searched is kept from the best trial.
  const observations = known.map(({ trial, value }) => ({
    setting: { ...defaults, ...options, ...trial.setting },
    value,
  }));
  const best = known.reduce<(typeof known)[number] | undefined>(
    (a, b) => (a && a.value >= b.value ? a : b),
    undefined,
  );
  const searched = new Set(space.map(({ name }) => name));
  const base = Object.entries(best?.trial.setting ?? {}).filter(([name]) => !searched.has(name));
  for (let attempt = 0; attempt < MOST_DRAWS; attempt++) {
    const number = own.length * MOST_DRAWS + attempt;
    const drawn = suggest(space, observations, { seed, stream: algorithm.name, number });
    const setting = { ...Object.fromEntries(base), ...drawn };
    if (!own.some((trial) => same(trial.setting, setting))) return setting;
  }
  return undefined;
}

function same(a: Readonly<JsonObject>, b: Readonly<JsonObject>): boolean {
  const text = (setting: Readonly<JsonObject>) =>
    JSON.stringify(Object.entries(setting).sort(([x], [y]) => (x < y ? -1 : 1)));
  return text(a) === text(b);
}
