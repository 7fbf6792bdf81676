// The page of a search: what was searched, what came out by option, every point, and the choice. No script, no network.

import { join } from "node:path";
import { duration } from "../../core/duration.js";
import { HEAT_MAP_STYLE } from "../heat-map.js";
import { type Html, html } from "../html.js";
import { count } from "../numbers.js";
import { optionText } from "../option-text.js";
import { writePage } from "../page.js";
import { metricLabel } from "../report.js";
import { estimateText } from "../reproduction-report.js";
import { drawOption, drawPair, heatMapPairs } from "./charts.js";
import { edgesOf } from "./edges.js";
import type { SearchPoint, SearchResult } from "./result.js";
import { spaceText } from "./space.js";

/** Writes report.html into the search's folder; returns its path. */
export async function reportOnSearch(
  folder: string,
  search: SearchResult,
  finished = new Date(),
): Promise<string> {
  const path = join(folder, "report.html");
  await writePage(path, {
    title: `Search: ${search.model} on ${search.dataset}`,
    heading: html`${search.model} <span class="on">on</span> ${search.dataset}`,
    lead: `${count(search.points.length)} ways to train it; the best by ${metricLabel(search.metric)} on the ${search.chosenOn} users is the choice.`,
    style: HEAT_MAP_STYLE + OWN_STYLE,
    finished,
    body: html`${search.chosenOn === "test" && html`<p class="warning">The test users chose. The best number below is the luckiest of ${count(search.points.length)}, not what to expect of new users.</p>`}
${headline(search)}
${what(search)}
${await found(search)}
${points(search)}`,
  });
  return path;
}

function headline({ best, metric, chosenOn, test }: SearchResult): Html {
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

function settingText({ setting }: SearchPoint): string {
  return Object.entries(setting)
    .map(([name, value]) => `${name} ${optionText(value)}`)
    .join(", ");
}

function what(search: SearchResult): Html {
  const { space, options, points, seed, command, best } = search;
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

async function found(search: SearchResult): Promise<Html> {
  const pairs = heatMapPairs(search, search.space);
  const varied = search.space.filter(
    ({ name }) => new Set(search.points.map(({ setting }) => JSON.stringify(setting[name]))).size > 1,
  );
  if (varied.length === 0) return html``;
  const maps = await Promise.all(pairs.map((pair) => drawPair(search, pair)));
  const charts = await Promise.all(varied.map((dimension) => drawOption(search, dimension)));
  const metric = metricLabel(search.metric);
  return html`<section>
<h2>What came out</h2>
${edgesOf(search).map((text) => html`<p class="note">${text}.</p>`)}
<div class="maps">
${maps.map((map, m) => html`<figure><figcaption>${metric} by ${pairs[m].join(" and ")}</figcaption>${map}</figure>`)}</div>
<div class="curves">
${charts.map((chart, c) => html`<figure><figcaption>${metric} by ${varied[c].name}</figcaption>${chart}</figure>`)}</div>
<p class="note">Every point with its standard error over the ${search.chosenOn} users; the choice is filled${maps.length > 0 && " and framed"}.${maps.length > 0 && varied.length > 2 && " A cell of a map is the best of the points that have both values."}</p>
</section>`;
}

function points(search: SearchResult): Html {
  const { space, metric, best } = search;
  const names = Object.keys(best.metrics ?? {});
  const score = (point: SearchPoint) => point.metrics?.[metric].mean ?? -Infinity;
  const ranked = [...search.points].sort((a, b) => score(b) - score(a));
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
<p class="note">Mean over the ${search.chosenOn} users ± its standard error, best first. Each is a run folder in points/.</p>
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
