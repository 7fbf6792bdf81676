// foldin search <dataset>: trains a model with many option settings and chooses the best one on the validation users.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { duration } from "../../core/duration.js";
import { UserError } from "../../core/errors.js";
import type { MetricValue } from "../../evaluation/evaluate.js";
import type { SearchPoint, SearchResult } from "../../experiments/search/result.js";
import type { SearchOptions } from "../../experiments/search/search-options.js";
import type { TrackerChoice } from "../../experiments/trackers/open-trackers.js";
import { cacheFolder } from "../cache-folder.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, collected, type EngineFlags, wholeNumber } from "../engine-options.js";
import { addQueueOptions, type QueueFlags, withQueue } from "../queue-options.js";
import { withResumeHint } from "../resume-hint.js";
import { addShardOption, parseShard } from "../shard-option.js";
import { plural, table } from "../table.js";
import { addTrackerOptions } from "../tracker-options.js";

interface Flags extends EngineFlags, QueueFlags, TrackerChoice {
  model?: string;
  grid?: string[];
  random?: number;
  recipe?: string;
  set?: string[];
  epochs?: number;
  seed?: number;
  metric: string;
  chooseOn: "validation" | "test";
  jobs?: number;
  shard?: string;
  out?: string;
  writeRecipe?: string;
  keepModels?: boolean;
  checkpointSeconds?: number;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  define(program.command("search"), context);
  // The former name of the command.
  define(program.command("sweep", { hidden: true }), context);
}

