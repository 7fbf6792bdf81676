// foldin score <run> --out <file>: writes recommendations for all users of a dataset or of a file.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import { duration } from "../../core/duration.js";
import { UserError } from "../../core/errors.js";
import type { Scored, ShardScored } from "../../serving/score.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, type EngineFlags, engineOf, wholeNumber } from "../engine-options.js";
import {
  addHistoriesOptions,
  countsOf,
  type HistoriesFlags,
  locateHistories,
  readHistories,
} from "../histories-options.js";
import { addQueueOptions, type QueueFlags, withQueue } from "../queue-options.js";
import { withResumeHint } from "../resume-hint.js";
import { UNAVAILABLE_HELP, WHERE_HELP } from "../rules-help.js";
import { addShardOption, parseShard, type Shard } from "../shard-option.js";
import { count, plural } from "../table.js";

interface Flags extends EngineFlags, HistoriesFlags, QueueFlags {
  out?: string;
  where?: string;
  unavailable?: string;
  k: number;
  includeHistory?: boolean;
  spreadsheet?: boolean;
  partUsers?: number;
  shard?: string;
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
  addEngineOptions(addHistoriesOptions(command), "that of the run").option(
    "--part-users <n>",
    "number of users per part; parts are what is kept after an interruption, and what is divided (default: 8192)",
    wholeNumber(1),
  );
  addShardOption(command, "compute only a share of the parts; the share that ends last writes the file");
  addQueueOptions(command, "compute the parts")
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
  foldin score runs/ml-1m --out recommendations.parquet -k 20 --resume
  foldin score runs/ml-1m --out recommendations.parquet --part-users 1000 --shard 1/8
  foldin score runs/ml-1m --out recommendations.parquet --part-users 1000 --queue postgres://me@database.internal/foldin`,
    )
    .action((run: string, flags: Flags) => scoreRun(run, flags, context));
}

async function scoreRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const out = required(flags.out, "--out", "the file to write, such as --out recommendations.parquet");
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard);
  if (shard && flags.queue !== undefined)
    throw new UserError({
      place: "--shard",
      problem: "cannot be used with --queue",
      remedy: "Use only one of them",
    });
  const [
    { loadRecommender },
    { partialFolder, requireFreeOutput, scoreAll, scoreShard },
    { digestOfModel },
    { rulesOf },
    { requireModelMemory },
  ] = await Promise.all([
    import("../../serving/load.js"),
    import("../../serving/score.js"),
    import("../../recommender/model-files.js"),
    import("../rules.js"),
    import("../../serving/memory-need.js"),
  ]);
  const rules = await rulesOf(flags);
  const { force, spreadsheet, partUsers } = flags;
  const resume = flags.resume || shard !== undefined;
  await requireFreeOutput({ out, resume, force, spreadsheet });
  const place = await locateHistories(run, flags);
  const use = { what: "scoring", models: [run], precision: flags.precision, histories: true, blocks: true };
  await requireModelMemory(run, { ...use, dataset: await countsOf(place) }, context.progress);
  const model = await digestOfModel(run);
  const { queue: _, heartbeat: __, ...local } = flags;
  await withQueue(flags, context, async (remote) => {
    const recommender = await loadRecommender(run, engineOf(local));
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    try {
      const histories = await readHistories(place, flags, recommender.items, context);
      const options = {
        ...{ out, model, k: flags.k, includeHistory: flags.includeHistory, spreadsheet, partUsers },
        ...{ resume, force, ...rules, progress: context.progress, signal: context.signal },
      };
      const hint = (error: unknown) => {
        if (!existsSync(partialFolder(out))) throw error;
        const again = shard ? "the same command" : "the same command with --resume";
        throw withResumeHint(error, `${again} (finished parts are in ${partialFolder(out)})`, context);
      };
      if (shard) {
        const result = await scoreShard(recommender, histories, shard, options).catch(hint);
        return printShard(out, shard, { ...result, seconds: seconds() }, flags, context);
      }
      const elsewhere = remote && {
        tasks: { tasks: remote.tasks, run, engine: remote.engine ?? "auto", precision: flags.precision },
      };
      const result = await scoreAll(recommender, histories, { ...options, ...elsewhere }).catch(hint);
      printScored(out, { ...result, seconds: seconds() }, flags, context);
    } finally {
      recommender.dispose();
    }
  });
}

function printScored(
  out: string,
  { users, rows, resumed, leftOut, seconds }: Scored & { seconds: number },
  { json }: Flags,
  context: CliContext,
): void {
  if (json) {
    context.json({ out, users, rows, resumed, leftOut, seconds });
    return;
  }
  const before = resumed > 0 ? ` (${count(resumed)} of them before the interruption)` : "";
  context.out(`${plural(users, "user")} scored${before}, ${plural(rows, "row")}, in ${duration(seconds)}`);
  if (leftOut > 0) context.out(`${plural(leftOut, "user")} skipped: the model knows none of their items`);
  context.out(`written to ${out}`);
}

function printShard(
  out: string,
  { number, of }: Shard,
  { parts, resumed, missing, scored, seconds }: ShardScored & { seconds: number },
  flags: Flags,
  context: CliContext,
): void {
  if (flags.json) {
    context.json({ out, shard: number, of, parts, resumed, missing, written: missing === 0, seconds });
    return;
  }
  const before = resumed > 0 ? ` (${count(resumed)} of them were there before)` : "";
  context.out(`share ${number} of ${of}: ${plural(parts, "part")}${before}, in ${duration(seconds)}`);
  if (scored) printScored(out, { ...scored, seconds }, flags, context);
  else if (missing > 0)
    context.out(`${plural(missing, "part")} of other shares missing: the share that ends last writes ${out}`);
  else context.out(`${out} was written by another share`);
}
