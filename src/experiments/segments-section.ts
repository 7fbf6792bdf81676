// The tables by segments on the page of a run.

import type { MetricValue, Segment, Segments } from "../evaluation/evaluate.js";
import { type Html, html } from "./html.js";
import { metricLabel } from "./metric-label.js";
import { count } from "./numbers.js";

/** Two tables with these metrics: users by the length of their history, and held-out items by popularity. */
export function segmentsSection({ history, popularity }: Segments, metrics: readonly string[]): Html {
  return html`<section>
<h2>By segment</h2>
<h3>Length of the history</h3>
${segmentTable(
  [["Items in the history", ({ from, to }) => (from === to ? count(to) : `${count(from)} to ${count(to)}`)]],
  history,
  metrics,
)}
<h3>Popularity of the held-out items</h3>
${segmentTable(
  [
    ["Items", ({ name }) => `${name[0].toUpperCase()}${name.slice(1)}`],
    ["In the catalogue", ({ items }) => count(items)],
    ["Interactions", ({ share }) => `${(100 * share).toFixed(1)} %`],
    ["Held out", ({ heldOut }) => count(heldOut)],
  ],
  popularity,
  metrics,
)}
<p class="note">Mean over test users ± standard error. The most popular items with half of the training interactions are the head; head and middle together have 80 % of them. In these rows, only held-out items of the segment count, ranked among all items.</p>
</section>`;
}

/** A table whose first columns describe the segments; the first of them is the heading of each row. */
function segmentTable<Row extends Segment>(
  described: readonly [heading: string, text: (row: Row) => string][],
  rows: readonly Row[],
  metrics: readonly string[],
): Html {
  const headings = [...described.map(([heading]) => heading), "Users", ...metrics.map(metricLabel)];
  const [[, title], ...others] = described;
  return html`<div class="wide"><table>
<thead><tr>${headings.map((heading) => html`<th scope="col">${heading}</th>`)}</tr></thead>
<tbody>
${rows.map(
  (
    row,
  ) => html`<tr><th scope="row">${title(row)}</th>${others.map(([, text]) => html`<td>${text(row)}</td>`)}<td>${count(row.users)}</td>${metrics.map((name) => cell(row.metrics[name]))}</tr>
`,
)}</tbody>
</table></div>`;
}

function cell(value: MetricValue | undefined): Html {
  if (!value) return html`<td>–</td>`;
  return html`<td class="estimate">${value.mean.toFixed(4)} <span class="error">± ${value.standardError?.toFixed(4)}</span></td>`;
}
