// The page of a search: the best point, the search space, results by option, and all points. No script, no network.

import { join } from "node:path";
import { duration } from "../../core/duration.js";
import { HEAT_MAP_STYLE } from "../heat-map.js";
import { type Html, html } from "../html.js";
import { metricLabel } from "../metric-label.js";
import { count } from "../numbers.js";
import { optionText } from "../option-text.js";
import { writePage } from "../page.js";
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
    lead: `${count(search.points.length)} ${search.points.length === 1 ? "point" : "points"}; the best is selected by ${metricLabel(search.metric)} on the ${search.chosenOn} users.`,
    style: HEAT_MAP_STYLE + OWN_STYLE,
    finished,
    body: html`${search.chosenOn === "test" && html`<p class="warning">The point was selected on the test users. Its score is the maximum of ${count(search.points.length)} and overestimates the quality for new users.</p>`}
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
      : [{ label: `test ${metricLabel(metric)} of the best point`, value: test[metric] }]),
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
    ["Best point", settingText(best)],
    ["Search space", space.map(spaceText).join("  ")],
    [
      "Fixed options",
      Object.entries(options)
        .map(([name, value]) => `${name} ${optionText(value)}`)
        .join(", ") || "none (defaults of the model)",
    ],
    [
      "Points",
      `${count(points.length)}${failed > 0 ? `, of which ${count(failed)} failed` : ""}; total training time ${duration(seconds)}`,
    ],
    ["Seed", String(seed)],
    ["Command", html`<code>${command}</code>`],
  ];
  return html`<section>
<h2>Search</h2>
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
<h2>Results by option</h2>
${edgesOf(search).map((text) => html`<p class="note">${text}.</p>`)}
<div class="maps">
${maps.map((map, m) => html`<figure><figcaption>${metric} by ${pairs[m].join(" and ")}</figcaption>${map}</figure>`)}</div>
<div class="curves">
${charts.map((chart, c) => html`<figure><figcaption>${metric} by ${varied[c].name}</figcaption>${chart}</figure>`)}</div>
<p class="note">All points with their standard errors over the ${search.chosenOn} users; the best point is filled${maps.length > 0 && " (framed in the maps)"}.${maps.length > 0 && varied.length > 2 && " A cell of a map shows the best point with both values."}</p>
</section>`;
}

function points(search: SearchResult): Html {
  const { space, metric, best } = search;
  const names = Object.keys(best.metrics ?? {});
  const score = (point: SearchPoint) => point.metrics?.[metric].mean ?? -Infinity;
  const ranked = [...search.points].sort((a, b) => score(b) - score(a));
  return html`<section>
<h2>All points</h2>
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
<p class="note">Mean over the ${search.chosenOn} users ± standard error, best first. Each point has a run folder in points/.</p>
</section>`;
}

const OWN_STYLE = `
code { font: 0.9em ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
.points { font-size: 0.92rem; }
.points td { white-space: nowrap; }
.points .changed td { font-weight: 650; }
.points td[colspan] { white-space: normal; }
.wide { overflow-x: auto; }
`;
