// The page of a sweep: what was searched, what came out by option, every point, and the choice. No script, no network.

import { join } from "node:path";
import { duration } from "../../core/duration.js";
import { HEAT_MAP_STYLE } from "../heat-map.js";
import { type Html, html } from "../html.js";
import { optionText } from "../option-text.js";
import { writePage } from "../page.js";
import { count, metricLabel } from "../report.js";
import { estimateText } from "../reproduction-report.js";
import { drawOption, drawPair, heatMapPairs } from "./charts.js";
import { edgesOf } from "./edges.js";
import type { Sweep, SweepPoint } from "./result.js";
import { spaceText } from "./space.js";

/** Writes report.html into the sweep's folder; returns its path. */
export async function reportOnSweep(folder: string, sweep: Sweep, finished = new Date()): Promise<string> {
  const path = join(folder, "report.html");
  await writePage(path, {
    title: `Search: ${sweep.model} on ${sweep.dataset}`,
    heading: html`${sweep.model} <span class="on">on</span> ${sweep.dataset}`,
    lead: `${count(sweep.points.length)} ways to train it; the best by ${metricLabel(sweep.metric)} on the ${sweep.chosenOn} users is the choice.`,
    style: HEAT_MAP_STYLE + OWN_STYLE,
    finished,
    body: html`${sweep.chosenOn === "test" && html`<p class="warning">The test users chose. The best number below is the luckiest of ${count(sweep.points.length)}, not what to expect of new users.</p>`}
${headline(sweep)}
${what(sweep)}
${await found(sweep)}
${points(sweep)}`,
  });
  return path;
}

function headline({ best, metric, chosenOn, test }: Sweep): Html {
  const figures = [
    { label: `${chosenOn} ${metricLabel(metric)}`, value: best.metrics?.[metric] },
    ...(chosenOn === "test"
      ? []
      : [{ label: `test ${metricLabel(metric)}, of the choice alone`, value: test[metric] }]),
  ];
  return html`<section class="headline" aria-label="Main results">
${figures.map(
  ({ label, value }) =>
    value &&
    html`<div><span class="figure">${value.mean.toFixed(4)}</span><span class="label">${label} ${value.standardError !== undefined && html`<span class="error">± ${value.standardError.toFixed(4)}</span>`}</span></div>
`,
)}</section>`;
}

function settingText({ setting }: SweepPoint): string {
  return Object.entries(setting)
    .map(([name, value]) => `${name} ${optionText(value)}`)
    .join(", ");
}

function what(sweep: Sweep): Html {
  const { space, options, points, seed, command, best } = sweep;
  const failed = points.filter(({ state }) => state === "failed").length;
  const seconds = points.reduce((sum, point) => sum + (point.seconds ?? 0), 0);
  const facts: [string, string | Html][] = [
    ["The choice", settingText(best)],
    ["Searched", space.map(spaceText).join("  ")],
    [
      "The same for all",
      Object.entries(options)
        .map(([name, value]) => `${name} ${optionText(value)}`)
        .join(", ") || "the model's defaults",
    ],
    [
      "Points",
      `${count(points.length)}${failed > 0 ? `, of which ${count(failed)} failed` : ""}; ${duration(seconds)} of training in all`,
    ],
    ["Seed", String(seed)],
    ["Again", html`<code>${command}</code>`],
  ];
  return html`<section>
<h2>What was searched</h2>
<dl>
${facts.map(
  ([term, text]) => html`<div><dt>${term}</dt><dd>${text}</dd></div>
`,
)}</dl>
</section>`;
}

async function found(sweep: Sweep): Promise<Html> {
  const pairs = heatMapPairs(sweep, sweep.space);
  const varied = sweep.space.filter(
    ({ name }) => new Set(sweep.points.map(({ setting }) => JSON.stringify(setting[name]))).size > 1,
  );
  if (varied.length === 0) return html``;
  const maps = await Promise.all(pairs.map((pair) => drawPair(sweep, pair)));
  const charts = await Promise.all(varied.map((dimension) => drawOption(sweep, dimension)));
  const metric = metricLabel(sweep.metric);
  return html`<section>
<h2>What came out</h2>
${edgesOf(sweep).map((text) => html`<p class="note">${text}.</p>`)}
<div class="maps">
${maps.map((map, m) => html`<figure><figcaption>${metric} by ${pairs[m].join(" and ")}</figcaption>${map}</figure>`)}</div>
<div class="curves">
${charts.map((chart, c) => html`<figure><figcaption>${metric} by ${varied[c].name}</figcaption>${chart}</figure>`)}</div>
<p class="note">Every point with its standard error over the ${sweep.chosenOn} users; the choice is filled${maps.length > 0 && " and framed"}.${maps.length > 0 && varied.length > 2 && " A cell of a map is the best of the points that have both values."}</p>
</section>`;
}

function points(sweep: Sweep): Html {
  const { space, metric, best } = sweep;
  const names = Object.keys(best.metrics ?? {});
  const score = (point: SweepPoint) => point.metrics?.[metric].mean ?? -Infinity;
  const ranked = [...sweep.points].sort((a, b) => score(b) - score(a));
  return html`<section>
<h2>Every point</h2>
<div class="wide"><table class="points">
<thead><tr>${space.map(({ name }) => html`<th scope="col">${name}</th>`)}${names.map((name) => html`<th scope="col">${metricLabel(name)}</th>`)}<th scope="col">Epochs</th><th scope="col">Time</th></tr></thead>
<tbody>
${ranked.map(
  (
    point,
  ) => html`<tr${point.key === best.key && html` class="changed"`}>${space.map(({ name }) => html`<td>${optionText(point.setting[name])}</td>`)}${
    point.state === "failed"
      ? html`<td colspan="${names.length + 2}">failed: ${point.message}</td>`
      : html`${names.map((name) => html`<td>${point.metrics?.[name] ? estimateText(point.metrics[name]) : "–"}</td>`)}<td>${point.epochs ? `${point.chosenEpoch} of ${point.epochs}` : "–"}</td><td>${duration(point.seconds ?? 0)}</td>`
  }</tr>
`,
)}</tbody>
</table></div>
<p class="note">Mean over the ${sweep.chosenOn} users ± its standard error, best first. Each is a run folder in points/.</p>
</section>`;
}

const OWN_STYLE = `
code { font: 0.9em ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
.warning { margin: 1.5rem 0 0; padding: 0.7rem 1rem; border-left: 4px solid #c2410c; background: var(--soft); font-weight: 650; }
.points { font-size: 0.92rem; }
.points td { white-space: nowrap; }
.points .changed td { font-weight: 650; }
.points td[colspan] { white-space: normal; }
.wide { overflow-x: auto; }
`;
