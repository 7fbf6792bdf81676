// `npm run bench -- <row> [--rounds n] [--json]`: one row of docs/performance.md. Compares foldin with the baselines
// on the same input in one run, and with the limit of the machine.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Contestant, contest, type Summary } from "./contest.js";
import { root } from "./input.js";
import { rows } from "./rows.js";

const requirements = join(root, "bench", "peers", "requirements.txt");
const environment = join(root, "bench", ".venv");
const python = join(environment, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");

/** Installs the baselines into bench/.venv, once. */
function installPeers(): void {
  if (existsSync(join(environment, "ready"))) return;
  console.error(
    "The baselines (PyTorch, NumPy, SciPy, pandas, implicit, scikit-learn; pinned in bench/peers/requirements.txt) are installed\n" +
      "into bench/.venv first. PyTorch brings its CUDA libraries along: about 6 GB on disk, several minutes.",
  );
  const step = (command: string, ...args: string[]) => {
    const { status, error } = spawnSync(command, args, { stdio: ["ignore", "inherit", "inherit"] });
    if (error || status !== 0) {
      console.error(
        `bench: "${command} ${args.join(" ")}" failed; Python 3.11 or later with venv is needed for the baselines.`,
      );
      process.exit(1);
    }
  };
  if (!existsSync(python)) step(process.env.PYTHON ?? "python3", "-m", "venv", environment);
  step(python, "-m", "pip", "install", "--quiet", "--requirement", requirements);
  step(python, "-c", `open(r"${join(environment, "ready")}", "w").close()`);
}

/** A Python baseline. */
export function baseline(name: string, script: string, ...args: string[]): Contestant {
  return { name, command: python, args: [join(root, "bench", "peers", `${script}.py`), ...args] };
}

function milliseconds(seconds: number): string {
  return seconds >= 10 ? `${seconds.toFixed(1)} s` : `${(1000 * seconds).toFixed(seconds < 0.01 ? 2 : 1)} ms`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string" },
    "without-baselines": { type: "boolean" },
    precision: { type: "string", default: "float32" },
  },
});
const row = rows.find(({ name }) => name === positionals[0]);
if (!row || positionals.length !== 1) {
  console.error(
    `usage: npm run bench -- <row> [--rounds n] [--precision bf16] [--without-baselines] [--json]\n`,
  );
  for (const { name, what } of rows) console.error(`  ${name.padEnd(16)} ${what}`);
  process.exit(2);
}
const rounds = values.rounds === undefined ? row.rounds : Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  console.error(`--rounds: "${values.rounds}" is not a positive whole number`);
  process.exit(2);
}

const { precision } = values;
if (precision !== "float32" && !(precision === "bf16" && row.bf16)) {
  const those = rows.filter(({ bf16 }) => bf16).map(({ name }) => name);
  console.error(`--precision: expected float32, or bf16 for one of ${those.join(", ")}`);
  process.exit(2);
}

const { ours, baselines, report, ...prepared } = await row.prepare(baseline, precision);
// The limit is that of float32 products.
const limit = precision === "float32" ? prepared.limit : undefined;
const others = values["without-baselines"] ? baselines.filter(({ isOurs }) => isOurs) : baselines;
if (others.some(({ isOurs }) => !isOurs)) installPeers();
const results = await contest([ours, ...others], rounds);
const mine = results.get(ours.name) as Summary;
const value = (summary: Summary) => (row.measures === "peak" ? summary.peak : summary.median);
const output = {
  row: row.name,
  measures: row.measures,
  ours: mine,
  baselines: Object.fromEntries(
    others.map(({ name }) => {
      const theirs = results.get(name) as Summary;
      return [name, { ...theirs, ratio: value(mine) / value(theirs) }];
    }),
  ),
  limit: limit === undefined ? undefined : { seconds: limit, share: limit / mine.median },
  ...report?.(mine),
};
if (values.json) console.log(JSON.stringify(output));
else {
  console.log(`\n${row.name}: ${row.what.replace("float32", precision)}`);
  for (const [name, summary] of results) {
    const ratio =
      name === ours.name ? "" : `   ours / ${name} = ${(value(mine) / value(summary)).toFixed(3)}`;
    console.log(
      `  ${name.padEnd(14)} median ${milliseconds(summary.median).padStart(10)}  (${milliseconds(summary.min)} to ${milliseconds(summary.max)})` +
        `  peak ${(summary.peak / 2 ** 30).toFixed(2)} GiB  ${summary.version}${ratio}`,
    );
  }
  if (limit !== undefined)
    console.log(
      `  limit ${milliseconds(limit)}: ours reaches ${((100 * limit) / mine.median).toFixed(0)} % of it`,
    );
  if (report) console.log(JSON.stringify(report(mine), null, 2));
}
