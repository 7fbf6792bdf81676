// A heat map: one number for each pair of values of two options; darker is better.

import { extent } from "../core/extent.js";
import { drawChart } from "./chart.js";
import type { Html } from "./html.js";

export interface HeatMapCell {
  readonly x: string;
  readonly y: string;
  readonly value: number;
  /** Whether the cell is framed. */
  readonly best?: boolean;
}

export interface HeatMapAxes {
  /** Names of the options of the columns and rows. */
  readonly x: string;
  readonly y: string;
  /** In display order. */
  readonly columns: readonly string[];
  readonly rows: readonly string[];
}

/** Draws the map; `label` is the text alternative. A pair without a cell stays empty. */
export async function drawHeatMap(
  cells: readonly HeatMapCell[],
  { x, y, columns, rows }: HeatMapAxes,
  label: string,
): Promise<Html> {
  const [low, high] = extent(cells.map(({ value }) => value));
  const values = cells.map((cell) => ({
    ...cell,
    text: cell.value.toFixed(4),
    shade: high > low ? 0.06 + (0.94 * (cell.value - low)) / (high - low) : 0.5,
  }));
  return drawChart(
    {
      width: Math.max(220, 68 * columns.length),
      height: 34 * rows.length,
      data: { values },
      encoding: {
        x: { field: "x", type: "ordinal", sort: [...columns], axis: { title: x, labelAngle: 0 } },
        y: { field: "y", type: "ordinal", sort: [...rows], axis: { title: y } },
      },
      layer: [
        {
          mark: { type: "rect", color: "var(--accent)", stroke: "var(--paper)", strokeWidth: 2 },
          encoding: { fillOpacity: { field: "shade", type: "quantitative", scale: null } },
        },
        {
          mark: { type: "text", fontSize: 11 },
          encoding: {
            text: { field: "text" },
            color: { condition: { test: "datum.shade > 0.55", value: "var(--paper)" }, value: "var(--ink)" },
            opacity: { value: 1 },
          },
        },
        {
          transform: [{ filter: "datum.best" }],
          mark: { type: "rect", fill: null, stroke: "var(--ink)", strokeWidth: 2 },
        },
      ],
    },
    label,
  );
}

/** For the page's style sheet. */
export const HEAT_MAP_STYLE = `
.maps { display: flex; flex-wrap: wrap; gap: 1.5rem 2.5rem; margin-bottom: 1.5rem; }
.maps svg { display: block; max-width: 100%; height: auto; font-family: inherit; }
`;
