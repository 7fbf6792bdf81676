// foldin score <run> --out <file>: recommendations for all users of a dataset or of a file, into one file.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import { duration } from "../../core/duration.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, type EngineFlags, wholeNumber } from "../engine-options.js";
import { tellHowToGoOn } from "../go-on.js";
import {
  addHistoriesOptions,
  type HistoriesFlags,
  locateHistories,
  readHistories,
} from "../histories-options.js";
import { count, plural } from "../table.js";

interface Flags extends EngineFlags, HistoriesFlags {
  out?: string;
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
    .summary("recommend for many users at once, into a file")
    .description(
      "Recommends items for all users of a dataset or of a file, and writes one row per user and rank: user, rank, item, title, score. Interrupted, it goes on with --resume.",
    )
    .argument("<run>", "a run folder, as foldin train writes it")
    .option("--out <file>", "the file to write: .parquet, .csv or .jsonl")
    .option("-k, --k <n>", "how many items per user", wholeNumber(1), 10)
    .option("--include-history", "items of a history may be recommended too")
    .option(
      "--spreadsheet",
      "CSV for a spreadsheet: an apostrophe before texts that begin with = + - @, which it would take for formulas",
    );
  addEngineOptions(addHistoriesOptions(command))
    .option("--resume", "go on with what was interrupted")
    .option("--force", "replace the file in --out")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin score runs/ml-1m --out recommendations.parquet -k 20
  foldin score runs/ml-1m --dataset data/today --out today.parquet
  foldin score runs/ml-1m --histories this-week.csv --out this-week.csv
  foldin score runs/ml-1m --out recommendations.parquet -k 20 --resume`,
    )
    .action((run: string, flags: Flags) => scoreRun(run, flags, context));
}

async function scoreRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const out = required(flags.out, "--out", "the file to write, such as --out recommendations.parquet");
  const [{ loadRecommender }, { partialFolder, requireFreeOutput, scoreAll }, { digestOfModel }] =
    await Promise.all([
      import("../../serving/load.js"),
      import("../../serving/score.js"),
      import("../../recommender/model-files.js"),
    ]);
  await requireFreeOutput({ out, resume: flags.resume, force: flags.force, spreadsheet: flags.spreadsheet });
  const place = await locateHistories(run, flags);
  const model = await digestOfModel(run);
  const recommender = await loadRecommender(run, { engine: flags.engine, threads: flags.threads });
  const started = performance.now();
  try {
    const histories = await readHistories(place, flags, recommender.items, context);
    const { users, rows, resumed, leftOut } = await scoreAll(recommender, histories, {
      ...{ out, model, k: flags.k, includeHistory: flags.includeHistory, spreadsheet: flags.spreadsheet },
      ...{ resume: flags.resume, force: flags.force },
      ...{ progress: context.progress, signal: context.signal },
    }).catch((error: unknown) => {
      if (!existsSync(partialFolder(out))) throw error;
      throw tellHowToGoOn(
        error,
        `the same command and --resume (what is done is in ${partialFolder(out)})`,
        context,
      );
    });
    const seconds = (performance.now() - started) / 1000;
    if (flags.json) return context.json({ out, users, rows, resumed, leftOut, seconds });
    const before = resumed > 0 ? `, ${count(resumed)} of them before` : "";
    context.out(`${plural(users, "user")} scored${before}, ${plural(rows, "row")}, in ${duration(seconds)}`);
    if (leftOut > 0)
      context.out(`${plural(leftOut, "user")} left out, without a row: the model knows none of their items`);
    context.out(`written to ${out}`);
  } finally {
    recommender.dispose();
  }
}
