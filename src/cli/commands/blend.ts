// foldin blend <run> <run> ...: combines trained runs into one model, with weights chosen on the validation users.

import { join, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { UserError } from "../../core/errors.js";
import { type CliContext, required } from "../context.js";
import { datasetOfRun } from "../dataset-of-run.js";
import { addEngineOptions, type EngineFlags } from "../engine-options.js";
import { table } from "../table.js";
import { printTrained } from "../trained.js";

interface Flags extends EngineFlags {
  out?: string;
  weights?: number[];
  step?: number;
  metric?: string;
  dataset?: string;
  force?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  addEngineOptions(
    program
      .command("blend")
      .summary("blend trained runs into one model")
      .description(
        "Blend trained runs into one model: the weighted sum of their scores, standardised per user. The weights are chosen on the validation users. The new run contains copies of its parts and can be evaluated, served and blended like any other run.",
      )
      .argument("<run...>", "two or more run folders, trained on the same dataset")
      .option("--out <run>", "the run folder to write")
      .option(
        "--weights <list>",
        "one weight per run, such as 1,4 (default: chosen on the validation users)",
        numbers,
      )
      .option("--step <n>", "increment between the weights to try (default: 0.1)", number)
      .option("--metric <name>", "metric for choosing the weights (default: ndcg@100)")
      .option("--dataset <folder>", "the dataset folder (default: that of the first run)"),
  )
    .option("--force", "replace the run in --out after the new one is complete")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin blend runs/rec-vae runs/infinite-ae --out runs/blend
  foldin blend runs/rec-vae runs/infinite-ae runs/dan --step 0.05 --out runs/blend
  foldin blend runs/rec-vae runs/infinite-ae --weights 4,1 --out runs/blend`,
    )
    .action((runs: string[], flags: Flags) => blendRuns(runs, flags, context));
}

async function blendRuns(runs: string[], flags: Flags, context: CliContext): Promise<void> {
  const out = required(flags.out, "--out <run>", "the run folder to write, such as --out runs/blend");
  const [
    { train },
    { readRunFolder, requireComplete },
    { loadDataset },
    { blendOf, planBlend },
    { parseOptions },
    { findAlgorithm },
  ] = await Promise.all([
    import("../../experiments/train.js"),
    import("../../experiments/run-folder.js"),
    import("../../data/dataset.js"),
    import("../../models/blend.js"),
    import("../../models/options.js"),
    import("../../models/registry.js"),
  ]);
  // Check the command line before reading any data.
  const { weights, step, metric } = flags;
  const options = {
    runs,
    ...(weights && { weights }),
    ...(step !== undefined && { step }),
    ...(metric !== undefined && { metric }),
  };
  await planBlend(parseOptions(blendOf(findAlgorithm), options));
  if (runs.some((run) => resolve(run) === resolve(out)))
    throw new UserError({
      place: "--out",
      problem: `${out} is one of the runs to blend`,
      expected: "a different folder",
    });
  const configs = [];
  for (const run of runs) configs.push(requireComplete(await readRunFolder(run)).config);
  const datasetPath = datasetOfRun(runs[0], configs[0], flags.dataset);
  const dataset = await loadDataset(datasetPath, { signal: context.signal });

  const started = performance.now();
  const recommender = await train(dataset, {
    model: "blend",
    options,
    engine: flags.engine,
    threads: flags.threads,
    out,
    force: flags.force,
    datasetPath,
    progress: context.progress,
    signal: context.signal,
  });
  const seconds = (performance.now() - started) / 1000;
  try {
    const { readJson } = await import("../../core/json-file.js");
    const { config } = (await readJson(join(out, "model", "config.json"))) as {
      config: { parts: { name: string; algorithm: string; weight: number }[] };
    };
    const parts = config.parts.map(({ name, algorithm, weight }) => ({ name, algorithm, weight }));
    if (!flags.json)
      context.out(
        table(
          [{ heading: "part" }, { heading: "model" }, { heading: "weight", align: "right" }],
          parts.map(({ name, algorithm, weight }) => [name, algorithm, String(Number(weight.toFixed(4)))]),
          context.style.dim,
        ),
      );
    await printTrained(out, recommender, dataset, { seconds, json: flags.json, more: { parts } }, context);
  } finally {
    recommender.dispose();
  }
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("Expected a number.");
  return value;
}

function numbers(text: string): number[] {
  const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (!values.every((value) => Number.isFinite(value) && value >= 0))
    throw new InvalidArgumentError("Expected comma-separated numbers, at least 0, such as 1,4.");
  return values;
}
