// foldin refit <run>: trains a finished run again, with the held-out users among the training users.

import { resolve } from "node:path";
import type { Command } from "commander";
import { UserError } from "../../core/errors.js";
import { type CliContext, required } from "../context.js";
import { datasetOfRun } from "../dataset-of-run.js";
import { addEngineOptions, type EngineFlags } from "../engine-options.js";
import { withResumeHint } from "../resume-hint.js";
import { printTrained } from "../trained.js";

interface Flags extends EngineFlags {
  out?: string;
  withTest?: boolean;
  dataset?: string;
  force?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  addEngineOptions(
    program
      .command("refit")
      .summary("train a chosen model again on more users")
      .description(
        "Train a finished run again, with its options and for as many epochs as were best, on the training and the validation users. Of a blend, every part is trained again; the weights stay. Run the same command again to resume after an interruption. The new model has seen the validation users: compare it with others on test users only.",
      )
      .argument("<run>", "a finished run, or a blend whose runs still exist")
      .option("--out <run>", "the folder to write; a blend is in <out>/blend")
      .option("--with-test", "train on the test users too: the model to serve, which cannot be evaluated")
      .option("--dataset <folder>", "the dataset folder (default: that of the run)"),
  )
    .option("--force", "replace the run in --out")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin refit runs/mult-vae --out runs/final
  foldin refit runs/blend --out runs/final
  foldin refit runs/tuned/best --with-test --out runs/production`,
    )
    .action((run: string, flags: Flags) => refitRun(run, flags, context));
}

async function refitRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const out = required(flags.out, "--out <run>", "the folder to write, such as --out runs/final");
  if (resolve(run) === resolve(out))
    throw new UserError({
      place: "--out",
      problem: `${out} is the run to train again`,
      expected: "a different folder",
    });
  const [{ refit }, { readRunFolder, requireComplete }, { loadDataset }] = await Promise.all([
    import("../../experiments/refit.js"),
    import("../../experiments/run-folder.js"),
    import("../../data/dataset.js"),
  ]);
  const { config } = requireComplete(await readRunFolder(run));
  const datasetPath = datasetOfRun(run, config, flags.dataset);
  const dataset = await loadDataset(datasetPath, { signal: context.signal });
  const started = performance.now();
  const again = await refit(dataset, run, {
    ...{ out, test: flags.withTest, force: flags.force, engine: flags.engine, threads: flags.threads },
    ...{ datasetPath, progress: context.progress, signal: context.signal },
    onPart: (name, number, parts) =>
      context.progress({ type: "note", text: `part ${number} of ${parts}: ${name}` }),
  }).catch((error: unknown) => {
    throw withResumeHint(error, "the same command again", context);
  });
  const seconds = (performance.now() - started) / 1000;
  try {
    await printTrained(
      again.run,
      again.recommender,
      again.dataset,
      { seconds, json: flags.json, more: { users: again.dataset.train.rows } },
      context,
    );
  } finally {
    again.recommender.dispose();
  }
}
