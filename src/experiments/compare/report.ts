// A comparison as a page and as CSV. No script, no network.

import { writeFileWhole } from "../../core/atomic-file.js";
import { csvCell } from "../../core/csv.js";
import { gain } from "../../evaluation/metrics.js";
import { drawChart } from "../chart.js";
import { type Html, html } from "../html.js";
import { metricLabel } from "../metric-label.js";
import { count } from "../numbers.js";
import { writePage } from "../page.js";
import { estimateText } from "../reproduction-report.js";
import type { ComparedPair, ComparedSystem, Comparison } from "./compare.js";

/** Significance level of the corrected p-values. */
export const LEVEL = 0.05;

/** "0.0123", "< 0.0001" */
export function pText(p: number): string {
  return p < 0.0001 ? "< 0.0001" : p.toFixed(4);
}

/** The pair of two systems by a metric, in either order. */
export function pairOf(
  { pairs }: Pick<Comparison, "pairs">,
  metric: string,
  one: string,
  other: string,
): ComparedPair | undefined {
  return pairs.find(
    (pair) =>
      pair.metric === metric &&
      ((pair.a === one && pair.b === other) || (pair.a === other && pair.b === one)),
  );
}

/** The tests and their settings, in a sentence. */
export function methodText({ against, rounds, systems, users, on }: Comparison): string {
  const pairs = (systems.length * (systems.length - 1)) / 2;
  const family = {
    all: pairs === 1 ? "one pair" : `all ${pairs} pairs`,
    best: `${systems.length - 1} comparisons with the best`,
    first: `${systems.length - 1} comparisons with the first`,
  }[against];
  return `${count(users)} ${on} users, paired two-sided randomisation test (${count(rounds)} rounds) and t-test; p-values Holm-corrected over ${family} for each metric`;
}

export async function writeComparisonCsv(path: string, comparison: Comparison): Promise<void> {
  const mean = (name: string, metric: string) =>
    comparison.systems.find((system) => system.name === name)?.metrics[metric].mean;
  const head =
    "metric,a,b,mean a,mean b,difference,standard error,p randomisation,p randomisation Holm,p t,p t Holm";
  const rows = comparison.pairs.map((pair) => {
    const { metric, a, b, difference, standardError, randomisation, randomisationHolm, t, tHolm } = pair;
    const names = [metric, a, b].map(csvCell);
    const means = [mean(a, metric), mean(b, metric)];
    return [...names, ...means, difference, standardError, randomisation, randomisationHolm, t, tHolm].join(
      ",",
    );
  });
  await writeFileWhole(path, (file) => file.writeFile(`${[head, ...rows].join("\n")}\n`));
}

export async function writeComparisonPage(
  path: string,
  comparison: Comparison,
  finished = new Date(),
): Promise<void> {
  const { systems, metrics, dataset, users, on } = comparison;
  const charts = await Promise.all(metrics.map((metric) => drawMeans(systems, metric)));
  await writePage(path, {
    title: `${systems.length} models${dataset === null ? "" : ` on ${dataset}`}`,
    lead: `Evaluated on the same ${count(users)} ${on} users, with significance tests for the differences.`,
    style: COMPARISON_STYLE,
    finished,
    body: html`${tableOf(comparison)}
<section>
<h2>Comparison</h2>
<div class="curves">
${charts.map((chart, c) => html`<figure><figcaption>${metricLabel(metrics[c])}</figcaption>${chart}</figure>`)}</div>
<p class="note">Mean over users ± standard error. The tests are paired by user, so a difference can be significant although the bars overlap.</p>
</section>
${testsOf(comparison)}`,
  });
}

/** The systems with their means, best first. */
function tableOf({ systems, metrics }: Comparison): Html {
  return html`<section>
<h2>Results</h2>
<div class="wide"><table>
<thead><tr><th scope="col">Run</th><th scope="col">Model</th>${metrics.map((name) => html`<th scope="col">${metricLabel(name)}</th>`)}</tr></thead>
<tbody>
${systems.map(
  (
    system,
  ) => html`<tr><th scope="row">${system.name}</th><td>${system.model ?? "table"}</td>${metrics.map((name) => html`<td${isBest(system, name) && html` class="best"`}>${estimateText(system.metrics[name])}</td>`)}</tr>
`,
)}</tbody>
</table></div>
</section>`;

  function isBest(system: ComparedSystem, name: string): boolean {
    return systems.every(({ metrics }) => gain(name, system.metrics[name].mean, metrics[name].mean) >= 0);
  }
}

