// The page of a reproduced preset: our numbers and the published ones, the network, and the learning curves of each run.

import { join } from "node:path";
import { duration } from "../core/duration.js";
import type { MetricValue } from "../evaluation/evaluate.js";
import { dataFigures } from "./data-plots.js";
import { DEPTH_STYLE } from "./depth-chart.js";
import { depthSection, listsSection } from "./depth-section.js";
import { drawHeatMap, HEAT_MAP_STYLE } from "./heat-map.js";
import { type Html, html } from "./html.js";
import { drawCurves } from "./learning-curves.js";
import { metricLabel } from "./metric-label.js";
import { networkSection } from "./network-diagram.js";
import { count } from "./numbers.js";
import { optionText, optionTexts } from "./option-text.js";
import { writePage } from "./page.js";
import type { Published } from "./presets/preset.js";
import type { RepeatedValue } from "./repetitions.js";
import type { ReproducedRun, ReproducedStudy, Reproduction } from "./reproduce.js";

/** The difference in units of its standard error; undefined if either standard error is unknown. */
export function standardErrorsApart(ours: MetricValue, published: Published | undefined): number | undefined {
  if (!published || !ours.standardError) return undefined;
  return (ours.mean - published.mean) / Math.hypot(ours.standardError, published.standardError ?? 0);
}

/** "0.3551 ± 0.0021" */
export function estimateText({ mean, standardError }: MetricValue | Published): string {
  return standardError === undefined ? mean.toFixed(4) : `${mean.toFixed(4)} ± ${standardError.toFixed(4)}`;
}

/** Run-to-run standard deviation of a row with several seeds. */
export function runDeviationText({ runDeviation }: RepeatedValue): string {
  return runDeviation === undefined ? "" : runDeviation.toFixed(4);
}

/** "12 %", "0.31 %" or "1e-7": the probability of the published number or one further from ours. */
export function chanceText(chance: number | undefined): string {
  if (chance === undefined) return "";
  const percent = 100 * chance;
  return percent < 0.01 ? chance.toExponential(0) : `${Number(percent.toPrecision(2))} %`;
}

/** What the chance of a published number is. */
export const CHANCE_NOTE =
  "Chance: the probability that one more run on these test users has the published value or one further from our mean, by Student's t distribution with the mean and the deviation of our runs.";

/** "28 of 36", or for several seeds the epochs of each. */
export function epochsText({ seeds, epochs, chosenEpoch }: ReproducedRun): string {
  if (seeds && seeds.length > 1) return seeds.map((one) => one.epochs).join(", ");
  return `${chosenEpoch ?? "–"} of ${epochs}`;
}

/** "likelihood: Bernoulli (validation NDCG@100 .4012; multinomial .3987)"; undefined where nothing was chosen. */
export function choiceText({ choice }: ReproducedRun): string | undefined {
  if (!choice) return undefined;
  const value = ({ value }: { value: number }) => value.toFixed(4);
  const chosen = choice.candidates.find((candidate) => candidate.chosen);
  const others = choice.candidates.filter((candidate) => !candidate.chosen);
  if (!chosen) return undefined;
  return `chosen on the validation users: ${chosen.title} (${metricLabel(choice.metric.replace("validation ", ""))} ${value(chosen)}; ${others.map((other) => `${other.title} ${value(other)}`).join(", ")})`;
}

/** "+1.3 se" */
export function apartText(apart: number | undefined): string {
  return apart === undefined ? "" : `${apart < 0 ? "−" : "+"}${Math.abs(apart).toFixed(1)} SE`;
}

/** Writes report.html into the folder. */
export async function reportOnReproduction(
  folder: string,
  result: Reproduction,
  finished = new Date(),
): Promise<string> {
  const path = join(folder, "report.html");
  const studies = await Promise.all(result.studies.map(studySection));
  await writePage(path, {
    title: result.preset,
    lead: result.summary,
    style: HEAT_MAP_STYLE + DEPTH_STYLE,
    finished,
    source: `Published: ${result.source}`,
    body: html`${result.shortenedTo !== undefined && html`<p class="warning">Shortened run (--epochs ${result.shortenedTo}). These numbers are not a reproduction.</p>`}
${studies}
${result.skipped.length > 0 && html`<section><h2>Left out</h2>${result.skipped.map(({ title, why }) => html`<p class="note">${title}: ${why}.</p>`)}</section>`}
${result.network && networkSection(result.network)}`,
  });
  return path;
}

