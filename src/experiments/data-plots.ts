// What a dataset looks like, drawn: its ratings, and interactions per user and per item. On the page of `foldin describe --plots`
// and in a run's report.

import type { DatasetDescription } from "../data/describe.js";
import { drawChart } from "./chart.js";
import { barsSpec, inWords, PLOTS_NOTE, type PlottedData, plotsOf } from "./data-plot-specs.js";
import { type Html, html } from "./html.js";
import { writePage } from "./page.js";

const WIDTH = 320;
const HEIGHT = 180;

/** The plots of the training data, as a section of a page; nothing for a dataset without interactions. */
export async function dataPlots(data: PlottedData): Promise<Html | false> {
  const figures = await dataFigures(data);
  return (
    figures &&
    html`<section>
<h2>The training data</h2>
${figures}
</section>`
  );
}

/** The plots of the training data; nothing for a dataset without interactions. */
export async function dataFigures(data: PlottedData): Promise<Html | false> {
  const plots = plotsOf(data);
  if (plots.length === 0) return false;
  const drawn: Html[] = [];
  for (const { title, bins } of plots)
    drawn.push(await drawChart(barsSpec(bins, WIDTH, HEIGHT), `${title}. ${inWords(bins)}`));
  return html`<div class="curves">
${plots.map(
  ({ title }, p) => html`<figure><figcaption>${title}</figcaption>${drawn[p]}</figure>
`,
)}</div>
<p class="note">${PLOTS_NOTE}</p>`;
}

/** Writes the page of a dataset: its counts and its plots. */
export async function writeDatasetPage(path: string, description: DatasetDescription): Promise<void> {
  const { name, users, items, interactions, density, filtered, filteredDensity, source } = description;
  const count = (value: number) => value.toLocaleString("en-US");
  const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;
  const facts: [string, string][] = [
    [
      "Training",
      `${count(interactions)} interactions of ${count(users)} users with ${count(items)} items, ${percent(density)} of users x items`,
    ],
  ];
  if (filtered && filteredDensity !== undefined)
    facts.push([
      "After filtering",
      `${count(filtered.interactions)} interactions of ${count(filtered.users)} users with ${count(filtered.items)} items, ${percent(filteredDensity)} of users x items`,
    ]);
  await writePage(path, {
    title: name,
    lead: source?.generated
      ? "Generated data: these users, items and interactions do not exist."
      : (source?.description ?? "The counts of a dataset, and its interactions drawn."),
    finished: new Date(),
    body: html`<section>
<h2>What is in it</h2>
<dl>
${facts.map(
  ([term, text]) => html`<div><dt>${term}</dt><dd>${text}</dd></div>
`,
)}</dl>
</section>
${await dataPlots(description)}`,
  });
}
