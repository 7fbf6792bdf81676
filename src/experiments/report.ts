// report.html: one self-contained page about a run: what was trained on what, how well it ranks, how it learned, and
// what it recommends to a few test users. No script, no network, no fonts of its own; light, dark and print.

import type { EpochRecord } from "../recommender/run-context.js";
import { Html, html } from "./html.js";
import { drawCurves } from "./learning-curves.js";

export interface Estimate {
  readonly mean: number;
  /** Absent for what is no mean over users (coverage). */
  readonly standardError?: number;
}

/** One option of the algorithm, as used and as it would have been. */
export interface ReportOption {
  readonly name: string;
  readonly value: string;
  readonly defaultValue: string;
  readonly meaning: string;
}

/** A test user: what the model saw, what it recommended, what was held out. */
export interface ReportExample {
  readonly user: string;
  /** Titles of the fold-in history. */
  readonly history: readonly string[];
  readonly recommendations: readonly { readonly title: string; readonly heldOut: boolean }[];
  /** How many items were held out of this user's history. */
  readonly heldOut: number;
}

/** Everything on the page. Texts are plain; the page escapes them. */
export interface Report {
  readonly algorithm: { readonly name: string; readonly summary: string; readonly source: string };
  readonly dataset: {
    readonly name: string;
    /** How it came about, where that is known. */
    readonly protocol?: string;
    readonly trainUsers: number;
    readonly items: number;
    readonly trainInteractions: number;
    readonly validation: { readonly users: number; readonly heldOut: number };
    readonly test: { readonly users: number; readonly heldOut: number };
  };
  readonly options: readonly ReportOption[];
  readonly seed: number;
  readonly engine: string;
  /** Wall-clock seconds of training with its validation. */
  readonly seconds: number;
  readonly epochs: readonly EpochRecord[];
  /** Whether the users judged on were held out altogether, rather than parts of known users' histories. */
  readonly unseenUsers: boolean;
  /** The epoch whose weights were kept; undefined for a model without epochs. */
  readonly chosenEpoch: number | undefined;
  /** In the order to show: "ndcg@100" and so on; users are those with something held out. */
  readonly metrics: readonly {
    readonly name: string;
    readonly validation?: Estimate;
    readonly test?: Estimate;
  }[];
  readonly examples: readonly ReportExample[];
  /** When the run ended. */
  readonly finished: Date;
  readonly version: string;
}

/** The whole page. */
export async function renderReport(report: Report): Promise<string> {
  const { algorithm, dataset } = report;
  const title = `${algorithm.name} on ${dataset.name}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<h1>${algorithm.name} <span class="on">on</span> ${dataset.name}</h1>
<p class="lead">${algorithm.summary}</p>
</header>
<main>
${headline(report)}
${what(report)}
${await learning(report)}
${ranking(report)}
${examples(report)}
${options(report)}
</main>
<footer>Made by foldin ${report.version}, ${report.finished.toISOString().slice(0, 16).replace("T", " ")} UTC. Model: ${algorithm.source}</footer>
</body>
</html>
`.text;
}

/** The first three metrics, large. */
function headline({ metrics }: Report): Html {
  const shown = metrics.filter((metric) => metric.test).slice(0, 3);
  if (shown.length === 0) return html``;
  return html`<section class="headline" aria-label="Main results">
${shown.map(
  ({
    name,
    test,
  }) => html`<div><span class="figure">${test?.mean.toFixed(4)}</span><span class="label">${metricLabel(name)} ${error(test)}</span></div>
`,
)}</section>`;
}

function error(estimate: Estimate | undefined): Html | undefined {
  return estimate?.standardError === undefined
    ? undefined
    : html`<span class="error">± ${estimate.standardError.toFixed(4)}</span>`;
}

function what({ dataset, seed, engine, seconds, epochs, chosenEpoch }: Report): Html {
  const density = dataset.trainInteractions / (dataset.trainUsers * dataset.items);
  const facts: [string, string][] = [
    [
      "Trained on",
      `${count(dataset.trainInteractions)} interactions of ${count(dataset.trainUsers)} users with ${count(dataset.items)} items (${percent(density)} filled)`,
    ],
    [
      "Judged on",
      `test: ${count(dataset.test.users)} users, ${count(dataset.test.heldOut)} interactions held out; validation: ${count(dataset.validation.users)} users, ${count(dataset.validation.heldOut)} held out`,
    ],
  ];
  if (dataset.protocol) facts.push(["Data", dataset.protocol]);
  if (epochs.length > 0)
    facts.push([
      "Training",
      `${count(epochs.length)} epochs in ${duration(seconds)}${chosenEpoch === undefined ? "" : `; the weights of epoch ${count(chosenEpoch)} were kept`}`,
    ]);
  else facts.push(["Training", duration(seconds)]);
  facts.push(["Engine", engine], ["Seed", String(seed)]);
  return html`<section>
<h2>What was trained</h2>
<dl>
${facts.map(
  ([term, text]) => html`<div><dt>${term}</dt><dd>${text}</dd></div>
`,
)}</dl>
</section>`;
}

