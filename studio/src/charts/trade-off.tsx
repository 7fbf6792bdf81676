// The quality of runs against their training time or their size, with the Pareto front.

import { useCallback, useState } from "preact/hooks";
import type { Run, SplitName } from "../../../src/studio/api.js";
import { duration, metricLabel, plural, size } from "../texts.js";
import { addressOfRun } from "../use-address.js";
import { Chart } from "./chart.js";
import type { ChartSpec } from "./draw.js";
import { type Point, paretoFront } from "./pareto.js";

type Cost = "seconds" | "modelBytes";
interface RunPoint extends Point {
  readonly model: string;
  readonly error: number;
}

const HEIGHT = 300;

export function TradeOff({
  runs,
  metric,
  split,
}: {
  runs: readonly Run[];
  metric: string;
  split: SplitName;
}) {
  const [cost, setCost] = useState<Cost>("seconds");
  const points = runs.flatMap((run): RunPoint[] => {
    const estimate = run.on[split]?.metrics[metric];
    const spent = run[cost];
    if (estimate === undefined || spent === null || spent <= 0) return [];
    const { mean, standardError = 0 } = estimate;
    return [{ id: run.id, model: run.model, cost: spent, quality: mean, error: standardError }];
  });
  const front = paretoFront(points);
  // Names all that the chart shows: an equal drawing is kept.
  const key = JSON.stringify([points, metric, cost]);
  const spec = useCallback((width: number) => specOf(points, front, cost, metric, width), [key]);
  const name = cost === "seconds" ? "training time" : "size of the model";
  return (
    <>
      <div class="toolbar">
        <label>
          Against
          <select value={cost} onChange={({ currentTarget }) => setCost(currentTarget.value as Cost)}>
            <option value="seconds">training time</option>
            <option value="modelBytes">size of the model</option>
          </select>
        </label>
      </div>
      {points.length === 0 ? (
        <p class="note">
          None of the shown runs has both {metricLabel(metric)} and a {name}.
        </p>
      ) : (
        <>
          <Chart
            spec={spec}
            label={`${metricLabel(metric)} against ${name} of ${plural(points.length, "run")}`}
          />
          <details>
            <summary>{plural(front.length, "run")} on the Pareto front: no run is better and cheaper</summary>
            <table class="compact">
              <thead>
                <tr>
                  <th scope="col">Run</th>
                  <th scope="col">{metricLabel(metric)}</th>
                  <th scope="col">{cost === "seconds" ? "Time" : "Size"}</th>
                </tr>
              </thead>
              <tbody>
                {front.map(({ id, quality, cost: spent }) => (
                  <tr key={id}>
                    <th scope="row">
                      <a href={addressOfRun(id)}>{id}</a>
                    </th>
                    <td>{quality.toFixed(4)}</td>
                    <td>{costText(cost, spent)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </details>
        </>
      )}
    </>
  );
}

const costText = (cost: Cost, value: number) => (cost === "seconds" ? duration(value) : size(value));

function specOf(
  points: readonly RunPoint[],
  front: readonly RunPoint[],
  cost: Cost,
  metric: string,
  width: number,
): ChartSpec {
  const best = new Set(front.map(({ id }) => id));
  const unit = cost === "seconds" ? 1 : 1024 ** 2;
  const values = points.map(({ id, model, cost: spent, quality, error }) => ({
    cost: spent / unit,
    quality,
    low: quality - error,
    high: quality + error,
    best: best.has(id),
    name: id.slice(id.lastIndexOf("/") + 1),
    text: `${id} (${model}): ${quality.toFixed(4)}, ${costText(cost, spent)}`,
  }));
  const y = {
    type: "quantitative",
    scale: { zero: false, nice: true },
    axis: { title: metricLabel(metric), tickCount: 5, format: ".4~r" },
  } as const;
  return {
    width,
    height: HEIGHT,
    autosize: { type: "fit", contains: "padding" },
    data: { values },
    encoding: {
      x: {
        field: "cost",
        type: "quantitative",
        scale: { type: "log", nice: false, padding: 12 },
        axis: { title: cost === "seconds" ? "seconds" : "MiB", grid: false, tickCount: 5, format: "~s" },
      },
      color: {
        condition: { test: "datum.best", value: "var(--accent)" },
        value: "var(--muted)",
      },
    },
    layer: [
      {
        transform: [{ filter: "datum.best" }],
        mark: { type: "line", interpolate: "step-after", strokeDash: [4, 3], color: "var(--accent)" },
        encoding: { y: { ...y, field: "quality" } },
      },
      {
        mark: { type: "rule", opacity: 0.5 },
        encoding: { y: { ...y, field: "low" }, y2: { field: "high" } },
      },
      {
        mark: { type: "point", filled: true, opacity: 1 },
        encoding: {
          y: { ...y, field: "quality" },
          tooltip: { field: "text" },
          size: { condition: { test: "datum.best", value: 70 }, value: 35 },
        },
      },
    ],
  };
}
