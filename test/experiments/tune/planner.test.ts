import { describe, expect, it } from "vitest";
import { type Candidate, defaultsOf, spaceOf } from "../../../src/experiments/tune/plan.js";
import {
  bestValue,
  nextSteps,
  type PlannerOptions,
  ROUND,
  type Trial,
} from "../../../src/experiments/tune/planner.js";
import { findAlgorithm } from "../../../src/models/registry.js";

async function candidate(
  model: string,
  coreSeconds: number,
  rungs: readonly number[] = [],
): Promise<Candidate> {
  const algorithm = await findAlgorithm(model);
  return {
    algorithm,
    options: {},
    defaults: defaultsOf(algorithm),
    space: spaceOf(algorithm),
    starts: [{}],
    rungs,
    coreSeconds,
  };
}

const candidates = await Promise.all([
  candidate("popularity", 1),
  candidate("ease", 2),
  candidate("wmf", 3),
  candidate("mult-dae", 4, [10, 30]),
]);

/** The value that a training reaches: EASE is best, and settings differ by their first number. */
function outcome(model: string, setting: Trial["setting"], rung: number): number {
  const base = { popularity: 0.1, ease: 0.4, wmf: 0.37, "mult-dae": 0.38 }[model] ?? 0;
  const number = Object.values(setting).find((value) => typeof value === "number") ?? 0;
  return base + 0.01 * Math.sin(1000 * Number(number)) + 0.001 * rung;
}

/** Runs the planner to its end; `seconds` of a training by its model. */
function simulate(options: PlannerOptions, seconds: Record<string, number> = {}, reached = outcome) {
  const trials: Trial[] = [];
  const rounds: ReturnType<typeof nextSteps>[] = [];
  for (;;) {
    const steps = nextSteps(candidates, trials, options);
    if (steps.length === 0) return { trials, rounds };
    rounds.push(steps);
    for (const { trial, model, setting, pauseAfter } of steps) {
      const before = trials[trial] ?? {
        number: trial,
        model,
        setting,
        atRungs: [],
        state: "paused",
        seconds: 0,
      };
      const value = reached(model, setting, before.atRungs.length);
      trials[trial] = {
        ...before,
        atRungs: [...before.atRungs, value],
        seconds: before.seconds + (seconds[model] ?? 1),
        ...(pauseAfter === undefined && { state: "done", value }),
      };
    }
  }
}

const options: PlannerOptions = { seed: 7, trials: 60, shared: "trials" };