async function learning({ epochs, chosenEpoch }: Report): Promise<Html> {
  const names = new Set(epochs.flatMap((record) => Object.keys(record.values)));
  const selection =
    [...names].find((name) => name.startsWith("validation ndcg")) ??
    [...names].find((name) => name.startsWith("validation "));
  const curves = [
    ...(selection
      ? [{ value: selection, title: `Validation ${metricLabel(selection.replace("validation ", ""))}` }]
      : []),
    ...(names.has("loss") ? [{ value: "loss", title: "Training loss" }] : []),
    ...(names.has("beta") ? [{ value: "beta", title: "Beta, the KL weight" }] : []),
  ];
  if (curves.length === 0) return html``;
  const drawings = await drawCurves(epochs, curves, chosenEpoch);
  return html`<section>
<h2>How it learned</h2>
<div class="curves">
${curves.map(
  ({ title }, c) => html`<figure><figcaption>${title}</figcaption>${drawings[c]}</figure>
`,
)}</div>
<p class="note">By epoch.${chosenEpoch === undefined ? "" : ` The dashed line marks epoch ${count(chosenEpoch)}, whose weights were kept: ${selection ? "the best on the validation users" : "the last"}.`}</p>
</section>`;
}

function ranking({ metrics }: Report): Html {
  if (metrics.length === 0) return html``;
  const cell = (estimate: Estimate | undefined) =>
    estimate ? html`<td>${estimate.mean.toFixed(4)} ${error(estimate)}</td>` : html`<td>–</td>`;
  return html`<section>
<h2>How well it ranks</h2>
<table class="ranking">
<thead><tr><th scope="col">Metric</th><th scope="col">Test</th><th scope="col">Validation</th></tr></thead>
<tbody>
${metrics.map(
  ({
    name,
    test,
    validation,
  }) => html`<tr><th scope="row">${metricLabel(name)}</th>${cell(test)}${cell(validation)}</tr>
`,
)}</tbody>
</table>
<p class="note">Mean over users ± its standard error. What a user already has is never recommended again.</p>
</section>`;
}

const HISTORY_SHOWN = 10;

function examples({ examples, unseenUsers }: Report): Html {
  if (examples.length === 0) return html``;
  return html`<section>
<h2>What it recommends</h2>
<p class="note">${unseenUsers ? "Users of the test set, whom the model has never seen. Part of each history was folded in, the rest held out;" : "Some of the users judged on. The history was folded in, and what else they chose held out;"} <mark>marked</mark> recommendations were held out: the user did choose them.</p>
${examples.map(
  ({ user, history, recommendations, heldOut }) => html`<article>
<h3>User ${user}</h3>
<div class="columns">
<div><h4>History, ${count(history.length)} ${history.length === 1 ? "item" : "items"}</h4>
<ul>
${history.slice(0, HISTORY_SHOWN).map(
  (title) => html`<li>${title}</li>
`,
)}</ul>
${history.length > HISTORY_SHOWN && html`<p class="more">and ${count(history.length - HISTORY_SHOWN)} more</p>`}
</div>
<div><h4>Recommended: ${recommendations.filter((item) => item.heldOut).length} of ${count(heldOut)} held out found</h4>
<ol>
${recommendations.map(
  (item) => html`<li>${item.heldOut ? html`<mark>${item.title}</mark>` : item.title}</li>
`,
)}</ol>
</div>
</div>
</article>
`,
)}</section>`;
}

function options({ options }: Report): Html {
  if (options.length === 0) return html``;
  const changed = options.filter((option) => option.value !== option.defaultValue).length;
  return html`<section>
<h2>Options</h2>
<p class="note">${changed === 0 ? "All as the default has them." : `${count(changed)} of ${count(options.length)} differ from the default.`}</p>
<table class="options">
<thead><tr><th scope="col">Option</th><th scope="col">Value</th><th scope="col">Meaning</th></tr></thead>
<tbody>
${options.map(({ name, value, defaultValue, meaning }) => {
  const differs = value !== defaultValue;
  return html`<tr${differs && html` class="changed"`}><th scope="row">${name}</th><td>${value}${differs && html`<span class="default">default ${defaultValue}</span>`}</td><td>${meaning}</td></tr>
`;
})}</tbody>
</table>
</section>`;
}

const metricNames: Record<string, string> = {
  ndcg: "NDCG",
  recall: "Recall",
  "recall-plain": "Recall (plain)",
  precision: "Precision",
  map: "MAP",
  mrr: "MRR",
  "hit-rate": "Hit rate",
  coverage: "Coverage",
};

