// report.html: one self-contained page about a run: data and training, learning curves, metrics, recommendations for a few test
// users, and options. No script, no network, no embedded fonts; light, dark and print.

import { duration } from "../core/duration.js";
import type { Segments } from "../evaluation/segments.js";
import type { NetworkOutline } from "../recommender/outline.js";
import type { EpochRecord } from "../recommender/run-context.js";
import type { PlottedData } from "./data-plot-specs.js";
import { dataPlots } from "./data-plots.js";
import { type Html, html } from "./html.js";
import { drawCurves } from "./learning-curves.js";
import { metricLabel } from "./metric-label.js";
import { networkSection } from "./network-diagram.js";
import { count } from "./numbers.js";
import { pageText } from "./page.js";
import { segmentsSection } from "./segments-section.js";

export interface Estimate {
  readonly mean: number;
  /** Absent for metrics that are not a mean over users (coverage, Gini index). */
  readonly standardError?: number;
}

/** One option of the algorithm, with its value and its default. */
interface ReportOption {
  readonly name: string;
  readonly value: string;
  readonly defaultValue: string;
  readonly meaning: string;
}

/** A test user: the history, the recommendations, and the held-out items. */
export interface ReportExample {
  readonly user: string;
  /** Titles of the fold-in history. */
  readonly history: readonly string[];
  readonly recommendations: readonly { readonly title: string; readonly heldOut: boolean }[];
  /** Number of held-out items of this user. */
  readonly heldOut: number;
}

/** Everything on the page. Texts are plain; the page escapes them. */
export interface Report {
  readonly algorithm: { readonly name: string; readonly summary: string; readonly source: string };
  readonly dataset: {
    readonly name: string;
    /** A description of protocol and filters, if known. */
    readonly protocol?: string;
    readonly trainUsers: number;
    readonly items: number;
    readonly trainInteractions: number;
    readonly validation: { readonly users: number; readonly heldOut: number };
    readonly test: { readonly users: number; readonly heldOut: number };
    /** What is drawn of the training data. */
    readonly plots?: PlottedData;
  };
  readonly options: readonly ReportOption[];
  readonly seed: number;
  readonly engine: string;
  /** Wall-clock seconds of training, including validation. */
  readonly seconds: number;
  readonly epochs: readonly EpochRecord[];
  /** Whether the evaluated users are held-out users, rather than training users with held-out items. */
  readonly unseenUsers: boolean;
  /** The epoch whose weights were kept; undefined for a model without epochs. */
  readonly chosenEpoch: number | undefined;
  /** In display order: "ndcg@100" and so on. */
  readonly metrics: readonly {
    readonly name: string;
    readonly validation?: Estimate;
    readonly test?: Estimate;
  }[];
  /** Of the test users: by length of the history and by popularity of the held-out items. */
  readonly segments?: Segments;
  /** Of a model that is a network. */
  readonly network?: NetworkOutline;
  readonly examples: readonly ReportExample[];
  /** When the run ended. */
  readonly finished: Date;
}

/** The first metrics are also shown by segments. */
const SEGMENT_METRICS = 3;

/** The whole page. */
export async function renderReport(report: Report): Promise<string> {
  const { algorithm, dataset } = report;
  return pageText({
    title: `${algorithm.name} on ${dataset.name}`,
    heading: html`${algorithm.name} <span class="on">on</span> ${dataset.name}`,
    lead: algorithm.summary,
    finished: report.finished,
    source: `Model: ${algorithm.source}`,
    body: html`${headline(report)}
${what(report)}
${dataset.plots && (await dataPlots(dataset.plots))}
${await learning(report)}
${ranking(report)}
${
  report.segments &&
  segmentsSection(
    report.segments,
    report.metrics.slice(0, SEGMENT_METRICS).map(({ name }) => name),
  )
}
${examples(report)}
${report.network && networkSection(report.network)}
${options(report)}`,
  });
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
      `${count(dataset.trainInteractions)} interactions, ${count(dataset.trainUsers)} users, ${count(dataset.items)} items (density ${percent(density)})`,
    ],
    [
      "Evaluated on",
      `test: ${count(dataset.test.users)} users, ${count(dataset.test.heldOut)} held-out interactions; validation: ${count(dataset.validation.users)} users, ${count(dataset.validation.heldOut)} held-out interactions`,
    ],
  ];
  if (dataset.protocol) facts.push(["Data", dataset.protocol]);
  if (epochs.length > 0)
    facts.push([
      "Training",
      `${count(epochs.length)} epochs in ${duration(seconds)}${chosenEpoch === undefined ? "" : `; weights of epoch ${count(chosenEpoch)}`}`,
    ]);
  else facts.push(["Training", duration(seconds)]);
  facts.push(["Engine", engine], ["Seed", String(seed)]);
  return html`<section>
<h2>Data and training</h2>
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
    ...(names.has("beta") ? [{ value: "beta", title: "Beta (KL weight)" }] : []),
  ];
  if (curves.length === 0) return html``;
  const drawings = await drawCurves(epochs, curves, chosenEpoch);
  return html`<section>
<h2>Learning curves</h2>
<div class="curves">
${curves.map(
  ({ title }, c) => html`<figure><figcaption>${title}</figcaption>${drawings[c]}</figure>
`,
)}</div>
<p class="note">By epoch.${chosenEpoch === undefined ? "" : ` The dashed line marks epoch ${count(chosenEpoch)}, whose weights were kept (${selection ? "the best on the validation users" : "the last epoch"}).`}</p>
</section>`;
}

function ranking({ metrics }: Report): Html {
  if (metrics.length === 0) return html``;
  const cell = (estimate: Estimate | undefined) =>
    estimate ? html`<td>${estimate.mean.toFixed(4)} ${error(estimate)}</td>` : html`<td>–</td>`;
  return html`<section>
<h2>Metrics</h2>
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
<p class="note">Mean over users ± standard error. Items of the history are not recommended again.</p>
</section>`;
}

const HISTORY_SHOWN = 10;

function examples({ examples, unseenUsers }: Report): Html {
  if (examples.length === 0) return html``;
  return html`<section>
<h2>Example recommendations</h2>
<p class="note">${unseenUsers ? "Test users who were not used in training. Part of each user's items was folded in, the rest was held out." : "Some of the test users. Their history was folded in, and the other items were held out."} <mark>Highlighted</mark> recommendations are held-out items of the user.</p>
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
<div><h4>Recommendations, ${recommendations.filter((item) => item.heldOut).length} of ${count(heldOut)} held-out items found</h4>
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
<p class="note">${changed === 0 ? "All options have their default value." : `${count(changed)} of ${count(options.length)} options differ from the default.`}</p>
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

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
