// The table of docs/results.md: trains every model on a prepared dataset with several seeds, evaluates it on the test users,
// and prints Markdown. Existing runs are not trained again: node bench/results.mjs <dataset> [--only key,...]
// [--seeds 98765,1,2] [--threads n] [--out runs/results] [--table], after npm run setup; --table trains nothing.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: "string" },
    seeds: { type: "string", default: "98765,1,2" },
    threads: { type: "string", default: "2" },
    out: { type: "string", default: "runs/results" },
    table: { type: "boolean", default: false },
  },
});
const [dataset = "data/ml-1m"] = positionals;
const recipe = ["--recipe", basename(dataset)];
const set = (options) => Object.entries(options).flatMap(([name, value]) => ["--set", `${name}=${value}`]);

/** A row of the table: a model, the arguments of `foldin train`, and whether the seed has an effect. */
const rows = [
  { key: "popularity", model: "popularity", fixed: true },
  { key: "item-knn", model: "item-knn", args: recipe, fixed: true },
  // Its recipe fixes the state of the generator that its start is drawn from: here the seed is that state.
  { key: "nmf", model: "nmf", args: recipe, seedOption: "randomState" },
  { key: "wmf", model: "wmf", args: recipe },
  { key: "slim", model: "slim", args: recipe, fixed: true },
  { key: "ease", model: "ease", args: set({ lambda: 500 }), fixed: true },
  { key: "ease-edlae", model: "ease", args: set({ lambda: 350, p: 0.33 }), fixed: true },
  {
    key: "ease-rdlae",
    model: "ease",
    args: set({ lambda: 200, p: 0.33, xi: 0.3 }),
    fixed: true,
  },
  {
    key: "ease-dan",
    model: "ease",
    args: set({ lambda: 50, p: 0.4, alpha: 0.1, beta: 0.3 }),
    fixed: true,
  },
  { key: "elsa", model: "elsa", args: recipe },
  { key: "sansa", model: "sansa", args: recipe, fixed: true },
  { key: "infinite-ae", model: "infinite-ae", args: recipe, fixed: true },
  { key: "vae", model: "vae", args: recipe },
  { key: "cdae", model: "cdae", args: recipe },
  { key: "mult-dae", model: "mult-dae", args: recipe },
  { key: "mult-vae-paper", model: "mult-vae" },
  { key: "mult-vae", model: "mult-vae", args: recipe },
  { key: "vamp", model: "vamp", args: recipe },
  { key: "h-vamp-1", model: "h-vamp", args: [...recipe, ...set({ layers: 1, gated: false })] },
  { key: "h-vamp", model: "h-vamp", args: recipe },
  { key: "rec-vae", model: "rec-vae", args: recipe },
  {
    key: "vasp",
    model: "vasp",
    args: set({ hidden: 256, latent: 128, batchSize: 128, learningRate: 0.001, epochs: 20 }),
  },
];

const chosen = flags.only ? flags.only.split(",") : rows.map(({ key }) => key);
const unknown = chosen.filter((key) => !rows.some((row) => row.key === key));
if (unknown.length > 0)
  throw new Error(`no row ${unknown.join(", ")}: there are ${rows.map(({ key }) => key).join(", ")}`);

function foldin(args, stdio) {
  const { status, stdout } = spawnSync(process.execPath, [main, ...args], { stdio, encoding: "utf8" });
  if (status !== 0) throw new Error(`foldin ${args.join(" ")}: exit code ${status}`);
  return stdout;
}

/** One run's test metrics, chosen epoch, and seconds of the fastest epoch with its validation; undefined if the run does not exist. */
async function measure(row, seed) {
  const run = join(flags.out, row.fixed ? row.key : `${row.key}-${seed}`);
  if (!existsSync(join(run, "model"))) {
    if (flags.table) return undefined;
    const seeded = row.seedOption ? set({ [row.seedOption]: seed }) : [];
    const args = ["train", dataset, "--model", row.model, ...(row.args ?? []), ...seeded, "--seed", seed];
    const resume = existsSync(run) ? ["--resume"] : [];
    console.error(`foldin ${args.join(" ")}`);
    foldin([...args, "--threads", flags.threads, "--out", run, ...resume], "inherit");
  }
  const { metrics } = JSON.parse(foldin(["evaluate", run, "--json"], ["ignore", "pipe", "inherit"]));
  const log = existsSync(join(run, "metrics.jsonl"))
    ? await readFile(join(run, "metrics.jsonl"), "utf8")
    : "";
  const epochs = log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  // On a shared machine, the fastest epoch is more meaningful than the sum.
  const fastest = Math.min(...epochs.map((epoch) => epoch.seconds + epoch.validationSeconds));
  return { metrics, epochs: epochs.length, kept: epochs.at(-1)?.kept, fastest };
}

const names = ["ndcg@100", "recall@20", "recall@50"];
const digits = (value) => value.toFixed(4).replace(/^0/, "");
const table = [
  ["row", "model", "seed", ...names, "epochs (kept)", "fastest epoch"],
  ["---", "---", "---", ...names.map(() => "---"), "---", "---"],
];
for (const row of rows.filter(({ key }) => chosen.includes(key))) {
  for (const seed of row.fixed ? flags.seeds.split(",").slice(0, 1) : flags.seeds.split(",")) {
    const measured = await measure(row, seed);
    if (!measured) continue;
    const values = names.map((name) => {
      const { mean, standardError } = measured.metrics[name];
      return `${digits(mean)} ± ${digits(standardError)}`;
    });
    const epochs = measured.epochs > 0 ? `${measured.epochs} (${measured.kept})` : "";
    const fastest = measured.epochs > 0 ? `${measured.fastest.toFixed(2)} s` : "";
    table.push([row.key, `\`${row.model}\``, row.fixed ? "" : seed, ...values, epochs, fastest]);
  }
}
console.log(table.map((cells) => `| ${cells.join(" | ")} |`).join("\n"));
