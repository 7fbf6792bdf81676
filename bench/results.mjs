// The leaderboard of docs/results.md: trains every model on a prepared dataset with several seeds, evaluates it on the test users,
// and prints Markdown, the best row first: metrics, the time of the whole training command, and the size of the model. Existing runs are not trained again: node bench/results.mjs <dataset> [--only key,...]
// [--seeds 98765,1,2] [--threads n] [--out runs/results] [--table], after npm run setup; --table trains nothing.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
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
  // Chosen by `foldin tune data/ml-1m --budget 1200s --seed 1`.
  {
    key: "ease-tuned",
    model: "ease",
    args: set({ lambda: 13.7, p: 0.4, alpha: 0.133, beta: 0.586 }),
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

/** One run: test metrics, validation NDCG@100, chosen epoch, seconds of the whole command, bytes of the model; undefined if the run does not exist. */
async function measure(row, seed) {
  const run = join(flags.out, row.fixed ? row.key : `${row.key}-${seed}`);
  const timeFile = `${run}.seconds`;
  if (!existsSync(join(run, "model"))) {
    if (flags.table) return undefined;
    const seeded = row.seedOption ? set({ [row.seedOption]: seed }) : [];
    const args = ["train", dataset, "--model", row.model, ...(row.args ?? []), ...seeded, "--seed", seed];
    const resumed = existsSync(run);
    console.error(`foldin ${args.join(" ")}`);
    const started = performance.now();
    foldin([...args, "--threads", flags.threads, "--out", run, ...(resumed ? ["--resume"] : [])], "inherit");
    // A resumed run has no time of its own.
    if (!resumed) await writeFile(timeFile, String((performance.now() - started) / 1000));
  }
  const { metrics } = JSON.parse(foldin(["evaluate", run, "--json"], ["ignore", "pipe", "inherit"]));
  const log = existsSync(join(run, "metrics.jsonl"))
    ? await readFile(join(run, "metrics.jsonl"), "utf8")
    : "";
  const epochs = log.split("\n").filter((line) => line !== "");
  const files = await readdir(join(run, "model"), { recursive: true });
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(run, "model", file))).size));
  return {
    ...{ metrics, epochs: epochs.length, kept: epochs.length && JSON.parse(epochs.at(-1)).kept },
    seconds: existsSync(timeFile) ? Number(await readFile(timeFile, "utf8")) : undefined,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  };
}

const names = ["ndcg@100", "recall@20", "recall@50"];
const digits = (value) => value.toFixed(4).replace(/^0/, "");
const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
const measured = [];
for (const row of rows.filter(({ key }) => chosen.includes(key))) {
  const seeds = row.fixed ? flags.seeds.split(",").slice(0, 1) : flags.seeds.split(",");
  const runs = [];
  for (const seed of seeds) runs.push(await measure(row, seed));
  const known = runs.filter((run) => run !== undefined);
  if (known.length > 0) measured.push({ row, runs: known });
}
const first = ({ runs }) => mean(runs.map(({ metrics }) => metrics[names[0]].mean));
const lines = measured
  .sort((a, b) => first(b) - first(a))
  .map(({ row, runs }) => {
    // Over seeds: the mean of the means, and of the standard errors over users.
    const cells = names.map((name) => {
      const of = (part) => mean(runs.map(({ metrics }) => metrics[name][part]));
      return `${digits(of("mean"))} ± ${digits(of("standardError"))}`;
    });
    const bySeed = row.fixed ? "" : runs.map(({ metrics }) => digits(metrics[names[0]].mean)).join(" ");
    const epochs = runs[0].epochs > 0 ? runs.map(({ kept }) => kept).join(" ") : "";
    const times = runs.flatMap(({ seconds }) => (seconds === undefined ? [] : [seconds]));
    const seconds = times.length > 0 ? `${mean(times).toPrecision(3)} s` : "";
    const megabytes = `${(mean(runs.map(({ bytes }) => bytes)) / 1e6).toPrecision(3)} MB`;
    return [row.key, `\`${row.model}\``, ...cells, bySeed, epochs, seconds, megabytes];
  });
const table = [
  ["row", "model", ...names, `${names[0]} by seed`, "epochs kept", "training", "size"],
  ["---", "---", ...names.map(() => "---"), "---", "---", "---", "---"],
  ...lines,
];
console.log(table.map((cells) => `| ${cells.join(" | ")} |`).join("\n"));
