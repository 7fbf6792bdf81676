// Compares `foldin tune` with Optuna over EASE in NumPy and implicit's ALS (bench/peers/optuna_tune.py): the same budget, one after
// the other, chosen on the same validation users and evaluated once on the same test users. After `npm run build`:
// node bench/tune.mjs <dataset> [--python python3] [--budget 1200] [--seed 1] [--out runs/tune] [--only optuna]
// Both use the cores that the process may use: `taskset -c 0 node bench/tune.mjs ...` gives each one core.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadDataset, tune } from "../dist/index.js";

const option = (value) => ({ type: "string", default: value });
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    python: option("python3"),
    budget: option("1200"),
    seed: option("1"),
    out: option(""),
    only: option(""),
  },
});
const [path] = positionals;
if (!["", "optuna", "foldin"].includes(values.only)) throw new Error("--only is optuna or foldin");
const dataset = await loadDataset(path);
const folder = mkdtempSync(join(tmpdir(), "foldin-tune-"));
try {
  if (values.only !== "foldin") console.log(`Optuna ${optuna()}`);
  if (values.only !== "optuna") console.log(`foldin ${JSON.stringify(await foldin())}`);
} finally {
  rmSync(folder, { recursive: true });
}

function optuna() {
  const matrices = {
    train: dataset.train,
    validation_history: dataset.validation.foldIn,
    validation_held_out: dataset.validation.heldOut,
    test_history: dataset.test.foldIn,
    test_held_out: dataset.test.heldOut,
  };
  for (const [name, { columns, offsets, indices }] of Object.entries(matrices)) {
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ columns }));
    writeFileSync(join(folder, `${name}.offsets.u32`), Buffer.from(Uint32Array.from(offsets).buffer));
    writeFileSync(join(folder, `${name}.indices.u32`), Buffer.from(Uint32Array.from(indices).buffer));
  }
  const program = join(dirname(fileURLToPath(import.meta.url)), "peers", "optuna_tune.py");
  const { status, stdout, stderr } = spawnSync(
    values.python,
    [program, "--input", folder, "--budget", values.budget, "--seed", values.seed],
    { encoding: "utf8", maxBuffer: 2 ** 26 },
  );
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

async function foldin() {
  const result = await tune(path, {
    ...{ budgetSeconds: Number(values.budget), seed: Number(values.seed) },
    out: values.out || join(folder, "tuned"),
  });
  const rounded = ({ mean, standardError }) => ({
    test: Number(mean.toFixed(4)),
    standardError: Number(standardError.toFixed(4)),
  });
  const { comparison, models, blend } = result;
  const ranked = blend ? "blend" : models[0].model;
  const system = comparison?.systems.find(({ name }) => name === ranked);
  return {
    ...{ trials: result.trials, seconds: Number(result.seconds.toFixed(1)), best: ranked },
    validation: Number((blend ?? models[0]).validation.mean.toFixed(4)),
    ...(system && rounded(system.metrics["ndcg@100"])),
    single: models[0].model,
    ...(result.refitted?.test && { refitted: rounded(result.refitted.test["ndcg@100"]) }),
    firstModelSeconds: Number(result.firstModelSeconds?.toFixed(1)),
  };
}
