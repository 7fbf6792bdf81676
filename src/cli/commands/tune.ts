// foldin tune <dataset>: finds the best model and its options within a budget.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { duration } from "../../core/duration.js";
import { UserError } from "../../core/errors.js";
import type { MetricValue } from "../../evaluation/evaluate.js";
import type { TuneResult } from "../../experiments/tune/result.js";
import { budget } from "../budget.js";
import type { CliContext } from "../context.js";
import { addEngineOptions, type EngineFlags, engineOf, wholeNumber } from "../engine-options.js";
import { addQueueOptions, type QueueFlags, withQueue } from "../queue-options.js";
import { withResumeHint } from "../resume-hint.js";
import { plural, table } from "../table.js";

interface Flags extends EngineFlags, QueueFlags {
  budget?: number;
  trials?: number;
  models?: string[];
  metric: string;
  seed?: number;
  jobs?: number;
  out?: string;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = addEngineOptions(
    program
      .command("tune")
      .summary("find the best model and its options")
      .description(
        "Find the best model for a dataset within a budget: try the models that fit its size, search their options on the validation users, stop poor trainings early, and blend the best. Run the same command again to resume after an interruption.",
      )
      .argument("<dataset>", "a dataset folder written by foldin prepare")
      .option("--budget <time>", "how long it may take, such as 30m, 90s or 1h30m", budget)
      .option(
        "--trials <n>",
        "number of trials, instead of a time: gives the same trials on every machine",
        wholeNumber(1),
      )
      .option("--models <names>", "only these models, separated by commas (default: all that fit)", (text) =>
        text.split(",").map((name) => name.trim()),
      )
      .option("--metric <name>", "metric to maximise on the validation users", "ndcg@100")
      .option("--seed <n>", "seed of every training and of the search (default: 98765)", wholeNumber(0))
      .option("--jobs <n>", "number of parallel trainings (default: one per core, at most 4)", wholeNumber(1))
      .option("--out <folder>", "the folder to write (default: runs/tune-<dataset>)"),
    "float32",
  );
  addQueueOptions(command, "do the trainings")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
--threads applies to each training (default: the cores divided by the number of jobs). The best options are trained again on
training and validation users in <folder>/best. Test metrics are computed once, after everything was chosen.

Examples:
  foldin tune data/ml-1m --budget 30m
  foldin tune data/ml-1m --trials 50 --models ease,rec-vae,wmf
  foldin train data/ml-1m --recipe runs/tune-ml-1m/recipe.json --model ease --out runs/tuned`,
    )
    .action((dataset: string, flags: Flags) => runTune(dataset, flags, context));
}

async function runTune(dataset: string, flags: Flags, context: CliContext): Promise<void> {
  if (flags.budget === undefined && flags.trials === undefined)
    throw new UserError({
      problem: "option '--budget <time>' is required",
      remedy: "Give a time such as --budget 30m, or a number of trials such as --trials 50",
    });
  const [{ tune }, { readManifest }, { optionText }] = await Promise.all([
    import("../../experiments/tune/tune.js"),
    import("../../data/dataset.js"),
    import("../../experiments/option-text.js"),
  ]);
  const { name } = await readManifest(dataset);
  const out = flags.out ?? join("runs", `tune-${name}`);
  const result = await withQueue(flags, context, (remote) =>
    tune(dataset, {
      ...engineOf(flags),
      ...remote,
      budgetSeconds: flags.budget,
      ...{ trials: flags.trials, models: flags.models, metric: flags.metric, seed: flags.seed },
      ...{ jobs: flags.jobs, out, progress: context.progress, signal: context.signal },
      onTrial: ({ number, model, setting, state, value, seconds, message, isBest }) => {
        const options = Object.entries(setting)
          .map(([option, chosen]) => `${option}=${optionText(chosen)}`)
          .join(" ");
        const outcome =
          state === "failed"
            ? `failed: ${message}`
            : `${state === "paused" ? "so far " : ""}${value?.toFixed(4)} in ${duration(seconds)}${isBest ? "  best" : ""}`;
        context.say(`${number + 1}: ${model} ${options || "defaults"}: ${outcome}`);
      },
    }),
  ).catch((error: unknown) => {
    if (!existsSync(join(out, "tune.json"))) throw error;
    throw withResumeHint(error, `the same command again (finished trials are in ${out})`, context);
  });
  if (flags.json) context.json(result);
  else print(result, out, context);
}

function print(result: TuneResult, out: string, { out: print, style }: CliContext): void {
  const { models, metric, blend, comparison, leftOut, dataset, refitted, refittedBlend } = result;
  print(
    `${style.bold(dataset)}: ${plural(result.trials, "trial")} in ${duration(result.seconds)} (${plural(result.paused, "trial")} stopped early, ${result.failed} failed)`,
  );
  const testOf = (name: string) =>
    comparison?.systems.find((system) => system.name === name)?.metrics[metric];
  const rows = models.map(({ model, validation, trials, seconds, run }) => [
    model,
    run === undefined ? `${validation.mean.toFixed(4)} so far` : estimate(validation),
    run === undefined ? "–" : estimate(testOf(model)),
    String(trials),
    duration(seconds),
  ]);
  if (blend) rows.unshift(["blend", estimate(blend.validation), estimate(testOf("blend")), "", ""]);
  print(
    table(
      [
        { heading: "model" },
        { heading: `validation ${metric}`, align: "right" },
        { heading: `test ${metric}`, align: "right" },
        { heading: "trials", align: "right" },
        { heading: "training", align: "right" },
      ],
      rows,
      style.dim,
    ),
  );
  if (blend)
    print(
      `blend: ${blend.parts.map(({ model, weight }) => `${model} ${weight.toFixed(1)}`).join(", ")}: ${blend.run}`,
    );
  const again = (what: string, refitted: TuneResult["refitted"]) =>
    refitted
      ? [
          `${what} trained again with the validation users: ${refitted.run}${testText(refitted.test?.[metric])}`,
        ]
      : [];
  const testText = (value: MetricValue | undefined) => (value ? ` (test ${metric} ${estimate(value)})` : "");
  const reasons = new Map<string, string[]>();
  for (const { model, reason } of leftOut) reasons.set(reason, [...(reasons.get(reason) ?? []), model]);
  for (const [reason, names] of reasons) print(style.dim(`left out: ${names.join(", ")}: ${reason}`));
  print([
    `best model: ${result.best}`,
    ...again("best model", refitted),
    ...again("blend", refittedBlend),
    `recipe: ${result.recipe}`,
    `report: ${join(out, "report.html")}`,
  ]);
}

function estimate(value: MetricValue | undefined): string {
  if (!value) return "–";
  const error = value.standardError === undefined ? "" : ` ± ${value.standardError.toFixed(4)}`;
  return `${value.mean.toFixed(4)}${error}`;
}
