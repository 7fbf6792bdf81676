// foldin train <dataset>: trains a model, evaluates it on the held-out users, and writes a run folder with a report.

import { join } from "node:path";
import type { Command } from "commander";
import type { Connection } from "../../compute/communicator.js";
import { UserError } from "../../core/errors.js";
import { pathArgument, shellCommand } from "../../core/shell.js";
import type { TrackerChoice } from "../../experiments/trackers/open-trackers.js";
import type { Choice } from "../../experiments/tune/choose.js";
import { cacheFolder } from "../cache-folder.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, collected, type EngineFlags, engineOf, wholeNumber } from "../engine-options.js";
import { withResumeHint } from "../resume-hint.js";
import { addTrackerOptions } from "../tracker-options.js";
import { printTrained } from "../trained.js";

interface Flags extends EngineFlags, TrackerChoice {
  model?: string;
  recipe?: string;
  initFrom?: string;
  distill?: string;
  set?: string[];
  epochs?: number;
  seed?: number;
  seeds?: number;
  blend?: boolean;
  out?: string;
  resume?: boolean;
  force?: boolean;
  checkpointSeconds?: number;
  blocks?: number;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = addEngineOptions(
    program
      .command("train")
      .summary("train a model on a dataset")
      .description(
        "Train a model on a dataset and write a run folder: the model, the metrics of every epoch, and report.html. Resume after an interruption with --resume.",
      )
      .argument("<dataset>", "a dataset folder written by foldin prepare")
      .option("--out <run>", "the run folder to write")
      .option(
        "--model <name>",
        "the model, see foldin models (default: chosen by the size of the dataset; mult-vae with --set, --epochs or --recipe)",
      )
      .option(
        "--recipe <name>",
        "start from the options of a recipe: its name, such as ml-1m (see foldin models <name>), or its file; --set overrides them",
      )
      .option(
        "--init-from <run>",
        "start from the weights of this run, with items matched by id; its model and options are the defaults",
      )
      .option(
        "--distill <run>",
        "learn from this run, such as a blend, as well as from the data (models with the option distillWeight)",
      )
      .option("--set <name=value>", "a model option, see foldin models <name> (repeatable)", collected)
      .option("--epochs <n>", "number of training epochs; same as --set epochs=<n>", wholeNumber(1))
      .option("--seed <n>", "random seed (default: 98765)", wholeNumber(0))
      .option("--seeds <n>", "train with n seeds, from --seed on; needs --blend", wholeNumber(2))
      .option("--blend", "with --seeds: blend the runs with equal weights into <out>/blend"),
    "float32",
  )
    .option(
      "--blocks <n>",
      "divide the items into n blocks, as a run of several processes does (default: 1; 16 if started by mpirun or srun)",
      wholeNumber(1),
    )
    .option("--resume", "resume the interrupted run in --out")
    .option("--force", "replace the run in --out after the new one is complete")
    .option("--checkpoint-seconds <n>", "seconds between checkpoints (default: 10)", wholeNumber(0));
  addTrackerOptions(command)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin train data/ml-1m --out runs/first
  foldin train data/ml-1m --model mult-vae --out runs/vae
  foldin train data/ml-1m --model mult-dae --epochs 100 --set dropout=0.3 --out runs/dae
  foldin train data/ml-1m --recipe ml-1m --out runs/tuned
  foldin train data/ml-1m --model rec-vae --seeds 5 --blend --out runs/five
  foldin train data/today --init-from runs/yesterday --epochs 20 --out runs/today
  foldin train data/ml-1m --model mult-dae --distill runs/blend --out runs/student
  foldin train data/ml-1m --out runs/vae --resume
  mpirun -n 4 foldin train data/ml-1m --model mult-vae --out runs/vae
  foldin train data/ml-1m --tensorboard logs --mlflow http://localhost:5000 --out runs/vae`,
    )
    .action((dataset: string, flags: Flags) => trainOrJoin(dataset, flags, context));
}

/** Trains alone, or as one of the processes that an MPI launcher has started. */
async function trainOrJoin(dataset: string, flags: Flags, context: CliContext): Promise<void> {
  const { launchedBy } = await import("../../compute/mpi/launcher.js");
  const launched = launchedBy(process.env);
  if (!launched) return trainRun(dataset, flags, context);
  const [{ asMember }, { explain }] = await Promise.all([import("../members.js"), import("../run.js")]);
  await asMember(context, launched.rank, explain, async (own, connection) => {
    const { requireAlike, threadsOf } = await import("../../experiments/members.js");
    const here = await requireAlike(connection);
    const given = { ...flags, threads: flags.threads ?? threadsOf(here) };
    if (connection.rank === 0) return trainRun(dataset, given, own, connection);
    const [{ trainAsMember }, { loadDataset }] = await Promise.all([
      import("../../experiments/train.js"),
      import("../../data/dataset.js"),
    ]);
    await trainAsMember(await loadDataset(dataset, { signal: own.signal }), {
      ...{ members: connection, threads: given.threads, signal: own.signal },
    });
  });
}