/** For each metric, the difference of every tested pair and its significance. */
export function testsOf(comparison: Comparison): Html {
  const { systems, metrics, against, pairs } = comparison;
  const rows = systems.map(({ name }) => name);
  const tested = (name: string, side: "a" | "b") =>
    pairs.some((pair) => pair[side] === name || (against === "all" && (pair.a === name || pair.b === name)));
  return html`<section>
<h2>Significance tests</h2>
<p class="note">${methodText(comparison)}. Each cell shows the mean of the row minus the mean of the column, with the p-value of the randomisation test below; p &lt; ${LEVEL} is highlighted. The CSV and JSON output has both p-values of every pair.</p>
${metrics.map((metric) => {
  const columns = rows.filter((name) => against === "all" || tested(name, "a"));
  return html`<h3>${metricLabel(metric)}</h3>
<div class="wide"><table class="pairs">
<thead><tr><th></th>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>
${rows.map(
  (row) => html`<tr><th scope="row">${row}</th>${columns.map((column) => cell(metric, row, column))}</tr>
`,
)}</tbody>
</table></div>`;
})}
</section>`;

  function cell(metric: string, row: string, column: string): Html {
    const pair = row === column ? undefined : pairOf(comparison, metric, row, column);
    if (!pair) return html`<td></td>`;
    const difference = pair.a === row ? pair.difference : -pair.difference;
    const text = html`${differenceText(difference)}`;
    return html`<td>${pair.randomisationHolm < LEVEL ? html`<mark>${text}</mark>` : text}<span class="default">p ${pText(pair.randomisationHolm)}</span></td>`;
  }
}

/** All systems with all metrics, best first, and the p-values of the best one against the others. */
export function rankedTable(comparison: Comparison, metric: string): Html {
  const { systems, metrics, users } = comparison;
  const [best] = systems;
  return html`<div class="wide"><table class="points">
<thead><tr><th scope="col">Model</th>${metrics.map((name) => html`<th scope="col">${metricLabel(name)}</th>`)}<th scope="col">p-value vs. best</th></tr></thead>
<tbody>
${systems.map((system) => {
  const pair = pairOf(comparison, metric, best.name, system.name);
  const p = pair && (pair.randomisationHolm < 0.0001 ? "< 0.0001" : pair.randomisationHolm.toFixed(4));
  const same = pair === undefined || pair.randomisationHolm >= LEVEL;
  return html`<tr${same && html` class="changed"`}><th scope="row">${system.name}</th>${metrics.map((name) => html`<td>${estimateText(system.metrics[name])}</td>`)}<td>${p ?? ""}</td></tr>
`;
})}</tbody>
</table></div>
<p class="note">Mean over ${count(users)} test users ± standard error, best first. Bold: the best model, and models that do not differ significantly from it (randomisation test with Holm correction over all pairs, p ≥ ${LEVEL}).</p>`;
}

/** "+0.0123" */
export function differenceText(difference: number): string {
  return `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(4)}`;
}

export async function drawMeans(systems: readonly ComparedSystem[], metric: string): Promise<Html> {
  const values = systems.map(({ name, metrics }) => {
    const { mean, standardError = 0 } = metrics[metric];
    return { name, mean, low: mean - standardError, high: mean + standardError };
  });
  const x = {
    type: "quantitative",
    axis: { title: null, tickCount: 4, format: ".4~f" },
    scale: { zero: false, nice: true },
  } as const;
  return drawChart(
    {
      width: 200,
      height: 22 * systems.length,
      data: { values },
      encoding: {
        y: {
          field: "name",
          type: "ordinal",
          sort: systems.map(({ name }) => name),
          axis: { title: null, labelLimit: 130 },
        },
      },
      layer: [
        {
          mark: { type: "rule", color: "var(--accent)", strokeWidth: 2, opacity: 0.45 },
          encoding: { x: { ...x, field: "low" }, x2: { field: "high" } },
        },
        {
          mark: { type: "point", color: "var(--accent)", filled: true, size: 45, opacity: 1 },
          encoding: { x: { ...x, field: "mean" } },
        },
      ],
    },
    `${metricLabel(metric)} of each model`,
  );
}

export const COMPARISON_STYLE = `
.best { font-weight: 650; }
.pairs { width: auto; font-size: 0.92rem; }
.pairs td, .pairs th { padding-right: 1.6rem; white-space: nowrap; }
.pairs mark { margin-left: -0.35em; }
`;
