// Draws the recall by depth of a reproduced preset, as in the papers' figures: one SVG per table of its results.json, with its own
// colours for light and dark pages.
//   node scripts/reproduction-plots.mjs runs/cvae-figure-6/results.json docs/figures
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEPTH_STYLE, drawDepths } from "../dist/experiments/depth-chart.js";
import { depthTables } from "../dist/experiments/depth-section.js";
import { escapeHtml } from "../dist/experiments/html.js";
import { STYLE } from "../dist/experiments/style.js";

const LEGEND_WIDTH = 180;
const LINE_HEIGHT = 20;

const [results, folder] = process.argv.slice(2);
if (!folder) throw new Error("node scripts/reproduction-plots.mjs <results.json> <folder>");
const { preset, studies } = JSON.parse(readFileSync(results, "utf8"));
mkdirSync(folder, { recursive: true });
// The declarations of colours alone: what follows in the sheets is for pages.
const colours = [STYLE, DEPTH_STYLE].map((sheet) => {
  const [light] = /:root \{[^}]*\}/.exec(sheet) ?? [];
  const [, dark] = /dark\) \{\s*(:root \{[^}]*\})/.exec(sheet) ?? [];
  return `${light}@media (prefers-color-scheme:dark){${dark}}`;
});
for (const study of studies.filter(({ byDepth }) => byDepth !== undefined)) {
  const [{ lines }] = depthTables(study);
  const label = `Recall by depth, ${study.title}`;
  const { text } = await drawDepths(lines, label);
  const chart = text.slice(0, text.indexOf("</svg>"));
  const [head, width, height] = /^<svg viewBox="0 0 (\d+) (\d+)"[^>]*>/.exec(chart) ?? [];
  if (!head) throw new Error(`${study.title}: the chart has no viewBox`);
  const named = lines.filter(({ published }) => !published);
  const entries = [
    ...named.map(({ title, colour }) => ({ title, stroke: `var(--line-${colour + 1})`, dashes: "" })),
    ...(named.length < lines.length ? [{ title: "published", stroke: "var(--muted)", dashes: "4 4" }] : []),
  ];
  const legend = entries.map(({ title, stroke, dashes }, e) => {
    const y = LINE_HEIGHT * (e + 1);
    return `<path d="M${Number(width) + 12} ${y}h18" stroke="${stroke}" stroke-width="2" stroke-dasharray="${dashes}"/><text x="${Number(width) + 36}" y="${y + 4}" fill="var(--ink)">${escapeHtml(title)}</text>`;
  });
  const total = Number(width) + LEGEND_WIDTH;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total} ${height}" width="${total}" height="${height}" role="img" aria-label="${escapeHtml(label)}" font-family="system-ui, sans-serif" font-size="12"><style>${colours.join("")}</style>${chart.slice(head.length)}${legend.join("")}</svg>\n`;
  const file = join(folder, `${preset}-${study.key}.svg`);
  writeFileSync(file, svg);
  console.log(file);
}
