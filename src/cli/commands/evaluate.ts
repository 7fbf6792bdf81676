// foldin evaluate <run>: ranking metrics of a trained model on the held-out users of its dataset.

import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import { UserError } from "../../core/errors.js";
import type { CliContext } from "../context.js";
import { addEngineOptions, type EngineFlags } from "../engine-options.js";
import { count, table } from "../table.js";

interface Flags extends EngineFlags {
  on: "test" | "validation";
  dataset?: string;
  metrics?: string[];
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  addEngineOptions(
    program
      .command("evaluate")
      .summary("judge a trained model on held-out users")
      .description(
        "Judges a trained model: folds in a part of each held-out user's history and compares the ranking with the rest.",
      )
      .argument("<run>", "a run folder, as foldin train writes it")
      .addOption(
        new Option("--on <split>", "the users to judge on").choices(["test", "validation"]).default("test"),
      )
      .option("--dataset <folder>", "the dataset (default: where it was when the model was trained)")
      .option(
        "--metrics <names...>",
        "such as ndcg@100 recall@20 recall-plain@20 precision@10 map@10 mrr@10 hit-rate@10 coverage@100",
      ),
  )
    .option("--json", "print one JSON object")
    .action((run: string, flags: Flags) => evaluateRun(run, flags, context));
}

async function evaluateRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const [{ loadRecommender }, { evaluate }, { loadDataset }, { readRunFolder, requireComplete }] =
    await Promise.all([
      import("../../serving/load.js"),
      import("../../evaluation/evaluate.js"),
      import("../../data/dataset.js"),
      import("../../experiments/run-folder.js"),
    ]);
  const { config } = requireComplete(await readRunFolder(run));
  const folder = flags.dataset ?? config.dataset.path;
  if (folder === null || (flags.dataset === undefined && !existsSync(folder)))
    throw new UserError({
      place: run,
      problem:
        folder === null
          ? "was trained on a dataset that is not on disk"
          : `its dataset is no longer in ${folder}`,
      remedy: "Say where one is with --dataset <folder>",
    });
  const dataset = await loadDataset(folder, { signal: context.signal });
  const recommender = await loadRecommender(run, { engine: flags.engine, threads: flags.threads });
  try {
    const { algorithm, users, skipped, metrics } = await evaluate(recommender, dataset, {
      on: flags.on,
      // "--metrics ndcg@100,recall@20" as well as one by one.
      metrics: flags.metrics?.flatMap((names) => names.split(",")).filter((name) => name !== ""),
      signal: context.signal,
      progress: context.progress,
    });
    if (flags.json) {
      context.json({ algorithm, dataset: dataset.name, split: flags.on, users, metrics });
      return;
    }
    context.out(
      `${context.style.bold(algorithm)} on ${dataset.name}, ${count(users)} ${flags.on} users${skipped > 0 ? ` (${count(skipped)} without held-out items left out)` : ""}`,
    );
    context.out(
      table(
        [
          { heading: "metric" },
          { heading: "mean", align: "right" },
          { heading: "standard error", align: "right" },
        ],
        Object.entries(metrics).map(([name, { mean, standardError }]) => [
          name,
          mean.toFixed(5),
          standardError?.toFixed(5) ?? "–",
        ]),
        context.style.dim,
      ),
    );
  } finally {
    recommender.dispose();
  }
}
