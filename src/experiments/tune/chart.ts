// Charts of `tune`: every trial by its number with the best value so far, and every trial by its model.

import { type ChartSpec, drawChart } from "../chart.js";
import type { Html } from "../html.js";
import { metricLabel } from "../metric-label.js";
import { bestValue } from "./planner.js";
import type { KeptTrial } from "./state.js";

const WIDTH = 640;

interface Drawn {
  readonly number: number;
  readonly model: string;
  readonly value: number;
  readonly done: boolean;
  /** The best value up to this trial. */
  readonly best: number;
}

function drawn(trials: readonly KeptTrial[]): Drawn[] {
  let best = -Infinity;
  return trials.flatMap((trial) => {
    const value = bestValue(trial);
    if (value === undefined) return [];
    best = Math.max(best, value);
    return [{ number: trial.number + 1, model: trial.model, value, done: trial.state === "done", best }];
  });
}

const point = {
  type: "point",
  color: "var(--accent)",
  size: 40,
  opacity: 1,
} as const;
const fill = {
  condition: { test: "datum.done", value: "var(--accent)" },
  value: "var(--paper)",
} as const;
const axis = { title: null, tickCount: 5, format: ".3~f" } as const;

/** Values by the number of the trial, with a line of the best so far. */
export async function drawProgress(trials: readonly KeptTrial[], metric: string): Promise<Html> {
  const values = drawn(trials);
  const scale = { zero: false, nice: true } as const;
  const x = {
    field: "number",
    type: "quantitative",
    axis: { title: "trial", grid: false, tickMinStep: 1 },
  } as const;
  const spec: ChartSpec = {
    width: WIDTH,
    height: 220,
    data: { values },
    encoding: { x },
    layer: [
      {
        mark: { type: "line", interpolate: "step-after", color: "var(--accent)", opacity: 0.4 },
        encoding: { y: { field: "best", type: "quantitative", axis, scale } },
      },
      {
        mark: point,
        encoding: { y: { field: "value", type: "quantitative", axis, scale }, fill },
      },
    ],
  };
  return drawChart(spec, `${metricLabel(metric)} by trial`);
}

/** Values by model, the best model first. */
export async function drawModels(trials: readonly KeptTrial[], metric: string): Promise<Html> {
  const values = drawn(trials);
  const models = [...new Set(values.map(({ model }) => model))];
  const bestOf = (name: string) =>
    Math.max(...values.flatMap(({ model, value }) => (model === name ? [value] : [])));
  const spec: ChartSpec = {
    width: WIDTH - 80,
    height: { step: 22 },
    data: { values },
    mark: point,
    encoding: {
      x: { field: "value", type: "quantitative", axis, scale: { zero: false, nice: true } },
      y: {
        field: "model",
        type: "ordinal",
        sort: models.sort((a, b) => bestOf(b) - bestOf(a)),
        axis: { title: null },
      },
      fill,
    },
  };
  return drawChart(spec, `${metricLabel(metric)} of all trials by model`);
}
