// What a dataset looks like, drawn: its ratings, and interactions per user and per item. On the page of `foldin describe --plots`
// and in a run's report.

import type { DatasetDescription } from "../data/describe.js";
import type { Bin } from "../data/histogram.js";
import { type ChartSpec, drawChart } from "./chart.js";
import { type Html, html } from "./html.js";
import { writePage } from "./page.js";

const WIDTH = 320;
const HEIGHT = 180;

/** What the plots show of a dataset. */
export type PlottedData = Pick<DatasetDescription, "historyHistogram" | "itemHistogram" | "ratings">;

const rounded = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString("en-US") : String(Number(value.toPrecision(3)));

/** "3–4", or "5" where a bin holds one value. */
const labelOf = ({ from, to }: Bin): string =>
  from === to ? rounded(from) : `${rounded(from)}–${rounded(to)}`;

/** A bar per bin; `label` says in words what is drawn. */
function drawBars(bins: readonly Bin[], label: string): Promise<Html> {
  const spec: ChartSpec = {
    width: WIDTH,
    height: HEIGHT,
    data: { values: bins.map((bin) => ({ bin: labelOf(bin), count: bin.count })) },
    mark: { type: "bar", color: "var(--accent)", cornerRadiusEnd: 2 },
    encoding: {
      x: {
        field: "bin",
        type: "ordinal",
        sort: null,
        scale: { paddingInner: 0.15 },
        axis: { title: null, grid: false, labelAngle: bins.length > 6 ? -45 : 0 },
      },
      y: {
        field: "count",
        type: "quantitative",
        scale: { zero: true, nice: true },
        axis: { title: null, tickCount: 4, format: ",d" },
      },
    },
  };
  return drawChart(spec, label);
}

const inWords = (bins: readonly Bin[]): string =>
  bins.map((bin) => `${labelOf(bin)}: ${bin.count.toLocaleString("en-US")}`).join(", ");

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
export async function dataFigures({
  historyHistogram,
  itemHistogram,
  ratings,
}: PlottedData): Promise<Html | false> {
  const plots = [
    ...(ratings && ratings.length > 1 ? [{ title: "Interactions by rating", bins: ratings }] : []),
    { title: "Users by their interactions", bins: historyHistogram },
    { title: "Items by their interactions", bins: itemHistogram },
  ].filter(({ bins }) => bins.length > 0);
  if (plots.length === 0) return false;
  const drawn: Html[] = [];
  for (const { title, bins } of plots) drawn.push(await drawBars(bins, `${title}. ${inWords(bins)}`));
  return html`<div class="curves">
${plots.map(
  ({ title }, p) => html`<figure><figcaption>${title}</figcaption>${drawn[p]}</figure>
`,
)}</div>
<p class="note">Training interactions, after filtering. The bins of interactions per user and per item become wider to the right.</p>`;
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
