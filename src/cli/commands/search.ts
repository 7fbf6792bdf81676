// foldin search <dataset>: trains a model with many settings of its options, and chooses the best on the validation users.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { duration } from "../../core/duration.js";
import { UserError } from "../../core/errors.js";
import type { MetricValue } from "../../evaluation/evaluate.js";
import type { SearchPoint } from "../../experiments/search/result.js";
import { cacheFolder } from "../cache-folder.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, collected, type EngineFlags, wholeNumber } from "../engine-options.js";
import { tellHowToGoOn } from "../go-on.js";
import { plural, table } from "../table.js";

interface Flags extends EngineFlags {
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
  out?: string;
  writeRecipe?: string;
  keepModels?: boolean;
  checkpointSeconds?: number;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  define(program.command("search"), context);
  // Its former name.
  define(program.command("sweep", { hidden: true }), context);
}

function define(command: Command, context: CliContext): void {
  addEngineOptions(
    command
      .summary("search a model's options")
      .description(
        "Trains a model with many settings of its options, several at a time, and chooses the best one on the validation users. Interrupted, it goes on when started again; points that are finished are kept.",
      )
      .argument("<dataset>", "a dataset folder, as foldin prepare writes it")
      .option("--model <name>", "the model (see foldin models)")
      .option(
        "--grid <name=values...>",
        "values to try, name=a,b,c; a range to draw from, name=low..high (logarithmic where the ends are tenfold apart, else even; :log or :linear after it decides); a list as hidden=[600],[600,300]; unset leaves an option out",
      )
      .option("--random <n>", "draw so many points of the grid instead of trying all", wholeNumber(1))
      .option(
        "--recipe <name>",
        "start from options chosen on a data set's validation users, such as ml-1m, or from a recipe's file",
      )
      .option(
        "--set <name=value>",
        "an option that is the same at every point; may be given again",
        collected,
      )
      .option("--epochs <n>", "passes over the training users; the same as --set epochs=<n>", wholeNumber(1))
      .option("--seed <n>", "the seed of every training, and of drawing (default: 98765)", wholeNumber(0))
      .option("--metric <name>", "what chooses", "ndcg@100")
      .addOption(
        new Option(
          "--choose-on <split>",
          "whose metric chooses; test only to repeat what was published so: such a number flatters",
        )
          .choices(["validation", "test"])
          .default("validation"),
      )
      .option("--jobs <n>", "trainings at a time (default: one per core, at most 4)", wholeNumber(1))
      .option("--out <folder>", "where everything goes (default: runs/search-<dataset>-<model>)")
      .option(
        "--write-recipe <file>",
        "write the choice into this recipe, too; one that is there keeps its searches and the better choice",
      )
      .option("--keep-models", "keep the model of every point, not of the best alone"),
  )
    .option(
      "--checkpoint-seconds <n>",
      "seconds between a training's checkpoints (default: 10)",
      wholeNumber(0),
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
--threads counts those of each training (default: the cores divided among the jobs). Every point is a run folder in
<folder>/points; only the best keeps its model. Test metrics are computed for the best alone, after it was chosen.
The command's former name, foldin sweep, still works.

Examples:
  foldin search data/ml-1m --model mult-dae --grid dropout=0.3,0.5,0.7 learningRate=5e-4,1e-3 --epochs 100
  foldin search data/ml-1m --model mult-vae --random 20 --grid learningRate=1e-4..1e-2 beta=0..1
  foldin search data/ml-1m --model mult-vae --recipe ml-1m --grid beta=0.1,0.2,0.3 --write-recipe beta.json`,
    )
    .action((dataset: string, flags: Flags) => runSearch(dataset, flags, context));
}

async function runSearch(dataset: string, flags: Flags, context: CliContext): Promise<void> {
  const [{ isSearchFolder, search }, { parseSpace }, { findAlgorithm }, { parseSettings }, { readManifest }] =
    await Promise.all([
      import("../../experiments/search/search.js"),
      import("../../experiments/search/space.js"),
      import("../../models/registry.js"),
      import("../../models/options.js"),
      import("../../data/dataset.js"),
    ]);
  const [{ optionText }, { edgesOf }, { parseMetric }] = await Promise.all([
    import("../../experiments/option-text.js"),
    import("../../experiments/search/edges.js"),
    import("../../evaluation/metrics.js"),
  ]);
  const algorithm = await findAlgorithm(
    required(flags.model, "--model <name>", "the model to search options of, such as --model mult-vae"),
  );
  const space = parseSpace(algorithm, flags.grid ?? []);
  if (space.length === 0)
    throw new UserError({
      problem: "option '--grid <name=values...>' is missing",
      remedy: `Give what to vary, such as --grid name=a,b,c (see foldin models ${algorithm.name})`,
    });
  const options = parseSettings(algorithm, flags.set ?? []);
  if (flags.epochs !== undefined) options.epochs = flags.epochs;
  const out = flags.out ?? defaultFolder((await readManifest(dataset)).name, algorithm.name);
  const { bold, dim } = context.style;
  if (flags.chooseOn === "test")
    context.say(
      "CHOOSING ON THE TEST USERS, as published: the best number is too good to be true for anybody else",
    );

  const metricName = parseMetric(flags.metric).name;
  const settingText = ({ setting }: SearchPoint) =>
    Object.entries(setting)
      .map(([name, value]) => `${name}=${optionText(value)}`)
      .join(" ");
  const result = await search(dataset, {
    ...flags,
    model: algorithm.name,
    space,
    options,
    out,
    cache: cacheFolder(process.env),
    progress: context.progress,
    signal: context.signal,
    onPoint: (point, finished, points) =>
      context.say(
        `${finished} of ${points}: ${settingText(point)}: ${point.state === "failed" ? `failed: ${point.message}` : `${metricName} ${estimate(point.metrics?.[metricName])} in ${duration(point.seconds ?? 0)}`}`,
      ),
  }).catch((error: unknown) => {
    if (!isSearchFolder(out)) throw error;
    throw tellHowToGoOn(error, `the same command again (it is in ${out})`, context);
  });
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
    `${bold(result.model)} on ${result.dataset}, ${plural(points.length, "point")}, by ${metric} on the ${chosenOn} users${chosenOn === "test" ? " (THE TEST USERS CHOSE)" : ""}`,
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
    const others = more.length > 0 ? ` and ${plural(more.length, "point")} more` : "";
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

/** A search that was begun under the command's former name goes on in its folder. */
function defaultFolder(dataset: string, model: string): string {
  const [now, before] = ["search", "sweep"].map((name) => join("runs", `${name}-${dataset}-${model}`));
  return !existsSync(now) && existsSync(before) ? before : now;
}

/** Rows of the table on the terminal. */
const ROWS = 30;

function estimate(value: MetricValue | undefined): string {
  if (!value) return "–";
  return value.standardError === undefined
    ? value.mean.toFixed(4)
    : `${value.mean.toFixed(4)} ± ${value.standardError.toFixed(4)}`;
}