/** "ndcg@100" -> "NDCG@100". */
export function metricLabel(name: string): string {
  const [kind, k] = name.split("@");
  const label = metricNames[kind] ?? kind;
  return k === undefined ? label : `${label}@${k}`;
}

export function count(value: number): string {
  return value.toLocaleString("en-US");
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export const STYLE = `
:root { --paper: #ffffff; --ink: #1b1f23; --muted: #667079; --rule: #e4e7ea; --accent: #0b7a75; --found: #d8f0e6; --soft: #f6f7f8; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --ink: #e6e8ea; --muted: #97a1ab; --rule: #2b3138; --accent: #45c2b1; --found: #17453c; --soft: #1b1f24; }
}
@media print {
  :root { --paper: #ffffff; --ink: #000000; --muted: #555555; --rule: #cccccc; --accent: #0b7a75; --found: #d8f0e6; --soft: #ffffff; }
  @page { margin: 16mm; }
  article, figure, tr { break-inside: avoid; }
  h2, h2 + .note { break-after: avoid; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 3.5rem 1.5rem 2rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; font-variant-numeric: tabular-nums;
  -webkit-print-color-adjust: exact; print-color-adjust: exact; }
h1 { margin: 0; font-size: 2.1rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h1 .on { color: var(--muted); font-weight: 400; }
h2 { margin: 0 0 0.9rem; font-size: 1.2rem; font-weight: 650; letter-spacing: -0.01em; }
h3 { margin: 0 0 0.6rem; font-size: 1rem; font-weight: 650; }
h4 { margin: 0 0 0.35rem; font-size: 0.85rem; font-weight: 500; color: var(--muted); }
section { margin-top: 3rem; }
.lead { margin: 0.5rem 0 0; max-width: 46rem; color: var(--muted); font-size: 1.05rem; }
.headline { display: flex; flex-wrap: wrap; gap: 1.5rem 4rem; margin-top: 2.2rem; }
.headline div { display: flex; flex-direction: column; }
.figure { font-size: 2.6rem; line-height: 1.15; font-weight: 600; letter-spacing: -0.02em; color: var(--accent); }
.label { color: var(--muted); font-size: 0.95rem; }
.error, .default, .more, .note { color: var(--muted); }
.error { font-size: 0.9em; white-space: nowrap; }
.note { margin: 0.6rem 0 0; max-width: 46rem; font-size: 0.9rem; }
h2 + .note { margin: -0.5rem 0 1rem; }
dl { margin: 0; }
dl div { display: grid; grid-template-columns: 8rem 1fr; gap: 0 1rem; padding: 0.4rem 0; border-top: 1px solid var(--rule); }
dl div:last-child { border-bottom: 1px solid var(--rule); }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 0.4rem 1.5rem 0.4rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-size: 0.85rem; }
tbody th { white-space: nowrap; }
.ranking { max-width: 40rem; }
.wide { overflow-x: auto; }
.estimate { white-space: nowrap; }
.options { font-size: 0.92rem; }
.options td:nth-child(2) { min-width: 7rem; overflow-wrap: anywhere; }
.options td:nth-child(3) { color: var(--muted); }
.changed th, .changed td:nth-child(2) { font-weight: 650; }
.default { display: block; font-size: 0.85em; font-weight: 400; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1.5rem 2rem; }
.note + .curves { margin-top: 1.25rem; }
.curves svg { display: block; width: 100%; height: auto; max-width: 30rem; font-family: inherit; }
figure { margin: 0; }
figcaption { margin-bottom: 0.5rem; font-size: 0.9rem; font-weight: 500; }
article { margin-top: 1.2rem; padding: 1.1rem 1.3rem; border-radius: 10px; background: var(--soft); border: 1px solid var(--rule); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1rem 2.5rem; }
ul, ol { margin: 0; padding-left: 1.9rem; font-size: 0.95rem; }
ul { list-style: none; padding-left: 0; }
li { overflow-wrap: anywhere; }
li::marker { color: var(--muted); font-size: 0.85em; }
.more { margin: 0.2rem 0 0; font-size: 0.9rem; }
mark { background: var(--found); color: inherit; padding: 0.05em 0.35em; margin-left: -0.35em; border-radius: 4px; }
.note mark { margin-left: 0; }
footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); color: var(--muted); font-size: 0.85rem; }
@media print {
  body { padding: 0; max-width: none; font-size: 10pt; }
  section { margin-top: 2rem; }
  .curves { grid-template-columns: repeat(3, 1fr); gap: 1rem; }
}
@media screen and (max-width: 40rem) {
  body { padding-top: 2rem; }
  dl div { grid-template-columns: 1fr; }
  .options td:nth-child(3), .options th:nth-child(3) { display: none; }
}
`;
