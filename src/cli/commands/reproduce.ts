// foldin reproduce [preset]: runs a published experiment from raw files and compares the results with the published ones.

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
import { addQueueOptions, type QueueFlags, withQueue } from "../queue-options.js";
import { withResumeHint } from "../resume-hint.js";
import { count, plural, table, wrap } from "../table.js";

interface Flags extends EngineFlags, QueueFlags {
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
  const command = addEngineOptions(
    program
      .command("reproduce")
      .summary("run a published experiment and compare the results")
      .description(
        "Run a preset: prepare the raw files as published, train, evaluate, and compare the results with the published numbers. Run the same command again to resume after an interruption. Without a name, list the presets.",
      )
      .argument("[preset]", "a preset name, such as keras-notebook-v2")
      .option(
        "--data <folder>",
        "folder with the raw files (ratings.dat), or with one folder per source (ml-1m/); for baselines: a dataset folder",
      )
      .option("--out <folder>", "the folder to write (default: runs/<preset>)")
      .option("--seed <n>", "random seed (default: 98765)", wholeNumber(0))
      .option(
        "--epochs <n>",
        "limit the epochs of each run, for a quick trial; the results are then not a reproduction",
        wholeNumber(1),
      )
      .option("--studies <keys...>", "run only the tables with these keys; an unknown key lists all keys")
      .option("--models <names...>", "run only these models")
      .option(
        "--splits <n>",
        "tables with several splits: run only the first n (the first one is the released split)",
        wholeNumber(1),
      )
      .option("--seeds <n>", "rows with several seeds: run only the first n (default: all)", wholeNumber(1))
      .option(
        "--jobs <n>",
        "baselines: number of parallel trainings (default: one per core, at most 4)",
        wholeNumber(1),
      ),
    "float32",
  );
  addQueueOptions(command, "do the trainings")
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

/** Not a reproduction: runs on any dataset. */
const BASELINES = {
  name: "baselines",
  summary:
    "All models on one dataset, each with its recipe or the best options of a small search; writes a table and a report. --data is the dataset folder.",
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
          : `${model}: training failed: ${failure}`,
      ),
  }).catch((error: unknown) => {
    if (!existsSync(out)) throw error;
    throw withResumeHint(error, again(BASELINES.name, data, out), context);
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
        { heading: "p vs best", align: "right" },
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
    if (failure !== undefined) context.out(`${model}: training failed: ${failure}`);
  context.out(dim(methodText(comparison)));
  if (result.shortenedTo !== undefined)
    context.out(
      `limited to ${plural(result.shortenedTo, "epoch")} (--epochs): a quick trial, not a benchmark`,
    );
  context.out(`results: ${join(out, "results.json")}, ${join(out, "results.csv")}`);
  context.out(`report: ${join(out, "report.html")}`);
}

async function run(name: string, flags: Flags, context: CliContext): Promise<void> {
  if (name === BASELINES.name) {
    for (const flag of ["studies", "splits", "seeds", "queue"] as const)
      if (flags[flag] !== undefined)
        throw new UserError({
          place: `--${flag}`,
          problem: `cannot be used with ${name}`,
          remedy: "Remove the option",
        });
    return runBaselines(flags, context);
  }
  if (flags.jobs !== undefined)
    throw new UserError({
      place: "--jobs",
      problem: `can be used only with ${BASELINES.name}`,
      remedy: "Remove the option",
    });
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
  const result = await withQueue(flags, context, (remote) =>
    reproduce(preset, {
      ...flags,
      ...remote,
      studies: flags.studies?.flatMap((keys) => keys.split(",")),
      models: flags.models?.flatMap((names) => names.split(",")),
      cache: cacheFolder(process.env),
      data,
      out,
      progress: context.progress,
      signal: context.signal,
      onEstimate: (seconds, runs) =>
        context.say(
          // Only models that train in batches can be timed in advance.
          `${plural(runs, "training")} to run${seconds > 0 ? `, estimated at most ${duration(seconds)} on this machine` : ""}`,
        ),
      onRun: (title, number, runs) => context.say(`${number} of ${runs}: ${title}`),
    }),
  ).catch((error: unknown) => {
    if (!existsSync(out)) throw error;
    throw withResumeHint(error, again(name, data, out), context);
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
  for (const { title, why } of result.skipped) context.out(dim(`skipped: ${title}: ${why}`));
  if (result.shortenedTo !== undefined)
    context.out(`limited to ${plural(result.shortenedTo, "epoch")} (--epochs): not a reproduction`);
  context.out([`results: ${join(out, "results.json")}`, `report: ${report}`]);
}

/** The command that resumes the preset. */
function again(name: string, data: string, out: string): string {
  return shellCommand("foldin", "reproduce", name, "--data", data, "--out", out);
}

/** The top items of each listed user, for each model. */
function printLists({ runs }: ReproducedStudy, context: CliContext): void {
  const { bold, dim } = context.style;
  for (const [u, { title, user, history }] of (runs[0]?.lists ?? []).entries()) {
    context.out(`\n${bold(title)} (${user}), history: ${history.join("; ")}`);
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
