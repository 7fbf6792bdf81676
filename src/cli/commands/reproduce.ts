// foldin reproduce [preset]: runs a published experiment from raw files to its table, ours next to the published numbers.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { duration } from "../../core/duration.js";
import { UserError } from "../../core/errors.js";
import { shellCommand } from "../../core/shell.js";
import type { ReproducedStudy } from "../../experiments/reproduce.js";
import { cacheFolder } from "../cache-folder.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, type EngineFlags, wholeNumber } from "../engine-options.js";
import { tellHowToGoOn } from "../go-on.js";
import { count, plural, table, wrap } from "../table.js";

interface Flags extends EngineFlags {
  data?: string;
  studies?: string[];
  models?: string[];
  splits?: number;
  seeds?: number;
  jobs?: number;
  out?: string;
  seed?: number;
  epochs?: number;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  addEngineOptions(
    program
      .command("reproduce")
      .summary("run a published experiment and compare with its numbers")
      .description(
        "Runs a preset: prepares the raw files as published, trains, evaluates, and prints our numbers next to the published ones. An interrupted reproduction resumes when it is started again. Without a name, lists the presets.",
      )
      .argument("[preset]", "a preset, such as keras-notebook-v2")
      .option(
        "--data <folder>",
        "the folder with the raw files (ratings.dat), or with one folder per source (ml-1m/); for baselines a dataset folder",
      )
      .option("--out <folder>", "where everything goes (default: runs/<preset>)")
      .option("--seed <n>", "the seed that everything random follows from (default: 98765)", wholeNumber(0))
      .option(
        "--epochs <n>",
        "at most this many epochs per run: for a quick look, not for the numbers",
        wholeNumber(1),
      )
      .option("--studies <keys...>", "only these tables, by the name of their folder in data/")
      .option("--models <names...>", "only these models")
      .option(
        "--splits <n>",
        "where a table has several splits: only the first n of them, the released one first",
        wholeNumber(1),
      )
      .option(
        "--seeds <n>",
        "where a row has several seeds: only the first n of them (default: all)",
        wholeNumber(1),
      )
      .option(
        "--jobs <n>",
        "of baselines: trainings at a time (default: one per core, at most 4)",
        wholeNumber(1),
      ),
  )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin reproduce
  foldin reproduce keras-notebook-v2 --data downloads/ml-1m
  foldin reproduce cvae-figures-4-5 --data downloads --studies citeulike-t-p1 --splits 1
  foldin reproduce baselines --data data/mine --out runs/baselines`,
    )
    .action((name: string | undefined, flags: Flags) =>
      name === undefined ? listPresets(context, flags.json ?? false) : run(name, flags, context),
    );
}

async function listPresets(context: CliContext, json: boolean): Promise<void> {
  const { presetNames, findPreset } = await import("../../experiments/presets/registry.js");
  const presets = await Promise.all(presetNames.map(findPreset));
  const all = [...presets, BASELINES];
  if (json) {
    context.json({ presets: all.map(({ name, summary, source }) => ({ name, summary, source })) });
    return;
  }
  const width = Math.max(...all.map(({ name }) => name.length));
  for (const { name, summary, source } of all) {
    const [first, ...rest] = wrap(summary, (context.width ?? 100) - width - 2);
    context.out(`${context.style.bold(name)}${" ".repeat(width - name.length)}  ${first}`);
    for (const line of rest) context.out(" ".repeat(width + 2) + line);
    context.out(context.style.dim(" ".repeat(width + 2) + source));
  }
  context.out(`\nRun one with: foldin reproduce ${presetNames[0]} --data <folder>`);
}

/** The preset that reproduces nothing: it runs on any dataset. */
const BASELINES = {
  name: "baselines",
  summary:
    "Every model on one dataset, with its recipe or the best of a small search: one table, one page. --data is the dataset folder.",
  source: "No paper",
};

async function runBaselines(flags: Flags, context: CliContext): Promise<void> {
  const data = required(flags.data, "--data <folder>", "a dataset folder, such as --data data/mine");
  const [{ runBaselines }, { optionsText, timesText }, { pairOf, pText, methodText }, { estimateText }] =
    await Promise.all([
      import("../../experiments/baselines/run.js"),
      import("../../experiments/baselines/report.js"),
      import("../../experiments/compare/report.js"),
      import("../../experiments/reproduction-report.js"),
    ]);
  const { basename, resolve } = await import("node:path");
  const out = flags.out ?? join("runs", `baselines-${basename(resolve(data))}`);
  const result = await runBaselines(data, {
    ...flags,
    models: flags.models?.flatMap((names) => names.split(",")),
    out,
    progress: context.progress,
    signal: context.signal,
    onModel: (model, how, number, models) => context.say(`${number} of ${models}: ${model}, ${how}`),
    onRow: ({ model, validation, failure }) =>
      context.say(
        failure === undefined
          ? `${model}: validation ndcg@100 ${validation ? estimateText(validation) : "–"}`
          : `${model}: not trained: ${failure}`,
      ),
  }).catch((error: unknown) => {
    if (!existsSync(out)) throw error;
    throw tellHowToGoOn(error, again(BASELINES.name, data, out), context);
  });
  if (flags.json) {
    context.json({ ...result, folder: out });
    return;
  }
  const { comparison, rows, metric } = result;
  const { bold, dim } = context.style;
  context.out(`${bold(`${comparison.systems.length} models`)} on ${result.dataset}, best first`);
  context.out(
    table(
      [
        { heading: "model" },
        ...comparison.metrics.map((heading) => ({ heading, align: "right" as const })),
        { heading: "p against best", align: "right" },
        { heading: "training", align: "right" },
        { heading: "options" },
      ],
      comparison.systems.map((system) => {
        const row = rows.find(({ model }) => model === system.name);
        const pair = pairOf(comparison, metric, comparison.systems[0].name, system.name);
        return [
          system.name,
          ...comparison.metrics.map((name) => estimateText(system.metrics[name])),
          pair ? pText(pair.randomisationHolm) : "",
          row ? timesText(row) : "",
          row ? optionsText(row) : "",
        ];
      }),
      dim,
    ),
  );
  for (const { model, failure } of rows)
    if (failure !== undefined) context.out(`${model} was not trained: ${failure}`);
  context.out(dim(methodText(comparison)));
  if (result.shortenedTo !== undefined)
    context.out(`cut short at ${plural(result.shortenedTo, "epoch")}: these numbers are for a quick look`);
  context.out(`results: ${join(out, "results.json")}, ${join(out, "results.csv")}`);
  context.out(`report: ${join(out, "report.html")}`);
}

async function run(name: string, flags: Flags, context: CliContext): Promise<void> {
  if (name === BASELINES.name) {
    for (const flag of ["studies", "splits", "seeds"] as const)
      if (flags[flag] !== undefined)
        throw new UserError({
          place: `--${flag}`,
          problem: `is not an option of ${name}, which has one table and one seed`,
        });
    return runBaselines(flags, context);
  }
  if (flags.jobs !== undefined)
    throw new UserError({ place: "--jobs", problem: `is an option of ${BASELINES.name}, not of ${name}` });
  const { findPreset } = await import("../../experiments/presets/registry.js");
  const preset = await findPreset(name);
  const data = required(
    flags.data,
    "--data <folder>",
    "the folder with the raw files, such as --data downloads/ml-1m",
  );
  const out = flags.out ?? join("runs", preset.name);
  const [
    { reproduce },
    {
      apartText,
      CHANCE_NOTE,
      chanceText,
      choiceText,
      epochsText,
      estimateText,
      reportOnReproduction,
      runDeviationText,
      standardErrorsApart,
    },
    { depthTables, runNotes, splitsText },
    { summarise },
  ] = await Promise.all([
    import("../../experiments/reproduce.js"),
    import("../../experiments/reproduction-report.js"),
    import("../../experiments/depth-section.js"),
    import("../../experiments/network-diagram.js"),
  ]);
  const result = await reproduce(preset, {
    ...flags,
    studies: flags.studies?.flatMap((keys) => keys.split(",")),
    models: flags.models?.flatMap((names) => names.split(",")),
    cache: cacheFolder(process.env),
    data,
    out,
    progress: context.progress,
    signal: context.signal,
    onEstimate: (seconds, runs) =>
      context.say(
        // Only what learns by batches can be timed beforehand.
        `${plural(runs, "training")} ahead${seconds > 0 ? `, about ${duration(seconds)} at most on this machine as it is now` : ""}`,
      ),
    onRun: (title, number, runs) => context.say(`${number} of ${runs}: ${title}`),
  }).catch((error: unknown) => {
    if (!existsSync(out)) throw error;
    throw tellHowToGoOn(error, again(name, data, out), context);
  });
  const { network } = result;
  const report = await reportOnReproduction(out, result);
  if (flags.json) {
    context.json({
      ...result,
      report,
    });
    return;
  }

  const { bold, dim } = context.style;
  if (network) {
    const { rows, total } = summarise(network);
    context.out(
      table(
        [
          { heading: "layer" },
          { heading: "kind" },
          { heading: "output", align: "right" },
          { heading: "weights", align: "right" },
        ],
        [
          ...rows.map(({ layer, kind, output, parameters }) => [layer, kind, output, count(parameters)]),
          ["total", "", "", count(total)],
        ],
        dim,
      ),
    );
    context.out();
  }
  for (const study of result.studies) {
    context.out(bold(study.title));
    if (study.note) context.out(dim(study.note));
    if (study.byDepth !== undefined) {
      printLists(study, context);
      for (const { title, note, depths, rows, largestError } of depthTables(study)) {
        context.out(`\n${study.byDepth}, ${title}${note === undefined ? "" : `: ${note}`}`);
        context.out(
          table(
            [
              { heading: "model" },
              ...depths.map((depth) => ({ heading: `@${depth}`, align: "right" as const })),
            ],
            rows.map(({ title, published, values }) => [
              published ? "  published" : title,
              ...values.map((value) => value?.toFixed(4) ?? "–"),
            ]),
            dim,
          ),
        );
        context.out(
          dim(`${splitsText(study) ?? "mean over test users"}, at most ${largestError.toFixed(4)}`),
        );
      }
      for (const text of runNotes(study)) context.out(dim(text));
      if (study.publishedBy !== undefined) context.out(dim(`published: ${study.publishedBy}`));
      context.out();
      continue;
    }
    const repeated = study.runs.some(({ seeds }) => seeds && seeds.length > 1);
    context.out(
      table(
        [
          { heading: "model" },
          { heading: "metric" },
          { heading: "ours", align: "right" },
          ...(repeated ? [{ heading: "run to run", align: "right" as const }] : []),
          { heading: "published", align: "right" },
          { heading: "difference", align: "right" },
          ...(repeated ? [{ heading: "chance", align: "right" as const }] : []),
          { heading: "epochs", align: "right" },
        ],
        study.runs.flatMap((run) =>
          Object.entries(run.metrics).map(([metric, { ours, published, chance }], m) => [
            m === 0 ? run.title : "",
            metric,
            estimateText(ours),
            ...(repeated ? [runDeviationText(ours)] : []),
            published ? estimateText(published) : "–",
            apartText(standardErrorsApart(ours, published)),
            ...(repeated ? [chanceText(chance)] : []),
            m === 0 ? epochsText(run) : "",
          ]),
        ),
        dim,
      ),
    );
    for (const run of study.runs) {
      const text = choiceText(run);
      if (text !== undefined) context.out(dim(`${run.title}: ${text}`));
    }
    if (repeated) context.out(dim(`ours: the mean over the runs. ${CHANCE_NOTE}`));
    context.out();
  }
  for (const { title, why } of result.skipped) context.out(dim(`left out: ${title}: ${why}`));
  if (result.shortenedTo !== undefined)
    context.out(`cut short at ${plural(result.shortenedTo, "epoch")}: these numbers are not a reproduction`);
  context.out([`results: ${join(out, "results.json")}`, `report: ${report}`]);
}

/** The command that goes on. */
function again(name: string, data: string, out: string): string {
  return shellCommand("foldin", "reproduce", name, "--data", data, "--out", out);
}

/** Each listed user's best items, model by model. */
function printLists({ runs }: ReproducedStudy, context: CliContext): void {
  const { bold, dim } = context.style;
  for (const [u, { title, user, history }] of (runs[0]?.lists ?? []).entries()) {
    context.out(`\n${bold(title)} (${user}), known by: ${history.join("; ")}`);
    for (const { title, lists } of runs) {
      const list = lists?.[u];
      if (!list) continue;
      const { items, published } = list;
      const found = items.filter((item) => item.inLibrary).length;
      context.out(
        dim(
          `${title}: ${found} of ${items.length} in the library${published === undefined ? "" : `, published ${published}`}`,
        ),
      );
      for (const [place, item] of items.entries())
        context.out(`  ${String(place + 1).padStart(2)} ${item.inLibrary ? "*" : " "} ${item.title}`);
    }
  }
}
