// The parts of a reproduced preset's page for recall by depth (a line chart and a wide table per evaluator) and for lists of
// items with their titles.

import type { MetricValue } from "../evaluation/evaluate.js";
import { type DepthLine, drawDepths } from "./depth-chart.js";
import { type Html, html } from "./html.js";
import { metricLabel } from "./metric-label.js";
import type { Published } from "./presets/preset.js";
import type { ReproducedRun, ReproducedStudy } from "./reproduce.js";

type Values = Readonly<Record<string, MetricValue | Published | undefined>>;

/** A row of numbers by depth, for pages and terminals alike. */
interface DepthRow {
  readonly title: string;
  readonly published: boolean;
  /** In the order of the depths; undefined for a missing value. */
  readonly values: readonly (number | undefined)[];
}

/** The results of one evaluator. */
export interface DepthTable {
  /** "training items masked" */
  readonly title: string;
  /** An explanation of the title. */
  readonly note?: string;
  readonly depths: readonly number[];
  readonly rows: readonly DepthRow[];
  readonly lines: readonly DepthLine[];
  /** The largest standard error in the table. */
  readonly largestError: number;
}

/** The tables of a study that is drawn by depth: by the correct evaluator, then by that of the CVAE paper, if requested. */
export function depthTables({ runs, byDepth }: ReproducedStudy): DepthTable[] {
  const names = Object.keys(runs[0]?.metrics ?? {}).filter((name) => name.startsWith(`${byDepth}@`));
  const depths = names.map((name) => Number(name.split("@")[1]));
  const tableOf = (
    title: string,
    sides: readonly { ours: Values; published: Values }[],
    note?: string,
  ): DepthTable => {
    const rows: DepthRow[] = [];
    const lines: DepthLine[] = [];
    const errors = [0];
    for (const [r, { ours, published }] of sides.entries())
      for (const [values, isPublished] of [
        [ours, false],
        [published, true],
      ] as const) {
        const found = names.map((name) => values[name]?.mean);
        if (found.every((value) => value === undefined)) continue;
        if (!isPublished) errors.push(...names.map((name) => values[name]?.standardError ?? 0));
        rows.push({ title: runs[r].title, published: isPublished, values: found });
        const points = found.flatMap((value, d) =>
          value === undefined ? [] : [{ depth: depths[d], value }],
        );
        lines.push({ title: runs[r].title, colour: r, published: isPublished, points });
      }
    return { title, note, depths, rows, lines, largestError: Math.max(...errors) };
  };
  const correct = runs.map(({ metrics }) => ({
    ours: Object.fromEntries(Object.entries(metrics).map(([name, { ours }]) => [name, ours])),
    published: Object.fromEntries(Object.entries(metrics).map(([name, { published }]) => [name, published])),
  }));
  const paper = runs.map(({ cvaePaper = {} }) => ({ ours: cvaePaper, published: {} }));
  return [
    tableOf("training items masked", correct),
    tableOf(
      "evaluated as in the CVAE paper",
      paper,
      "all users are evaluated, nothing is masked, and training items count as hits",
    ),
  ].filter(({ rows }) => rows.length > 0);
}

/** "Mean over 5 splits", or a similar description of the numbers of a study. */
export function splitsText({ splits }: ReproducedStudy): string | undefined {
  if (!splits) return undefined;
  const { run, of } = splits;
  const names = run.join(", ");
  if (of === 1) return `Standard error over the users of the ${names} split`;
  if (run.length === 1) return `One of ${of} splits (${names}); standard error over its users`;
  return `Mean over ${run.length}${run.length < of ? ` of ${of}` : ""} splits (${names}); standard error over the splits`;
}

/** Charts and tables of a study that is drawn by depth. */
export async function depthSection(study: ReproducedStudy): Promise<Html> {
  const tables = depthTables(study);
  const label = metricLabel(study.byDepth ?? "");
  const charts = await Promise.all(
    tables.map(({ title, lines }) => drawDepths(lines, `${label} by depth, ${title}`)),
  );
  return html`<div class="depths">${tables.map(({ title }, t) => html`<figure><figcaption>${label}, ${title}</figcaption>${charts[t]}</figure>`)}</div>
${tables.map(
  ({ title, note, depths, rows, largestError }) => html`<h3>${label}, ${title}</h3>
<div class="wide"><table class="ranking depth-table" style="max-width:none">
<thead><tr><th scope="col">Model</th>${depths.map((depth) => html`<th scope="col">@${depth}</th>`)}</tr></thead>
<tbody>
${rows.map(
  ({ title, published, values }) =>
    html`<tr${published && html` class="published"`}><th scope="row">${published ? "published" : title}</th>${values.map((value) => html`<td>${value === undefined ? "–" : value.toFixed(4)}</td>`)}</tr>
`,
)}</tbody>
</table></div>
<p class="note">${splitsText(study) ?? "Mean over test users; standard error"}, at most ${largestError.toFixed(4)}.${note !== undefined && html` ${title[0].toUpperCase()}${title.slice(1)}: ${note}.`}</p>
`,
)}
${runNotes(study).map((text) => html`<p class="note">${text}</p>`)}`;
}

/** Notes on single rows: "WMF: ..." */
export function runNotes({ runs }: ReproducedStudy): string[] {
  return runs.flatMap(({ title, note }) => (note === undefined ? [] : [`${title}: ${note}.`]));
}

/** The lists of every run, user by user. */
export function listsSection({ runs }: ReproducedStudy): Html {
  const users = runs[0]?.lists ?? [];
  const listOf = (run: ReproducedRun, u: number) => run.lists?.[u];
  return html`${users.map(
    ({ title, user, history }, u) => html`<article>
<h3>${title} (${user})</h3>
<p class="note">Training items of this user: ${history.join("; ")}. <mark>Highlighted</mark> items are in the user's library.</p>
<div class="columns" style="margin-top:1rem">
${runs.map((run) => {
  const list = listOf(run, u);
  return (
    list &&
    html`<div><h4>${run.title}: ${list.items.filter((item) => item.inLibrary).length} of ${list.items.length} in the library${list.published !== undefined && html`; published ${list.published}`}</h4>
<ol>
${list.items.map(
  (item) => html`<li>${item.inLibrary ? html`<mark>${item.title}</mark>` : item.title}</li>
`,
)}</ol></div>`
  );
})}</div>
</article>
`,
  )}`;
}
