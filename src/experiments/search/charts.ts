// Charts of a search: heat maps for pairs of options, and for one option all points by its value.

import { extent } from "../../core/extent.js";
import { type ChartSpec, drawChart } from "../chart.js";
import { drawHeatMap, type HeatMapCell } from "../heat-map.js";
import type { Html } from "../html.js";
import { metricLabel } from "../metric-label.js";
import { optionText } from "../option-text.js";
import type { SearchPoint, SearchResult } from "./result.js";
import { type Dimension, isRange } from "./space.js";

type Found = Pick<SearchResult, "points" | "best" | "metric" | "chosenOn">;

interface Finished {
  readonly point: SearchPoint;
  readonly mean: number;
  readonly standardError: number;
}

function finished({ points, metric }: Found): Finished[] {
  return points.flatMap((point) => {
    const value = point.metrics?.[metric];
    return value ? [{ point, mean: value.mean, standardError: value.standardError ?? 0 }] : [];
  });
}

/** The distinct values of an option, in the order in which they were given; numbers ascending where all are. */
function valuesOf(found: readonly Finished[], name: string): string[] {
  const values = found.map(({ point }) => point.setting[name]);
  if (values.every((value) => typeof value === "number")) values.sort((a, b) => Number(a) - Number(b));
  return [...new Set(values.map(optionText))];
}

/** Maximum number of values of an option in a heat map. */
const MOST_CELLS = 12;

/** The pairs of options that get a heat map: options with a few values each, the one with most values first. */
export function heatMapPairs(found: Found, space: readonly Dimension[]): [string, string][] {
  const all = finished(found);
  const few = space
    .filter(({ alternatives }) => !isRange(alternatives))
    .map(({ name }) => ({ name, size: valuesOf(all, name).length }))
    .filter(({ size }) => size > 1 && size <= MOST_CELLS)
    .sort((a, b) => b.size - a.size);
  return few.flatMap((x, i) => few.slice(i + 1).map((y): [string, string] => [x.name, y.name])).slice(0, 3);
}

/** One cell for each pair of values: the best point with these values. */
export async function drawPair(found: Found, [x, y]: [string, string]): Promise<Html> {
  const all = finished(found);
  const cells = new Map<string, HeatMapCell>();
  for (const { point, mean } of all) {
    const [at, up] = [optionText(point.setting[x]), optionText(point.setting[y])];
    const key = JSON.stringify([at, up]);
    if (mean > (cells.get(key)?.value ?? -Infinity))
      cells.set(key, { x: at, y: up, value: mean, best: point.key === found.best.key });
  }
  const axes = { x, y, columns: valuesOf(all, x), rows: valuesOf(all, y) };
  return drawHeatMap([...cells.values()], axes, `${metricLabel(found.metric)} by ${x} and ${y}`);
}

const WIDTH = 288;
const HEIGHT = 170;

/** All points by the value of one option, with standard errors; the best is filled. */
export async function drawOption(found: Found, { name, alternatives }: Dimension): Promise<Html> {
  const all = finished(found);
  const numbers = all.every(({ point }) => typeof point.setting[name] === "number");
  const values = all.map(({ point, mean, standardError }) => ({
    value: numbers ? point.setting[name] : optionText(point.setting[name]),
    mean,
    low: mean - standardError,
    high: mean + standardError,
    best: point.key === found.best.key,
  }));
  const settings = values.map(({ value }) => Number(value));
  const own = [...new Set(settings)];
  const [low, high] = extent(settings);
  const log = isRange(alternatives) ? alternatives.scale === "log" : low > 0 && high / low >= 10;
  const axis = { title: null, labelAngle: 0, grid: false } as const;
  const x = numbers
    ? ({
        field: "value",
        type: "quantitative",
        scale: { ...(log ? ({ type: "log" } as const) : { zero: false }), nice: false, padding: 12 },
        // Use the values of a grid as ticks.
        axis: { ...axis, format: "~r", ...(own.length <= 6 ? { values: own } : { tickCount: 4 }) },
      } as const)
    : ({ field: "value", type: "ordinal", sort: valuesOf(all, name), axis } as const);
  const scale = { zero: false, nice: true } as const;
  const y = { type: "quantitative", axis: { title: null, tickCount: 4, format: ".4~f" }, scale } as const;
  const spec: ChartSpec = {
    width: WIDTH,
    height: HEIGHT,
    data: { values },
    encoding: { x },
    layer: [
      {
        mark: { type: "rule", color: "var(--accent)", opacity: 0.35 },
        encoding: { y: { ...y, field: "low" }, y2: { field: "high" } },
      },
      {
        mark: { type: "point", color: "var(--accent)", fill: "var(--paper)", size: 36, opacity: 1 },
        encoding: { y: { ...y, field: "mean" } },
      },
      {
        transform: [{ filter: "datum.best" }],
        mark: { type: "point", color: "var(--accent)", filled: true, size: 70, opacity: 1 },
        encoding: { y: { ...y, field: "mean" } },
      },
    ],
  };
  return drawChart(spec, `${metricLabel(found.metric)} by ${name}`);
}