async function studySection(study: ReproducedStudy): Promise<Html> {
  const curves = await Promise.all(study.runs.map((run) => runCurves(study, run)));
  const compared = study.runs.some(({ metrics }) =>
    Object.values(metrics).some(({ published }) => published !== undefined),
  );
  const repeated = study.runs.some(({ seeds }) => seeds && seeds.length > 1);
  const maps = study.grid ? await gridMaps(study, study.grid) : undefined;
  const opening = html`<section>
<h2>${study.title}</h2>
<p class="note">${count(study.trainUsers)} training users, ${count(study.items)} items, ${count(study.testUsers)} test users. ${study.note}${study.publishedBy !== undefined && html` Published: ${study.publishedBy}.`}</p>`;
  const trainings = html`<details><summary>All runs</summary>${curves}</details>`;
  const figures = await dataFigures(study.data);
  const data = figures && html`<details><summary>The training data</summary>${figures}</details>`;
  if (study.byDepth !== undefined)
    return html`${opening}
${listsSection(study)}
${await depthSection(study)}
${data}
${trainings}
</section>`;
  return html`${opening}
${maps}
<div class="wide"><table class="ranking" style="max-width:none">
<thead><tr><th scope="col">Model</th><th scope="col">Metric</th><th scope="col">Ours</th>${repeated && html`<th scope="col">Run to run</th>`}${compared && html`<th scope="col">Published</th><th scope="col">Difference</th>${repeated && html`<th scope="col">Chance</th>`}`}</tr></thead>
<tbody>
${study.runs.map((run) =>
  Object.entries(run.metrics).map(
    ([name, { ours, published, chance }], m) =>
      html`<tr><th scope="row">${m === 0 && run.title}</th><td>${metricLabel(name)}</td><td class="estimate">${estimateText(ours)}</td>${repeated && html`<td>${runDeviationText(ours)}</td>`}${compared && html`<td class="estimate">${published ? estimateText(published) : "–"}</td><td>${apartText(standardErrorsApart(ours, published))}</td>${repeated && html`<td>${chanceText(chance)}</td>`}`}</tr>
`,
  ),
)}</tbody>
</table></div>
<p class="note">Mean over test users ± its standard error${compared && "; the difference in standard errors (se)"}. ${repeated && html`Rows with several seeds have the mean over the runs, with the standard deviation from run to run. ${compared && CHANCE_NOTE} `}${study.truth === "complete" ? "Evaluated against complete rows, as published." : ""} ${!study.maskKnown && "Known items are not masked, as published."}</p>
${data}
${study.grid ? trainings : curves}
</section>`;
}

/** Our and the published numbers of a grid, side by side; the best of each is framed. */
async function gridMaps(
  { runs }: ReproducedStudy,
  { x, y, metric }: NonNullable<ReproducedStudy["grid"]>,
): Promise<Html> {
  const valuesOf = (name: string) => [...new Set(runs.map(({ options }) => optionText(options[name])))];
  const axes = { x, y, columns: valuesOf(x), rows: valuesOf(y) };
  const cellsOf = (values: readonly (number | undefined)[]) => {
    const best = Math.max(...values.filter((value) => value !== undefined));
    return runs.flatMap(({ options }, r) => {
      const value = values[r];
      const at = { x: optionText(options[x]), y: optionText(options[y]) };
      return value === undefined ? [] : [{ ...at, value, best: value === best }];
    });
  };
  const drawings = [
    { who: "ours", cells: cellsOf(runs.map(({ metrics }) => metrics[metric]?.ours.mean)) },
    { who: "published", cells: cellsOf(runs.map(({ metrics }) => metrics[metric]?.published?.mean)) },
  ].filter(({ cells }) => cells.length > 0);
  const label = metricLabel(metric);
  const maps = await Promise.all(
    drawings.map(({ who, cells }) => drawHeatMap(cells, axes, `${label} by ${x} and ${y}, ${who}`)),
  );
  return html`<div class="maps">${maps.map((map, m) => html`<figure><figcaption>${label}, ${drawings[m].who}</figcaption>${map}</figure>`)}</div>`;
}

async function runCurves({ curve }: ReproducedStudy, run: ReproducedRun): Promise<Html> {
  const names = new Set(run.history.flatMap((record) => Object.keys(record.values)));
  const wanted = [
    { value: curve, title: `Validation ${metricLabel(curve.replace("validation ", ""))}` },
    { value: "loss", title: "Training loss" },
    { value: "validation loss", title: "Validation loss" },
    { value: "beta", title: "Beta (KL weight)" },
  ].filter(({ value }) => names.has(value));
  if (wanted.length === 0) return html``;
  const drawings = await drawCurves(run.history, wanted, run.chosenEpoch ?? undefined);
  const options = optionTexts(run.options);
  return html`<article>
<h3>${run.title}</h3>
<p class="note">${[run.note, choiceText(run)].map((text) => text !== undefined && html`${text}. `)}${count(run.epochs)} ${run.epochs === 1 ? "epoch" : "epochs"} in ${duration(run.seconds)}; evaluated with the weights of epoch ${run.chosenEpoch ?? "–"} (dashed), seed ${run.seed}${run.seeds && run.seeds.length > 1 && html` (the first of ${run.seeds.length})`}. ${run.model}: ${options.join(", ")}</p>
<div class="curves">
${wanted.map(({ title }, c) => html`<figure><figcaption>${title}</figcaption>${drawings[c]}</figure>`)}</div>
</article>`;
}
