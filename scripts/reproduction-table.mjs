// Turns the results.json of `foldin reproduce <preset>` into Markdown tables: prints those of all studies or of some, or writes them
// into a document, between the lines `<!-- <preset>: <study> -->` and `<!-- end -->` (of baselines `<!-- baselines -->`).
//   node scripts/reproduction-table.mjs runs/evcf-table-2/results.json [study ...]
//   node scripts/reproduction-table.mjs --into docs/reproducing.md runs/evcf-table-2/results.json
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const LABELS = { ndcg: "NDCG", recall: "Recall", "recall-plain": "Recall (plain)" };

function labelOf(metric) {
  const [kind, k] = metric.split("@");
  return `${LABELS[kind] ?? kind}@${k}`;
}

const number = (value, digits = 4) => (value === undefined ? "–" : value.toFixed(digits));
const estimate = (value) =>
  value?.standardError === undefined
    ? number(value?.mean)
    : `${number(value.mean)} ± ${number(value.standardError)}`;

/** The probability as text: "12 %", or "1e-7" below a hundredth of a percent. */
function chanceText(chance) {
  if (chance === undefined) return "–";
  const percent = 100 * chance;
  return percent < 0.01 ? chance.toExponential(0) : `${Number(percent.toPrecision(2))} %`;
}

/** A table with padded columns. */
function markdownTable(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, c) => Math.max(3, ...all.map((row) => row[c].length)));
  const line = (row) => `| ${row.map((cell, c) => cell.padEnd(widths[c])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** "epoch 138 of 200"; of several seeds each one's number of epochs. */
function epochsOf({ seeds, epochs, chosenEpoch }) {
  if (seeds?.length > 1) return seeds.map((one) => one.epochs).join(", ");
  return chosenEpoch === null ? "–" : `${chosenEpoch} of ${epochs}`;
}

function titleOf({ title, choice }) {
  const chosen = choice?.candidates.find((candidate) => candidate.chosen);
  return chosen ? `${title}, ${chosen.title}` : title;
}

/** A row per run, a column per metric. */
function wideTable({ runs }) {
  const metrics = Object.keys(runs[0].metrics);
  return markdownTable(
    ["model", ...metrics.map(labelOf), "epoch"],
    runs.map((run) => [
      titleOf(run),
      ...metrics.map((metric) => estimate(run.metrics[metric].ours)),
      epochsOf(run),
    ]),
  );
}

/** A row per run and metric, ours next to the published number. */
function longTable({ runs }) {
  const repeated = runs.some(({ seeds }) => seeds?.length > 1);
  return markdownTable(
    [
      "model",
      "metric",
      "ours",
      ...(repeated ? ["run to run"] : []),
      "published",
      ...(repeated ? ["chance"] : []),
    ],
    runs.flatMap((run) =>
      Object.entries(run.metrics).map(([metric, { ours, published, chance }], m) => [
        m === 0 ? titleOf(run) : "",
        labelOf(metric),
        estimate(ours),
        ...(repeated ? [number(ours.runDeviation)] : []),
        estimate(published),
        ...(repeated ? [chanceText(chance)] : []),
      ]),
    ),
  );
}

/** One option down, the other across; the published numbers in brackets. */
function gridTable({ runs, grid: { x, y, metric } }) {
  const valuesOf = (name) => [...new Set(runs.map(({ options }) => options[name]))];
  return markdownTable(
    [`${y} \\ ${x}`, ...valuesOf(x).map(String)],
    valuesOf(y).map((row) => [
      String(row),
      ...valuesOf(x).map((column) => {
        const run = runs.find(({ options }) => options[x] === column && options[y] === row);
        const { ours, published } = run.metrics[metric];
        return published ? `${number(ours.mean)} (${number(published.mean)})` : number(ours.mean);
      }),
    ]),
  );
}

/** A column per depth; a row for ours and one for the published numbers. */
function depthTable({ runs, byDepth }, of) {
  const metrics = Object.keys(runs[0].metrics).filter((metric) => metric.startsWith(`${byDepth}@`));
  const rows = runs.flatMap((run) =>
    of(run).flatMap(([suffix, values]) =>
      metrics.some((metric) => values[metric])
        ? [[`${run.title}${suffix}`, ...metrics.map((metric) => number(values[metric]?.mean))]]
        : [],
    ),
  );
  return markdownTable(["model", ...metrics.map((metric) => `@${metric.split("@")[1]}`)], rows);
}

function depthTables(study) {
  const side = ({ metrics }, name) =>
    Object.fromEntries(Object.entries(metrics).map(([metric, value]) => [metric, value[name]]));
  const tables = [
    depthTable(study, (run) => [
      ["", side(run, "ours")],
      [", published", side(run, "published")],
    ]),
  ];
  if (study.runs.some(({ cvaePaper }) => cvaePaper))
    tables.push(
      `By the CVAE paper's evaluator:\n\n${depthTable(study, ({ cvaePaper = {} }) => [["", cvaePaper]])}`,
    );
  return tables.join("\n\n");
}