async function trainRun(
  datasetPath: string,
  flags: Flags,
  context: CliContext,
  members?: Connection,
): Promise<void> {
  const out = required(flags.out, "--out <run>", "the run folder to write, such as --out runs/first");
  if (flags.resume && flags.force)
    throw new UserError({
      place: "--force",
      problem: "cannot be combined with --resume",
      remedy: "Use only one of them",
    });
  if ((flags.seeds === undefined) === (flags.blend ?? false))
    throw new UserError({
      place: flags.blend ? "--blend" : "--seeds",
      problem: flags.blend ? "needs the number of seeds" : "needs --blend",
      expected: "both, such as --seeds 5 --blend",
    });
  const isEnsemble = flags.seeds !== undefined;
  const clash = (["resume", "force", "initFrom", "distill"] as const).find(
    (name) => isEnsemble && flags[name],
  );
  if (clash)
    throw new UserError({
      place: `--${clash === "initFrom" ? "init-from" : clash}`,
      problem: "cannot be combined with --seeds",
      remedy:
        clash === "distill"
          ? "Train one seed at a time"
          : "Run the same command again to resume, or choose another folder with --out",
    });
  if (isEnsemble && (members || flags.blocks !== undefined))
    throw new UserError({
      place: "--seeds",
      problem: "cannot be combined with --blocks or MPI",
      remedy: "Train one seed at a time, and blend the runs with foldin blend",
    });
  const [
    { train },
    { findRunFolder, hasCheckpoint },
    { loadDataset },
    { findAlgorithm },
    { layeredOptions, parseOptions, parseSettings },
    { findRecipe },
  ] = await Promise.all([
    import("../../experiments/train.js"),
    import("../../experiments/run-folder.js"),
    import("../../data/dataset.js"),
    import("../../models/registry.js"),
    import("../../models/options.js"),
    import("../../experiments/recipes/registry.js"),
  ]);
  // Check the command line before reading any data.
  const interrupted = flags.resume ? await findRunFolder(out) : undefined;
  const named =
    flags.model ??
    interrupted?.config.model ??
    (flags.initFrom && (await algorithmOf(flags.initFrom))) ??
    (await recipeModel(flags.recipe));
  // Options and blocks are for networks.
  const isFree =
    !members && (["set", "epochs", "recipe", "blocks"] as const).every((name) => flags[name] === undefined);
  const choice = named === undefined && isFree ? await chosenFor(datasetPath) : undefined;
  const model = named ?? choice?.model ?? "mult-vae";
  const algorithm = await findAlgorithm(model);
  const options = { ...choice?.options, ...parseSettings(algorithm, flags.set ?? []) };
  if (flags.epochs !== undefined) options.epochs = flags.epochs;
  const recipe = flags.recipe === undefined ? undefined : await findRecipe(flags.recipe, algorithm.name);
  parseOptions(algorithm, layeredOptions(algorithm, recipe?.options, options));
  const { openTrackers } = await import("../../experiments/trackers/open-trackers.js");
  const trackers = await openTrackers(flags, {
    onNote: (text) => context.progress({ type: "note", text }),
  });
  const dataset = await loadDataset(datasetPath, { signal: context.signal });
  if (choice) {
    const { choiceText } = await import("../../experiments/tune/choose.js");
    context.say(choiceText(choice));
  }

  const started = performance.now();
  const common = {
    ...{ model, recipe: flags.recipe, options, seed: flags.seed, datasetPath },
    ...engineOf(flags),
    checkpointSeconds: flags.checkpointSeconds,
    ...{ cache: cacheFolder(process.env), progress: context.progress, signal: context.signal },
  };
  try {
    if (flags.seeds !== undefined) {
      const { trainEnsemble } = await import("../../experiments/ensemble.js");
      const seeds = flags.seeds;
      const blend = await trainEnsemble(dataset, {
        ...{ ...common, seeds, out, trackers },
        onSeed: (seed, number) => context.say(`${number} of ${seeds}: seed ${seed}`),
      }).catch((error: unknown) => {
        throw withResumeHint(error, `the same command again (finished seeds are in ${out})`, context);
      });
      try {
        const seconds = (performance.now() - started) / 1000;
        const options = { seconds, json: flags.json, trackers };
        await printTrained(join(out, "blend"), blend, dataset, options, context);
      } finally {
        blend.dispose();
      }
      return;
    }
    const recommender = await train(dataset, {
      ...common,
      ...{ initFrom: flags.initFrom, distill: flags.distill },
      ...{ blocks: flags.blocks, members },
      out,
      resume: flags.resume,
      force: flags.force,
      trackers,
    }).catch(async (error: unknown) => {
      if (!(await hasCheckpoint(out))) throw error;
      const again = shellCommand("foldin", "train", pathArgument(datasetPath), "--out", out, "--resume");
      throw withResumeHint(error, again, context);
    });
    const seconds = (performance.now() - started) / 1000;
    try {
      await printTrained(out, recommender, dataset, { seconds, json: flags.json, trackers }, context);
    } finally {
      recommender.dispose();
    }
  } finally {
    await Promise.all(trackers.map((tracker) => tracker.close()));
  }
}

/** The model of a recipe's file; a recipe by name is for several models. */
async function recipeModel(recipe: string | undefined): Promise<string | undefined> {
  if (!recipe?.endsWith(".json")) return undefined;
  const { readRecipe } = await import("../../experiments/recipes/recipe.js");
  return (await readRecipe(recipe)).model;
}

/** The model that suits the shape of the dataset. */
async function chosenFor(dataset: string): Promise<Choice> {
  const [{ chooseModel }, { shapeOf }, { readManifest }] = await Promise.all([
    import("../../experiments/tune/choose.js"),
    import("../../experiments/shape.js"),
    import("../../data/dataset.js"),
  ]);
  return chooseModel(shapeOf(await readManifest(dataset)));
}

/** The model of a run to start from. */
async function algorithmOf(run: string): Promise<string> {
  const { findModelFolder, readModelFiles } = await import("../../recommender/model-files.js");
  return (await readModelFiles(await findModelFolder(run))).algorithm;
}
