// Charts as SVG for the pages: Vega draws them without a browser; colours are CSS variables of the page around, so that
// light, dark and print need no second drawing.

import type { TopLevelSpec } from "vega-lite";
import { escapeHtml, Html } from "./html.js";

/** What is drawn; fonts, colours and frames come from here. */
export type ChartSpec = TopLevelSpec;

/** One labelled image that grows with the page. */
export async function drawChart(chart: ChartSpec, label: string): Promise<Html> {
  // Lazily: loading Vega takes a moment, and only a report needs it.
  const [{ compile }, { parse, View }] = await Promise.all([import("vega-lite"), import("vega")]);
  const { spec } = compile({
    ...chart,
    padding: 2,
    background: "transparent",
    config: {
      view: { stroke: null },
      font: "inherit",
      axis: {
        labelColor: "var(--muted)",
        labelFontSize: 11,
        titleColor: "var(--muted)",
        titleFontSize: 11,
        titleFontWeight: 400,
        gridColor: "var(--rule)",
        domain: false,
        ticks: false,
        labelPadding: 6,
      },
    },
  });
  const svg = await new View(parse(spec), { renderer: "none" }).toSVG();
  const end = svg.indexOf(">");
  const [, box, width] = / viewBox="(0 0 (\d+) [^"]*)"/.exec(svg.slice(0, end)) ?? [];
  return new Html(
    `<svg viewBox="${box}" width="${width}" role="img" aria-label="${escapeHtml(label)}">${svg.slice(end + 1)}`,
  );
}
