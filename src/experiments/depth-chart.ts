// A metric by its depth, such as recall@50 ... 300: one line per model, published results as dashed lines.

import { type ChartSpec, drawChart } from "./chart.js";
import { type Html, html } from "./html.js";

/** One line. */
export interface DepthLine {
  readonly title: string;
  /** Index of the line's colour, from 0; a model and its published line share it. */
  readonly colour: number;
  /** Drawn as a dashed line without points, or as rings without a line if depths in between are missing. */
  readonly published?: boolean;
  readonly points: readonly { readonly depth: number; readonly value: number }[];
}

const WIDTH = 420;
const HEIGHT = 280;
const COLOURS = 8;

const colourOf = (colour: number) => `var(--line-${(colour % COLOURS) + 1})`;

/** The chart with its legend; `label` is the text alternative. */
export async function drawDepths(lines: readonly DepthLine[], label: string): Promise<Html> {
  const depths = [...new Set(lines.flatMap(({ points }) => points.map(({ depth }) => depth)))].sort(
    (a, b) => a - b,
  );
  const values = lines.flatMap(({ title, colour, published = false, points }) =>
    points.map((point) => ({
      ...point,
      line: `${title}${published ? ", published" : ""}`,
      colour,
      drawn: !published ? "ours" : points.length === depths.length ? "dashed" : "rings",
    })),
  );
  const colour = {
    field: "colour",
    type: "ordinal",
    scale: { domain: [...Array(COLOURS).keys()], range: [...Array(COLOURS).keys()].map(colourOf) },
    legend: null,
  } as const;
  const spec: ChartSpec = {
    width: WIDTH,
    height: HEIGHT,
    data: { values },
    encoding: {
      x: {
        field: "depth",
        type: "quantitative",
        scale: { domain: [depths[0], depths[depths.length - 1]], nice: false, padding: 8 },
        axis: { title: null, values: depths, format: "d", grid: false, labelAngle: 0 },
      },
      y: {
        field: "value",
        type: "quantitative",
        scale: { zero: true, nice: true },
        axis: { title: null, tickCount: 5, format: ".3~f" },
      },
      detail: { field: "line" },
      color: colour,
    },
    layer: [
      {
        transform: [{ filter: "datum.drawn === 'dashed'" }],
        mark: { type: "line", strokeWidth: 1.5, strokeDash: [4, 4], strokeJoin: "round" },
      },
      {
        transform: [{ filter: "datum.drawn === 'rings'" }],
        mark: { type: "point", filled: false, size: 50, strokeWidth: 1.5, opacity: 1 },
      },
      {
        transform: [{ filter: "datum.drawn === 'ours'" }],
        mark: { type: "line", strokeWidth: 2, strokeJoin: "round" },
      },
      {
        transform: [{ filter: "datum.drawn === 'ours'" }],
        mark: { type: "point", filled: true, size: 34, opacity: 1 },
      },
    ],
  };
  const named = lines.filter((line) => !line.published);
  const published = lines.some((line) => line.published);
  return html`${await drawChart(spec, label)}
<ul class="legend">${named.map(({ title, colour }) => html`<li><i style="background:${colourOf(colour)}"></i>${title}</li>`)}${published && html`<li><i class="dashed"></i>published, in the same colours</li>`}</ul>`;
}

/** For the page's style sheet: eight colours that stay apart for colour-blind readers (after Okabe and Ito), light and dark. */
export const DEPTH_STYLE = `
:root { --line-1: #0b7a75; --line-2: #c8511b; --line-3: #2f6fbf; --line-4: #a8478a; --line-5: #8a6d00; --line-6: #5b6670; --line-7: #4a8f29; --line-8: #7a5cc0; }
@media (prefers-color-scheme: dark) {
  :root { --line-1: #45c2b1; --line-2: #ff9d66; --line-3: #79b4ff; --line-4: #ea9ccf; --line-5: #e3c34a; --line-6: #a9b4be; --line-7: #97d873; --line-8: #b9a3f5; }
}
.depths { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: 1.5rem 2.5rem; margin-bottom: 1.5rem; }
.depths svg { display: block; width: 100%; height: auto; max-width: 34rem; font-family: inherit; }
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1.2rem; margin-top: 0.5rem; font-size: 0.85rem; color: var(--muted); }
.legend i { display: inline-block; width: 1.1rem; height: 3px; margin-right: 0.45rem; vertical-align: middle; border-radius: 2px; }
.legend i.dashed { width: 1.25rem; height: 2px; background: repeating-linear-gradient(90deg, var(--muted) 0 4px, transparent 4px 8px); }
article + .depths, .depths ~ h3, .depths ~ details { margin-top: 2rem; }
.depth-table td, .depth-table th { padding-right: 1rem; }
.depth-table tr.published th, .depth-table tr.published td { color: var(--muted); }
.depth-table tr.published th { padding-left: 1rem; }
`;
