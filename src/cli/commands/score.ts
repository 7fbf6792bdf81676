// foldin score <run> --out <file>: writes recommendations for all users of a dataset or of a file.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import { duration } from "../../core/duration.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, type EngineFlags, engineOf, wholeNumber } from "../engine-options.js";
import {
  addHistoriesOptions,
  type HistoriesFlags,
  locateHistories,
  readHistories,
} from "../histories-options.js";
import { withResumeHint } from "../resume-hint.js";
import { UNAVAILABLE_HELP, WHERE_HELP } from "../rules-help.js";
import { count, plural } from "../table.js";

interface Flags extends EngineFlags, HistoriesFlags {
  out?: string;
  where?: string;
  unavailable?: string;
  k: number;
  includeHistory?: boolean;
  spreadsheet?: boolean;
  resume?: boolean;
  force?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("score")
    .summary("write recommendations for many users to a file")
    .description(
      "Recommend items for all users of a dataset or of a file, and write one row per user and rank: user, rank, item, title, score. Resume after an interruption with --resume.",
    )
    .argument("<run>", "a run folder written by foldin train")
    .option("--out <file>", "the file to write: .parquet, .csv or .jsonl")
    .option("-k, --k <n>", "number of items per user", wholeNumber(1), 10)
    .option("--where <filter>", WHERE_HELP)
    .option("--unavailable <file>", UNAVAILABLE_HELP)
    .option("--include-history", "also recommend items of the history")
    .option(
      "--spreadsheet",
      "CSV for spreadsheets: put an apostrophe before texts that start with = + - @, so that they are not read as formulas",
    );
  addEngineOptions(addHistoriesOptions(command), "that of the run")
    .option("--resume", "resume an interrupted scoring")
    .option("--force", "replace the file in --out")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin score runs/ml-1m --out recommendations.parquet -k 20
  foldin score runs/ml-1m --dataset data/today --out today.parquet
  foldin score runs/ml-1m --histories this-week.csv --out this-week.csv
  foldin score runs/ml-1m --where 'year >= 1990' --unavailable sold-out.csv --out today.parquet --force
  foldin score runs/ml-1m --out recommendations.parquet -k 20 --resume`,
    )
    .action((run: string, flags: Flags) => scoreRun(run, flags, context));
}

async function scoreRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const out = required(flags.out, "--out", "the file to write, such as --out recommendations.parquet");
  const [
    { loadRecommender },
    { partialFolder, requireFreeOutput, scoreAll },
    { digestOfModel },
    { rulesOf },
  ] = await Promise.all([
    import("../../serving/load.js"),
    import("../../serving/score.js"),
    import("../../recommender/model-files.js"),
    import("../rules.js"),
  ]);
  const rules = await rulesOf(flags);
  await requireFreeOutput({ out, resume: flags.resume, force: flags.force, spreadsheet: flags.spreadsheet });
  const place = await locateHistories(run, flags);
  const model = await digestOfModel(run);
  const recommender = await loadRecommender(run, engineOf(flags));
  const started = performance.now();
  try {
    const histories = await readHistories(place, flags, recommender.items, context);
    const { users, rows, resumed, leftOut } = await scoreAll(recommender, histories, {
      ...{ out, model, k: flags.k, includeHistory: flags.includeHistory, spreadsheet: flags.spreadsheet },
      ...{ resume: flags.resume, force: flags.force, ...rules },
      ...{ progress: context.progress, signal: context.signal },
    }).catch((error: unknown) => {
      if (!existsSync(partialFolder(out))) throw error;
      throw withResumeHint(
        error,
        `the same command with --resume (finished parts are in ${partialFolder(out)})`,
        context,
      );
    });
    const seconds = (performance.now() - started) / 1000;
    if (flags.json) return context.json({ out, users, rows, resumed, leftOut, seconds });
    const before = resumed > 0 ? ` (${count(resumed)} of them before the interruption)` : "";
    context.out(`${plural(users, "user")} scored${before}, ${plural(rows, "row")}, in ${duration(seconds)}`);
    if (leftOut > 0) context.out(`${plural(leftOut, "user")} skipped: the model knows none of their items`);
    context.out(`written to ${out}`);
  } finally {
    recommender.dispose();
  }
}