function define(command: Command, context: CliContext): void {
  const added = addEngineOptions(
    command
      .summary("search for the best options of a model")
      .description(
        "Train a model with many option settings, several in parallel, and choose the best one on the validation users. Run the same command again to resume after an interruption; finished points are kept.",
      )
      .argument("<dataset>", "a dataset folder written by foldin prepare")
      .option("--model <name>", "the model (see foldin models)")
      .option(
        "--grid <name=values...>",
        "values to try: name=a,b,c; lists: hidden=[600],[600,300]; a range to sample from: name=low..high, log-uniform if high is at least 10 times low, otherwise uniform (override with :log or :linear); the value unset omits an option",
      )
      .option("--random <n>", "sample n points of the grid instead of trying all", wholeNumber(1))
      .option("--recipe <name>", "start from the options of a recipe: its name, such as ml-1m, or its file")
      .option("--set <name=value>", "a model option for all points (repeatable)", collected)
      .option("--epochs <n>", "number of training epochs; same as --set epochs=<n>", wholeNumber(1))
      .option("--seed <n>", "seed of every training and of the sampling (default: 98765)", wholeNumber(0))
      .option("--metric <name>", "metric to maximise", "ndcg@100")
      .addOption(
        new Option(
          "--choose-on <split>",
          "users to choose on; test only to repeat a publication that did so: the result is biased",
        )
          .choices(["validation", "test"])
          .default("validation"),
      )
      .option("--jobs <n>", "number of parallel trainings (default: one per core, at most 4)", wholeNumber(1))
      .option("--out <folder>", "the folder to write (default: runs/search-<dataset>-<model>)")
      .option(
        "--write-recipe <file>",
        "also write the choice to this recipe file; an existing recipe keeps its searches and the better choice",
      )
      .option("--keep-models", "keep the models of all points, not only of the best"),
    "float32",
  ).option(
    "--checkpoint-seconds <n>",
    "seconds between a training's checkpoints (default: 10)",
    wholeNumber(0),
  );
  addShardOption(added, "train only a share of the points; the share that ends last chooses the best");
  addTrackerOptions(addQueueOptions(added, "train the points"))
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
--threads applies to each training (default: the cores divided by the number of jobs). Every point is a run folder in
<folder>/points; only the best one keeps its model. Test metrics are computed only for the best point, after the choice.
The former name of this command, foldin sweep, still works.

Examples:
  foldin search data/ml-1m --model mult-dae --grid dropout=0.3,0.5,0.7 learningRate=5e-4,1e-3 --epochs 100
  foldin search data/ml-1m --model mult-vae --random 20 --grid learningRate=1e-4..1e-2 beta=0..1
  foldin search data/ml-1m --model mult-vae --recipe ml-1m --grid beta=0.1,0.2,0.3 --write-recipe beta.json`,
    )
    .action((dataset: string, flags: Flags) => runSearch(dataset, flags, context));
}

async function runSearch(dataset: string, flags: Flags, context: CliContext): Promise<void> {
  const [
    { search },
    { isSearchFolder },
    { parseSpace },
    { findAlgorithm },
    { parseSettings },
    { readManifest },
  ] = await Promise.all([
    import("../../experiments/search/search.js"),
    import("../../experiments/search/plan.js"),
    import("../../experiments/search/space.js"),
    import("../../models/registry.js"),
    import("../../models/options.js"),
    import("../../data/dataset.js"),
  ]);
  const [{ optionText }, { edgesOf }, { parseAccuracyMetric }] = await Promise.all([
    import("../../experiments/option-text.js"),
    import("../../experiments/search/edges.js"),
    import("../../evaluation/metrics.js"),
  ]);
  const algorithm = await findAlgorithm(
    required(flags.model, "--model <name>", "the model, such as --model mult-vae"),
  );
  const space = parseSpace(algorithm, flags.grid ?? []);
  if (space.length === 0)
    throw new UserError({
      problem: "option '--grid <name=values...>' is required",
      remedy: `Give the options to vary, such as --grid name=a,b,c (see foldin models ${algorithm.name})`,
    });
  const options = parseSettings(algorithm, flags.set ?? []);
  if (flags.epochs !== undefined) options.epochs = flags.epochs;
  const out = flags.out ?? defaultFolder((await readManifest(dataset)).name, algorithm.name);
  const { bold, dim } = context.style;
  if (flags.chooseOn === "test")
    context.say("warning: CHOOSING ON THE TEST USERS: the test result of the best point is biased");

  const metricName = parseAccuracyMetric(flags.metric).name;
  const settingText = ({ setting }: SearchPoint) =>
    Object.entries(setting)
      .map(([name, value]) => `${name}=${optionText(value)}`)
      .join(" ");
  const given: SearchOptions = {
    ...flags,
    ...{ model: algorithm.name, space, options, out, cache: cacheFolder(process.env) },
    trackers: { tensorboard: flags.tensorboard, mlflow: flags.mlflow },
    ...{ progress: context.progress, signal: context.signal },
    onPoint: (point, finished, points) =>
      context.say(
        `${finished} of ${points}: ${settingText(point)}: ${point.state === "failed" ? `failed: ${point.message}` : `${metricName} ${estimate(point.metrics?.[metricName])} in ${duration(point.seconds ?? 0)}`}`,
      ),
  };
  const hint = (error: unknown) => {
    if (!isSearchFolder(out)) throw error;
    throw withResumeHint(error, `the same command again (finished points are in ${out})`, context);
  };
  let result: SearchResult;
  if (flags.shard !== undefined) {
    const found = await trainShard(dataset, flags.shard, given, flags, context).catch(hint);
    if (!found) return;
    result = found;
  } else
    result = await withQueue(flags, context, (remote) => search(dataset, { ...given, ...remote })).catch(
      hint,
    );
  if (flags.json) {
    context.json({ ...result, folder: out });
    return;
  }

  const { metric, best, chosenOn, points } = result;
  const names = Object.keys(best.metrics ?? {});
  const score = (point: SearchPoint) => point.metrics?.[metric].mean ?? -Infinity;
  const ranked = [...points].sort((a, b) => score(b) - score(a));
  const failed = points.filter(({ state }) => state === "failed");
  context.out(
    `${bold(result.model)} on ${result.dataset}, ${plural(points.length, "point")}, by ${metric} on the ${chosenOn} users${chosenOn === "test" ? " (CHOSEN ON THE TEST USERS)" : ""}`,
  );
  context.out(
    table(
      [
        ...space.map(({ name }) => ({ heading: name, align: "right" as const })),
        ...names.map((name) => ({ heading: name, align: "right" as const })),
        { heading: "epochs", align: "right" },
        { heading: "time", align: "right" },
      ],
      ranked
        .filter(({ state }) => state === "done")
        .slice(0, ROWS)
        .map((point) => [
          ...space.map(({ name }) => optionText(point.setting[name])),
          ...names.map((name) => estimate(point.metrics?.[name])),
          point.epochs ? `${point.chosenEpoch} of ${point.epochs}` : "–",
          duration(point.seconds ?? 0),
        ]),
      dim,
    ),
  );
  if (points.length - failed.length > ROWS)
    context.out(dim(`and ${points.length - failed.length - ROWS} more in results.csv`));
  for (const message of new Set(failed.map((point) => point.message))) {
    const [first, ...more] = failed.filter((point) => point.message === message);
    const others = more.length > 0 ? ` and ${plural(more.length, "other point")}` : "";
    context.out(`failed: ${settingText(first)}${others}: ${message}`);
  }
  context.out(`\n${bold("best")}: ${settingText(best)}`);
  context.out(
    table(
      [{ heading: "metric" }, { heading: "validation", align: "right" }, { heading: "test", align: "right" }],
      names.map((name) => [
        name,
        chosenOn === "test" ? "–" : estimate(best.metrics?.[name]),
        estimate(result.test[name]),
      ]),
      dim,
    ),
  );
  for (const text of edgesOf(result)) context.out(text);
  const [recipe, ...more] = result.recipes;
  context.out(`run: ${result.run}`);
  context.out(`results: ${join(out, "results.csv")}, ${join(out, "results.json")}`);
  context.out(`report: ${join(out, "report.html")}`);
  if (recipe) context.out(`recipe: ${[...more, recipe].join(", ")}`);
}

/** Trains a share of the points and reports it; returns the search if this share ended last. */
async function trainShard(
  dataset: string,
  text: string,
  given: SearchOptions,
  { queue, json }: Flags,
  context: CliContext,
): Promise<SearchResult | undefined> {
  if (queue !== undefined)
    throw new UserError({
      place: "--shard",
      problem: "cannot be used with --queue",
      remedy: "Use only one of them",
    });
  const shard = parseShard(text);
  const { searchShard } = await import("../../experiments/search/search-shard.js");
  const { points, failed, missing, search } = await searchShard(dataset, shard, given);
  if (search) return search;
  if (json) {
    context.json({ folder: given.out, shard: shard.number, of: shard.of, points, failed, missing });
    return undefined;
  }
  context.out(`share ${shard.number} of ${shard.of}: ${plural(points, "point")}`);
  for (const { key, message } of failed) context.out(`failed: ${key}: ${message}`);
  context.out(
    failed.length > 0
      ? `without a result: ${plural(missing, "point")} of all shares; the same command without --shard tries them again and chooses the best`
      : `${plural(missing, "point")} of other shares missing: the share that ends last chooses the best`,
  );
  return undefined;
}

/** The default folder. A search started under the former command name is resumed in its own folder. */
function defaultFolder(dataset: string, model: string): string {
  const [now, before] = ["search", "sweep"].map((name) => join("runs", `${name}-${dataset}-${model}`));
  return !existsSync(now) && existsSync(before) ? before : now;
}

/** Maximum number of table rows on the terminal. */
const ROWS = 30;

function estimate(value: MetricValue | undefined): string {
  if (!value) return "–";
  return value.standardError === undefined
    ? value.mean.toFixed(4)
    : `${value.mean.toFixed(4)} ± ${value.standardError.toFixed(4)}`;
}
