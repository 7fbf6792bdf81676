// Learning curves as SVG for the report: one small chart per quantity, with the selected epoch marked.

import { extent } from "../core/extent.js";
import type { EpochRecord } from "../recommender/run-context.js";
import { type ChartSpec, drawChart } from "./chart.js";
import type { Html } from "./html.js";

/** One quantity over the epochs. */
export interface Curve {
  readonly title: string;
  /** The name of the quantity in `EpochRecord.values`. */
  readonly value: string;
}

const WIDTH = 288;
const HEIGHT = 150;

/** One SVG per curve, in the given order; `chosen` is the epoch whose weights were kept. */
export async function drawCurves(
  records: readonly EpochRecord[],
  curves: readonly Curve[],
  chosen: number | undefined,
): Promise<Html[]> {
  return Promise.all(
    curves.map(async ({ value, title }) => {
      const points = records
        .filter((record) => Number.isFinite(record.values[value]))
        .map((record) => ({
          epoch: record.epoch,
          value: record.values[value],
          chosen: record.epoch === chosen,
        }));
      const [low, high] = extent(points.map((point) => point.value));
      const last = points.at(-1)?.epoch ?? 1;
      const y = {
        field: "value",
        type: "quantitative",
        // The axis covers the range of the values, or a band around a constant.
        scale: {
          zero: low >= 0 && low < 0.2 * high,
          nice: true,
        },
        axis: { title: null, tickCount: 4, format: ".4~r", minExtent: 38, maxExtent: 38 },
      } as const;
      const onlyChosen = { filter: "datum.chosen" };
      const spec = {
        width: WIDTH,
        height: HEIGHT,
        data: { values: points },
        encoding: {
          x: {
            field: "epoch",
            type: "quantitative",
            scale: { domain: [Math.min(1, last - 1), last], nice: false },
            axis: { title: null, tickMinStep: 1, format: "d", tickCount: 5, grid: false },
          },
        },
        layer: [
          {
            transform: [onlyChosen],
            mark: { type: "rule", color: "var(--accent)", strokeDash: [3, 3], opacity: 0.7 },
          },
          points.length > 1
            ? {
                encoding: { y },
                mark: { type: "line", color: "var(--accent)", strokeWidth: 2, strokeJoin: "round" },
              }
            : { encoding: { y }, mark: { type: "point", color: "var(--accent)", filled: true } },
          {
            transform: [onlyChosen],
            encoding: { y },
            mark: {
              type: "point",
              filled: true,
              size: 60,
              color: "var(--accent)",
              stroke: "var(--paper)",
              strokeWidth: 2,
              opacity: 1,
            },
          },
        ],
      } satisfies ChartSpec;
      return drawChart(spec, `${title} by epoch`);
    }),
  );
}
