// Charts as SVG for the pages: Vega draws them without a browser; colours are CSS variables of the page, so that light, dark
// and print use the same drawing.

import { setImmediate } from "node:timers/promises";
import type { TopLevelSpec } from "vega-lite";
import { escapeHtml, Html } from "./html.js";

/** The specification of a chart, without fonts, colours and frames, which are added here. */
export type ChartSpec = TopLevelSpec;

/** Settles when no chart is being drawn. */
let drawn: Promise<unknown> = Promise.resolve();

/** Draws a labelled image that scales with the page. Charts are drawn one after the other, yielding to the event loop. */
export function drawChart(chart: ChartSpec, label: string): Promise<Html> {
  const next = drawn.then(() => draw(chart, label));
  drawn = next.catch(() => {});
  return next;
}

async function draw(chart: ChartSpec, label: string): Promise<Html> {
  // Imported lazily: loading Vega is slow, and only reports need it.
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
