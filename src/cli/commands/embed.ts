// foldin embed <run> --out <folder>: writes user and item vectors as Parquet or .npy, for a vector database.

import { type Command, Option } from "commander";
import type { SpaceName } from "../../recommender/vectors.js";
import type { VectorFormat } from "../../serving/embed.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, type EngineFlags, engineOf } from "../engine-options.js";
import {
  addHistoriesOptions,
  type HistoriesFlags,
  locateHistories,
  readHistories,
} from "../histories-options.js";
import { count } from "../table.js";

interface Flags extends EngineFlags, HistoriesFlags {
  out?: string;
  format?: VectorFormat;
  space?: SpaceName;
  /** False for --no-users. */
  users: boolean;
  force?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("embed")
    .summary("write user and item vectors for a vector database")
    .description(
      "Write the vectors of a model's items and of folded-in users to a folder of Parquet or NumPy files.",
    )
    .argument("<run>", "a run folder written by foldin train")
    .option("--out <folder>", "the folder to write")
    .addOption(
      new Option(
        "--space <name>",
        "scores: the inner product of user and item is the score; latent: the encoder's z, with an item encoded as a history of one (default: scores)",
      ).choices(["scores", "latent"]),
    )
    .addOption(new Option("--format <name>", "file format (default: parquet)").choices(["parquet", "npy"]))
    .option("--no-users", "write only item vectors");
  addEngineOptions(addHistoriesOptions(command), "that of the run")
    .option("--force", "replace the vectors in --out")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin embed runs/ml-1m --out vectors/ml-1m
  foldin embed runs/ml-1m --space latent --format npy --no-users --out vectors/items
  foldin embed runs/ml-1m --histories this-week.csv --out vectors/this-week`,
    )
    .action((run: string, flags: Flags) => embedRun(run, flags, context));
}

async function embedRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const out = required(flags.out, "--out", "the folder to write, such as --out vectors");
  const [{ loadRecommender }, { embed, requireVectors, vectorsFolder }, { refuseToOverwrite }] =
    await Promise.all([
      import("../../serving/load.js"),
      import("../../serving/embed.js"),
      import("../../core/atomic-folder.js"),
    ]);
  await refuseToOverwrite(out, { ...vectorsFolder, force: flags.force });
  const place = flags.users ? await locateHistories(run, flags) : undefined;
  const recommender = await loadRecommender(run, engineOf(flags));
  try {
    requireVectors(recommender, flags.space);
    const written = await embed(recommender, {
      ...{ out, format: flags.format, space: flags.space, force: flags.force },
      histories: place && (await readHistories(place, flags, recommender.items, context)),
      ...{ progress: context.progress, signal: context.signal },
    });
    if (flags.json) return context.json({ out, ...written });
    const { bold, dim } = context.style;
    const { items, users, dimensions, metric } = written;
    context.out(`${bold(`${dimensions} dimensions`)}, compared by ${metric.replace("-", " ")}`);
    context.out(`items  ${count(items.count)}  ${dim(items.vectors)}`);
    if (users) context.out(`users  ${count(users.count)}  ${dim(users.vectors)}`);
    context.out(`written to ${out}`);
  } finally {
    recommender.dispose();
  }
}
