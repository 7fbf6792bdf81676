// Charts as SVG for the pages: Vega draws them without a browser; colours are CSS variables of the page around, so that
// light, dark and print need no second drawing.

import { setImmediate } from "node:timers/promises";
import type { TopLevelSpec } from "vega-lite";
import { escapeHtml, Html } from "./html.js";

/** What is drawn; fonts, colours and frames come from here. */
export type ChartSpec = TopLevelSpec;

/** Settled once no chart is being drawn. */
let drawn: Promise<unknown> = Promise.resolve();

/** One labelled image that grows with the page. One after the other, in steps between which the event loop turns. */
export function drawChart(chart: ChartSpec, label: string): Promise<Html> {
  const next = drawn.then(() => draw(chart, label));
  drawn = next.catch(() => {});
  return next;
}

async function draw(chart: ChartSpec, label: string): Promise<Html> {
  // Lazily: loading Vega takes a moment, and only a report needs it.
  const [{ compile }, { parse, View }] = await Promise.all([import("vega-lite"), import("vega")]);
  await setImmediate();
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
  await setImmediate();
  const runtime = parse(spec);
  await setImmediate();
  const view = new View(runtime, { renderer: "none" });
  await setImmediate();
  const svg = await view.toSVG();
  const end = svg.indexOf(">");
  const [, box, width] = / viewBox="(0 0 (\d+) [^"]*)"/.exec(svg.slice(0, end)) ?? [];
  return new Html(
    `<svg viewBox="${box}" width="${width}" role="img" aria-label="${escapeHtml(label)}">${svg.slice(end + 1)}`,
  );
}
