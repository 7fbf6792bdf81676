// Draws charts with Vega, as the reports do. This module is loaded when the first chart is shown. Expressions are interpreted instead
// of compiled: the page's policy allows no code from texts. Colours are CSS variables, so that light and dark need no second drawing.

import { parse, View } from "vega";
import { expressionInterpreter } from "vega-interpreter";
import { compile, type TopLevelSpec } from "vega-lite";

export type ChartSpec = TopLevelSpec;

/** Draws the chart into `place` when it is complete; returns a function that releases it. */
export async function draw(spec: ChartSpec, place: HTMLElement): Promise<() => void> {
  const { spec: compiled } = compile({
    ...spec,
    padding: 2,
    background: "transparent",
    config: {
      aria: false,
      view: { stroke: null },
      // Vega measures labels with it: "inherit" would leave too little space for them.
      font: getComputedStyle(place).fontFamily,
      axis: {
        labelColor: "var(--muted)",
        labelFontSize: 11,
        titleColor: "var(--muted)",
        titleFontSize: 12,
        titleFontWeight: 400,
        gridColor: "var(--rule)",
        domain: false,
        ticks: false,
        labelPadding: 6,
      },
    },
  });
  const holder = document.createElement("div");
  // Vega names its marks for screen readers one by one; the place has a label for the whole.
  holder.setAttribute("aria-hidden", "true");
  const view = new View(parse(compiled, undefined, { ast: true }), {
    renderer: "svg",
    expr: expressionInterpreter,
    hover: false,
  }).initialize(holder);
  await view.runAsync();
  place.replaceChildren(holder);
  return () => void view.finalize();
}
