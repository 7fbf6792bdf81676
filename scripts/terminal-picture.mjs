// Runs a foldin command and writes its output as an SVG image of a terminal:
//
//   node scripts/terminal-picture.mjs docs/quickstart.svg -- quickstart --out /tmp/demo

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [file, separator, ...command] = process.argv.slice(2);
if (file === undefined || separator !== "--" || command.length === 0) {
  console.error("usage: node scripts/terminal-picture.mjs <file.svg> -- <foldin's arguments>");
  process.exit(2);
}
const main = join(dirname(fileURLToPath(import.meta.url)), "..", "dist", "cli", "main.js");
// Both streams, in the order of their output.
const { status, stdout } = spawnSync(
  "sh",
  ["-c", 'exec "$0" "$@" 2>&1', process.execPath, main, ...command],
  {
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", COLUMNS: "100" },
  },
);
if (status !== 0) {
  console.error(stdout);
  process.exit(1);
}
const shown = command
  .map((word) => word.replace(/^\/tmp\//, ""))
  .filter((word) => !/^(--out|demo)$/.test(word));
const lines = [`$ npx foldin ${shown.join(" ")}`, ...stdout.replaceAll("/tmp/", "").trimEnd().split("\n")];
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const [line, margin, bar] = [19, 16, 34];
const width = Math.max(...lines.map((text) => [...text].length)) * 8.43 + 2 * margin;
const height = bar + lines.length * line + margin;
const dots = ["#ff5f57", "#febc2e", "#28c840"].map(
  (fill, i) => `<circle cx="${margin + 4 + 18 * i}" cy="17" r="5.5" fill="${fill}"/>`,
);
const texts = lines.map((text, i) => {
  const fill = i === 0 ? "#8bd5a0" : "#d7dbe3";
  return `<text x="${margin}" y="${bar + 14 + i * line}" fill="${fill}" xml:space="preserve">${escaped(text)}</text>`;
});
writeFileSync(
  file,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.ceil(width)} ${height}" width="${Math.ceil(width)}" role="img" aria-label="What foldin ${escaped(command[0])} prints">
<rect width="100%" height="100%" rx="8" fill="#171a21"/>
<g>${dots.join("")}</g>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">
${texts.join("\n")}
</g>
</svg>
`,
);