describe("the planner of tune", () => {
  it("tries every model's defaults first, in the order of the candidates", () => {
    const { rounds } = simulate(options);
    const first = rounds.flat().slice(0, candidates.length);
    expect(first.map(({ model }) => model)).toEqual(candidates.map(({ algorithm }) => algorithm.name));
    expect(first.every(({ setting }) => Object.keys(setting).length === 0)).toBe(true);
  });

  it("starts as many trials as it may, in rounds of at most the fixed size, and none twice", () => {
    const { trials, rounds } = simulate(options);
    expect(trials).toHaveLength(60);
    expect(Math.max(...rounds.map(({ length }) => length))).toBe(ROUND);
    const settings = trials.map(({ model, setting }) =>
      JSON.stringify([model, Object.entries(setting).sort()]),
    );
    expect(new Set(settings).size).toBe(settings.length);
  });

  it("decides the same for the same results and the same seed only", () => {
    expect(simulate(options)).toEqual(simulate(options));
    expect(simulate(options)).not.toEqual(simulate({ ...options, seed: 8 }));
  });

  it("continues the best third of the trainings at each rung, and no others", () => {
    const { trials } = simulate(options);
    const network = trials.filter(({ model }) => model === "mult-dae");
    const reached = (rung: number) => network.filter(({ atRungs }) => atRungs.length > rung);
    expect(reached(0).length).toBeGreaterThan(6);
    for (const rung of [0, 1]) {
      const here = reached(rung);
      const further = reached(rung + 1);
      // Trainings that continued early may have been overtaken since.
      expect(further.length).toBeGreaterThanOrEqual(Math.ceil(here.length / 3));
      expect(further.length).toBeLessThan(here.length);
      const ranked = [...here].sort((a, b) => b.atRungs[rung] - a.atRungs[rung]);
      for (const trial of ranked.slice(0, Math.ceil(here.length / 3))) expect(further).toContain(trial);
    }
    expect(network.filter(({ state }) => state === "done")).toEqual(reached(2));
  });

  it("continues trainings of models that have none finished first, the cheapest model first, then the best", async () => {
    const networks = await Promise.all([
      candidate("mult-dae", 1, [10]),
      candidate("rec-vae", 2, [10]),
      candidate("vamp", 3, [10]),
    ]);
    const trial = (number: number, model: string, value: number, state: Trial["state"]): Trial => ({
      ...{ number, model, setting: {}, seconds: 1, state },
      ...(state === "done" ? { atRungs: [value], value } : { atRungs: [value] }),
    });
    const continued = (trials: Trial[]) =>
      nextSteps(networks, trials, { seed: 1, trials: trials.length, shared: "seconds" }).map(
        ({ model }) => model,
      );
    const paused = [
      trial(0, "vamp", 0.41, "paused"),
      trial(1, "rec-vae", 0.4, "paused"),
      trial(2, "mult-dae", 0.3, "paused"),
    ];
    expect(continued(paused)).toEqual(["mult-dae", "rec-vae", "vamp"]);
    // Of four trainings two continue; one of them is finished.
    const more = [3, 4, 5].map((number) => trial(number, "mult-dae", 0.29, "paused"));
    expect(continued([...paused.slice(0, 2), trial(2, "mult-dae", 0.31, "done"), ...more])).toEqual([
      "rec-vae",
      "vamp",
      "mult-dae",
    ]);
  });

  it("gives the better models more trials, and the poor ones none after the first", () => {
    const { trials } = simulate(options);
    const of = (name: string) => trials.filter(({ model }) => model === name).length;
    expect(of("popularity")).toBe(1);
    expect(of("ease")).toBeGreaterThan(of("mult-dae"));
    expect(of("mult-dae")).toBeGreaterThan(of("wmf"));
  });

  it("leaves a model whose options do not matter", () => {
    const flat: typeof outcome = (model, setting, rung) =>
      model === "ease" ? 0.4 : outcome(model, setting, rung);
    const trialsOf = ({ trials }: ReturnType<typeof simulate>) =>
      trials.filter(({ model }) => model === "ease").length;
    const alone = trialsOf(simulate(options, {}, flat));
    expect(alone).toBeGreaterThanOrEqual(5);
    expect(alone).toBeLessThan(0.6 * trialsOf(simulate(options)));
  });

  it("shares the time, not the number of trials, of a time budget", () => {
    const { trials } = simulate({ ...options, trials: 200, shared: "seconds" }, { ease: 20 });
    const of = (name: string) => trials.filter(({ model }) => model === name);
    // EASE has the largest share, but its trainings take 20 times as long.
    expect(of("ease").length).toBeLessThan(of("wmf").length);
    const seconds = (name: string) => of(name).reduce((sum, trial) => sum + trial.seconds, 0);
    expect(seconds("ease")).toBeGreaterThan(seconds("wmf"));
  });

  it("knows the best value of a trial: the final one, otherwise the best at a rung", () => {
    const trial = { number: 0, model: "ease", setting: {}, seconds: 1 };
    expect(bestValue({ ...trial, atRungs: [], state: "paused" })).toBeUndefined();
    expect(bestValue({ ...trial, atRungs: [0.3, 0.2], state: "paused" })).toBe(0.3);
    expect(bestValue({ ...trial, atRungs: [0.3, 0.2], value: 0.25, state: "done" })).toBe(0.25);
  });
});
