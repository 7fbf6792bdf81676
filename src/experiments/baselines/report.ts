// The page of the preset `baselines`: every model in one table, best first, and the significance of the differences.

import { duration } from "../../core/duration.js";
import { COMPARISON_STYLE, drawMeans, rankedTable, testsOf } from "../compare/report.js";
import { type Html, html } from "../html.js";
import { metricLabel } from "../metric-label.js";
import { count } from "../numbers.js";
import { optionText } from "../option-text.js";
import { writePage } from "../page.js";
import { estimateText } from "../reproduction-report.js";
import type { BaselineRow, Baselines } from "./result.js";

export async function reportOnBaselines(
  path: string,
  result: Baselines,
  finished = new Date(),
): Promise<void> {
  const { dataset, comparison, rows, shortenedTo } = result;
  const failed = rows.filter(({ failure }) => failure !== undefined);
  await writePage(path, {
    title: `Baselines on ${dataset}`,
    heading: html`Baselines <span class="on">on</span> ${dataset}`,
    lead: `${count(comparison.systems.length)} models with options chosen on the validation users, each evaluated once on the same ${count(comparison.users)} test users.`,
    style: COMPARISON_STYLE + OWN_STYLE,
    finished,
    body: html`${shortenedTo !== undefined && html`<p class="warning">Shortened run (--epochs ${shortenedTo}). The numbers are not comparable with a full run.</p>`}
<section>
<h2>Test results</h2>
${rankedTable(comparison, result.metric)}
</section>
${failed.length > 0 && html`<section><h2>Models that could not be trained</h2>${failed.map(({ model, failure }) => html`<p class="note"><b>${model}</b>: ${failure}</p>`)}</section>`}
<section>
<h2>Comparison</h2>
<figure class="means">${await drawMeans(comparison.systems, result.metric)}</figure>
<p class="note">${metricLabel(result.metric)}: mean over the test users ± standard error.</p>
</section>
${testsOf({ ...comparison, metrics: [result.metric] })}
${choices(result)}`,
  });
}

function choices({ rows, metric }: Baselines): Html {
  return html`<section>
<h2>Selected options</h2>
<div class="wide"><table class="points">
<thead><tr><th scope="col">Model</th><th scope="col">Validation ${metricLabel(metric)}</th><th scope="col">Training</th><th scope="col">Options</th></tr></thead>
<tbody>
${rows
  .filter(({ failure }) => failure === undefined)
  .map(
    (
      row,
    ) => html`<tr><th scope="row">${row.model}</th><td>${row.validation && estimateText(row.validation)}</td><td>${timesText(row)}</td><td class="options-of">${optionsText(row)}</td></tr>
`,
  )}</tbody>
</table></div>
</section>`;
}

/** "12 s", or with the search: "12 s (search: 2 min 3 s)" */
export function timesText({ seconds = 0, searchSeconds = 0 }: BaselineRow): string {
  return searchSeconds > 1.01 * seconds
    ? `${duration(seconds)} (search: ${duration(searchSeconds)})`
    : duration(seconds);
}

/** "best of 6 points: lambda=500" */
export function optionsText({ how, chosen }: BaselineRow): string {
  const settings = Object.entries(chosen).map(([name, value]) => `${name}=${optionText(value)}`);
  return settings.length > 0 ? `${how}: ${settings.join(" ")}` : how;
}

const OWN_STYLE = `
.points { font-size: 0.92rem; }
.points td { white-space: nowrap; }
.points td.options-of { white-space: normal; min-width: 12rem; color: var(--muted); font-weight: 400; }
.changed th, .changed td { font-weight: 650; }
.means svg { display: block; max-width: 100%; height: auto; font-family: inherit; }
`;
