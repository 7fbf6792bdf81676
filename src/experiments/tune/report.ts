// The page of `tune`: the best model, the leaderboard, the results on the test users, how the search went, and what was left out.

import { duration } from "../../core/duration.js";
import { COMPARISON_STYLE, drawMeans, rankedTable } from "../compare/report.js";
import { type Html, html } from "../html.js";
import { metricLabel } from "../metric-label.js";
import { count } from "../numbers.js";
import { optionText } from "../option-text.js";
import { writePage } from "../page.js";
import { estimateText } from "../reproduction-report.js";
import { drawModels, drawProgress } from "./chart.js";
import type { TuneResult } from "./result.js";
import type { KeptTrial } from "./state.js";

export async function reportOnTuning(
  path: string,
  result: TuneResult,
  trials: readonly KeptTrial[],
  finished = new Date(),
): Promise<void> {
  const { dataset, models, metric } = result;
  await writePage(path, {
    title: `Tuning on ${dataset}`,
    heading: html`Tuning <span class="on">on</span> ${dataset}`,
    lead: `${count(result.trials)} trials of ${count(models.length)} models in ${duration(result.seconds)}, chosen by ${metricLabel(metric)} on the validation users.`,
    style: COMPARISON_STYLE + OWN_STYLE,
    finished,
    body: html`${headline(result)}
${leaderboard(result)}
${await onTestUsers(result)}
${await progress(result, trials)}
${facts(result)}
${leftOut(result)}`,
  });
}

function headline({ models, best, blend, metric, refitted, refittedBlend }: TuneResult): Html {
  const single = models.find(({ run }) => run === best);
  const figures = [
    single && { label: `${single.model}, validation ${metricLabel(metric)}`, value: single.validation },
    blend && {
      label: `blend of ${blend.parts.map(({ model, weight }) => `${model} ${weight.toFixed(1)}`).join(" and ")}, validation ${metricLabel(metric)}`,
      value: blend.validation,
    },
    refitted?.test && {
      label: `${single?.model} trained again with the validation users, test ${metricLabel(metric)}`,
      value: refitted.test[metric],
    },
    refittedBlend?.test && {
      label: `the blend trained again with the validation users, test ${metricLabel(metric)}`,
      value: refittedBlend.test[metric],
    },
  ];
  return html`<section class="headline" aria-label="Main results">
${figures.map(
  (figure) =>
    figure &&
    html`<div><span class="figure">${figure.value.mean.toFixed(4)}</span><span class="label">${figure.label} ${figure.value.standardError !== undefined && html`<span class="error">± ${figure.value.standardError.toFixed(4)}</span>`}</span></div>
`,
)}</section>`;
}

function leaderboard({ models, metric, best }: TuneResult): Html {
  return html`<section>
<h2>Leaderboard</h2>
<div class="wide"><table class="points">
<thead><tr><th scope="col">Model</th><th scope="col">Validation ${metricLabel(metric)}</th><th scope="col">Options</th><th scope="col">Trials</th><th scope="col">Training</th><th scope="col">All its trials</th></tr></thead>
<tbody>
${models.map(
  ({ model, validation, options, trials, seconds, totalSeconds, run }) =>
    html`<tr${run === best && html` class="changed"`}><th scope="row">${model}</th><td>${estimateText(validation)}${run === undefined && " (stopped early)"}</td><td class="options">${
      Object.entries(options)
        .map(([name, value]) => `${name} ${optionText(value)}`)
        .join(", ") || "defaults"
    }</td><td>${trials}</td><td>${duration(seconds)}</td><td>${duration(totalSeconds)}</td></tr>
`,
)}</tbody>
</table></div>
<p class="note">The best trial of each model: mean over the validation users ± standard error. Options that are not listed have their defaults. Validation results are optimistic, because the trials were chosen by them.</p>
</section>`;
}

async function onTestUsers({ comparison, metric }: TuneResult): Promise<Html> {
  if (!comparison) return html``;
  return html`<section>
<h2>Test users</h2>
<figure class="means">${await drawMeans(comparison.systems, metric)}</figure>
${rankedTable(comparison, metric)}
<p class="note">Evaluated once, after everything was chosen.</p>
</section>`;
}

async function progress({ metric }: TuneResult, trials: readonly KeptTrial[]): Promise<Html> {
  return html`<section>
<h2>Trials</h2>
<figure><figcaption>Validation ${metricLabel(metric)} by trial</figcaption>${await drawProgress(trials, metric)}</figure>
<figure><figcaption>Validation ${metricLabel(metric)} by model</figcaption>${await drawModels(trials, metric)}</figure>
<p class="note">A hollow point is a training that was stopped early. The line is the best value so far.</p>
</section>`;
}

function facts({
  shape,
  seed,
  command,
  trials,
  failed,
  paused,
  firstModelSeconds,
  recipe,
}: TuneResult): Html {
  const rows: [string, string | Html][] = [
    [
      "Data",
      `${count(shape.users)} training users, ${count(shape.items)} items, ${count(shape.interactions)} interactions (density ${shape.density.toPrecision(2)})`,
    ],
    ["Trials", `${count(trials)}, of which ${count(paused)} were stopped early and ${count(failed)} failed`],
    ...(firstModelSeconds === undefined
      ? []
      : [["First model", `after ${duration(firstModelSeconds)}`] as [string, string]]),
    ["Seed", String(seed)],
    ["Command", html`<code>${command}</code>`],
    ["Recipe", html`<code>${recipe}</code>`],
  ];
  return html`<section>
<h2>Search</h2>
<dl>
${rows.map(
  ([term, text]) => html`<div><dt>${term}</dt><dd>${text}</dd></div>
`,
)}</dl>
</section>`;
}

function leftOut({ leftOut }: TuneResult): Html {
  if (leftOut.length === 0) return html``;
  return html`<section>
<h2>Left out</h2>
<dl>
${leftOut.map(
  ({ model, reason }) => html`<div><dt>${model}</dt><dd>${reason}</dd></div>
`,
)}</dl>
</section>`;
}

const OWN_STYLE = `
code { font: 0.9em ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
.points { font-size: 0.92rem; }
.points td { white-space: nowrap; }
.points td.options { white-space: normal; min-width: 16rem; }
.points .changed td, .points .changed th { font-weight: 650; }
.wide { overflow-x: auto; }
`;