function studyTable(study) {
  if (study.grid) return gridTable(study);
  if (study.byDepth !== undefined) return depthTables(study);
  const values = study.runs.flatMap(({ metrics }) => Object.values(metrics));
  const isCompared = values.some(({ published, ours }) => published || ours.runDeviation !== undefined);
  return isCompared ? longTable(study) : wideTable(study);
}

/** The candidates that were not chosen, with their validation numbers. */
function choicesOf({ runs }) {
  return runs.flatMap(({ title, choice }) =>
    choice
      ? [
          `- ${title}: ${choice.candidates.map((one) => `${one.title} ${number(one.value)}`).join(", ")} (${choice.metric}).`,
        ]
      : [],
  );
}

function baselinesTable({ comparison, rows }) {
  const { metrics, systems } = comparison;
  return markdownTable(
    ["model", ...metrics.map(labelOf), "options"],
    systems.map((system) => [
      system.name,
      ...metrics.map((metric) => estimate(system.metrics[metric])),
      rows.find(({ model }) => model === system.name)?.how ?? "",
    ]),
  );
}

/** The tables of a results.json as Markdown: of all studies, or of those named. */
export function markdownOf(result, studies = []) {
  if (result.comparison) return `${baselinesTable(result)}\n`;
  const wanted = result.studies.filter(({ key }) => studies.length === 0 || studies.includes(key));
  const shortened =
    result.shortenedTo === undefined
      ? []
      : [`Cut short at ${result.shortenedTo} epochs: not a reproduction.`];
  const texts = wanted.map((study) =>
    [`${study.title}:`, studyTable(study), choicesOf(study).join("\n")].filter(Boolean).join("\n\n"),
  );
  return `${[...shortened, ...texts].join("\n\n")}\n`;
}

/** A document whose marked places have the tables of this result; those of other presets and of studies that were not run stay. */
export function intoDocument(document, result) {
  const place = /(<!-- ([\w-]+)(?:: ([\w-]+))? -->\n)[\s\S]*?(<!-- end -->)/g;
  return document.replace(place, (whole, open, preset, study, close) => {
    if (preset !== (result.preset ?? "baselines")) return whole;
    const found = result.studies?.find(({ key }) => key === study);
    if (result.studies && !found) return whole;
    const text = found
      ? [studyTable(found), choicesOf(found).join("\n")].filter(Boolean).join("\n\n")
      : baselinesTable(result);
    return `${open}\n${text}\n\n${close}`;
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [, , ...given] = process.argv;
  const document = given[0] === "--into" ? given[1] : undefined;
  const [path, ...studies] = document === undefined ? given : given.slice(2);
  if (path === undefined) {
    console.error("node scripts/reproduction-table.mjs [--into <document>] <results.json> [study ...]");
    process.exit(2);
  }
  const result = JSON.parse(readFileSync(path, "utf8"));
  if (document === undefined) process.stdout.write(markdownOf(result, studies));
  else writeFileSync(document, intoDocument(readFileSync(document, "utf8"), result));
}
