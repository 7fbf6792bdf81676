// Trains a recommender on a dataset; with `out` also writes a run folder, from which an interrupted run can be resumed.

import { basename, resolve } from "node:path";
import { mostBlocks } from "../compute/blocks.js";
import type { Connection } from "../compute/communicator.js";
import { Division } from "../compute/division.js";
import type { Engine } from "../compute/engine.js";
import { precisionOf } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import type { EnginePrecision } from "../compute/tensor.js";
import { writeFolder } from "../core/atomic-folder.js";
import { UserError } from "../core/errors.js";
import type { JsonObject } from "../core/json.js";
import { withLock } from "../core/lock.js";
import { outOfMemory } from "../core/memory.js";
import type { ProgressListener } from "../core/progress.js";
import { version } from "../core/version.js";
import type { Dataset } from "../data/dataset.js";
import { popularityIn } from "../data/item-popularity.js";
import { readPart, requireSameData } from "../models/blend.js";
import { layeredOptions, parseOptions } from "../models/options.js";
import { algorithmNames, findAlgorithm, restoreModel } from "../models/registry.js";
import type { Algorithm } from "../recommender/algorithm.js";
import { closingWith } from "../recommender/closing-with.js";
import {
  digestOfModel,
  findModelFolder,
  readModelFiles,
  writeModelFiles,
} from "../recommender/model-files.js";
import type { Recommender } from "../recommender/recommender.js";
import type { EpochRecord, Teacher } from "../recommender/run-context.js";
import { type InitialModel, requireAlgorithm } from "../recommender/warm-start.js";
import { entryCount } from "../sparse/csr.js";
import { fileCheckpoints } from "../training/checkpoint.js";
import { fingerprint, requireSameRun } from "../training/identity.js";
import { fileCache } from "../training/tensor-cache.js";
import { DEFAULT_BLOCKS, follow, receiveTask, sendTask } from "./members.js";
import { findRecipe } from "./recipes/registry.js";
import {
  checkpointFolderOf,
  createRunFolder,
  epochWriter,
  findRunFolder,
  modelFolderOf,
  moveIntoPlace,
  placeOfNewRun,
  type RunConfig,
  readRunFolder,
  removeIfWorthless,
  settleRunFolder,
} from "./run-folder.js";
import { differencesOf, type Size } from "./shape.js";
import { type Tracker, together } from "./trackers/tracker.js";

export interface TrainOptions {
  /** A registered name. Default "mult-vae" (when resuming: the run's). */
  model?: string;
  /** The name of a recipe of the model ("ml-1m"), whose options are overridden by `options`. Default: none. */
  recipe?: string;
  /** The model's options; the others have their defaults (when resuming: the values of the run). */
  options?: Record<string, unknown>;
  /** An integer of at least 0. Default 98765, the published seed (when resuming: that of the run). */
  seed?: number;
  /** An open engine (which stays open), or the name of the engine to open (closed by the recommender's `dispose`). Default "auto". */
  engine?: Engine | EngineChoice;
  /** Threads of an engine opened here. Default: all cores. The result does not depend on it. */
  threads?: number;
  /** Of an engine opened here: "bf16" rounds the operands of dense layers' products to bfloat16. Default "float32" (when resuming: that of the run). */
  precision?: EnginePrecision;
  /**
   * The number of blocks into which the items are divided, whose sums are added in one fixed order: part of what the run is. Default 1,
   * with `members` 16 (when resuming: that of the run).
   */
  blocks?: number;
  /** The connection to the other processes that train this model, which make the same call. Default: none. */
  members?: Connection;
  /** The run folder to write: a new one, or with `resume` that of an interrupted run. */
  out?: string;
  /** A run folder whose weights are the initial weights; items are matched by id. Model and options default to those of the run. */
  initFrom?: string;
  /** A run folder, such as that of a blend, whose model is the teacher (`Algorithm.distills`); trained on the same dataset. Default: none. */
  distill?: string;
  /** Resume the run in `out` where it was interrupted; a finished run is only loaded, a missing one is started. */
  resume?: boolean;
  /** Replace the run in `out` when the new one is finished. */
  force?: boolean;
  /** Milliseconds to wait for another process that writes `out`. Default 0: fail at once. */
  patience?: number;
  /** The run's name in trackers. Default: the name of `out`. */
  name?: string;
  /** Called before a checkpoint or the model is written; if it throws, the training ends there. Default: none. */
  beforeWrite?: () => Promise<void>;
  /** What this run repeats, for config.json; set by `refit`. */
  refit?: RunConfig["refit"];
  /** The path of the dataset, for config.json. */
  datasetPath?: string;
  /** Minimum number of seconds between checkpoints. Default 10; see `fileCheckpoints`. */
  checkpointSeconds?: number;
  /** Stop after this epoch with AbortedError, and a checkpoint in `out`; resumed, the run is the same as without the pause. Default: never. */
  pauseAfter?: number;
  /** A cache folder for pretraining, shared by runs with the same content and options. Default: no cache. */
  cache?: string;
  progress?: ProgressListener;
  signal?: AbortSignal;
  onEpoch?: (record: EpochRecord) => void;
  /** Follow the training in other programs (`openTensorboard`, `openMlflow`); the caller closes them. */
  trackers?: readonly Tracker[];
}

/** The seed of Liang et al.'s notebook. */
export const DEFAULT_SEED = 98765;

/**
 * Trains a model. Throws UserError for an unknown model or option, an existing run folder, and if the run to resume differs
 * from the one in the folder; DivergedError and AbortedError like `fit`. A failed run leaves its folder only if it has a
 * checkpoint to resume from.
 */
export async function train(dataset: Dataset, given: TrainOptions = {}): Promise<Recommender> {
  const { out, resume = false, force = false, patience, progress, members } = given;
  if (members && members.rank > 0) throw new Error("only member 0 has a run folder: call trainAsMember");
  if (out !== undefined) {
    if (resume && force)
      throw new UserError({
        place: "force",
        problem: "cannot be combined with resume",
        remedy: "Use only one of them",
      });
    const onNote = (text: string) => progress?.({ type: "note", text });
    return withLock(out, () => trainAt(dataset, given, out), { patience, onNote });
  }
  if (resume)
    throw new UserError({
      place: "resume",
      problem: "no run folder to resume from",
      remedy: "Set out",
    });
  return trainAt(dataset, given, undefined);
}

/**
 * Trains with the other members as member 0 asks for, and follows it until it has disposed of its recommender. For all members but
 * member 0. Throws like `train`.
 */
export async function trainAsMember(
  dataset: Dataset,
  { members, threads, signal }: Pick<TrainOptions, "threads" | "signal"> & { readonly members: Connection },
): Promise<void> {
  const task = await receiveTask(members);
  if (task.kind === "nothing") return;
  if (fingerprint(dataset) !== task.fingerprint)
    throw new UserError({
      place: dataset.name,
      problem: "the data of this process is not that of process 0",
      expected: "the same dataset folder on all machines",
    });
  const algorithm = await findAlgorithm(task.model);
  const engine = await openEngine({ engine: "native", threads });
  try {
    const division = new Division(engine, dataset.items.size, task.blocks, members);
    const recommender = await algorithm.fit(counted(dataset), parseOptions(algorithm, task.options), {
      ...{ engine, seed: task.seed, signal, division },
      ...(task.checkpoints !== undefined && {
        checkpoints: fileCheckpoints(task.checkpoints, { everySeconds: task.checkpointSeconds, division }),
      }),
    });
    await bytesPerUpdate(division);
    await follow(recommender);
  } finally {
    await engine.close();
  }
}

/** The dataset whose items have their popularity. */
function counted(dataset: Dataset): Dataset {
  return { ...dataset, items: dataset.items.withPopularity(popularityIn(dataset.train)) };
}

/** The largest number of bytes that a member has sent per update; undefined with one member, or without updates. */
async function bytesPerUpdate({ connection, traffic }: Division): Promise<number | undefined> {
  if (connection.size === 1) return undefined;
  const mine = Float64Array.of(traffic.bytes / Math.max(1, traffic.updates));
  const all = await connection.gather(new Uint8Array(mine.buffer));
  return Math.max(...all.map((bytes) => new Float64Array(bytes.slice().buffer)[0]));
}

/** The division of the items, if there is one. Throws UserError for a model, or settings, that cannot be divided. */
function divisionOf(
  algorithm: Algorithm,
  blocks: number,
  { items }: Dataset,
  engine: Engine,
  members: Connection | undefined,
  others: Readonly<Record<string, string | undefined>>,
): Division | undefined {
  if (blocks === 1 && members === undefined) return undefined;
  const refuse = (problem: string, expected: string) =>
    new UserError({ place: members ? "blocks (of a run by MPI)" : "blocks", problem, expected });
  if (!algorithm.blocks)
    throw refuse(`${algorithm.name} cannot be divided into blocks of items`, dividedModels.join(", "));
  if (engine.bf16) throw refuse("precision bf16 is not supported", "precision float32");
  const other = Object.keys(others).find((name) => others[name]);
  if (other) throw refuse(`a divided run cannot ${others[other]} another run`, `a run without ${other}`);
  if (members && engine.name !== "native")
    throw refuse(
      `the ${engine.name} engine cannot exchange numbers with other processes`,
      "the native engine",
    );
  if (blocks > mostBlocks(items.size))
    throw refuse(
      `${items.size} items cannot be divided into ${blocks} blocks`,
      `at most ${mostBlocks(items.size)}`,
    );
  if (members && members.size > blocks)
    throw refuse(
      `${members.size} processes cannot share ${blocks} ${blocks === 1 ? "block" : "blocks"}`,
      `at least as many blocks as processes (--blocks ${members.size})`,
    );
  return new Division(engine, items.size, blocks, members);
}

/** Models with item layers that can be divided. */
const dividedModels = ["mult-vae", "mult-dae", "vae", "vamp", "h-vamp", "rec-vae"];

/** Trains and writes `out`, whose lock the caller holds; undefined = no folder. */
async function trainAt(dataset: Dataset, given: TrainOptions, out: string | undefined): Promise<Recommender> {
  const { resume = false, force, progress, signal } = given;
  if (out !== undefined) await settleRunFolder(out);
  const before = resume && out !== undefined ? await findRunFolder(out) : undefined;
  if (resume && !before)
    progress?.({ type: "note", text: `nothing to resume in ${out}: starting from the beginning` });
  const place = before?.path ?? (out === undefined ? undefined : await placeOfNewRun(out, { force }));
  const finish = async () => {
    if (out === undefined || place === undefined) return;
    const kept = await moveIntoPlace(place, out);
    if (kept.length > 0)
      progress?.({ type: "note", text: `kept from the previous ${out}: ${kept.join(", ")}` });
  };

  const initFrom = otherRun(given.initFrom, before?.config.initFrom, before?.complete);
  const start = initFrom.path === undefined ? undefined : await startOf(initFrom.path);
  const distill = otherRun(given.distill, before?.config.distill, before?.complete);
  const algorithm = await findAlgorithm(
    given.model ?? before?.config.model ?? start?.initial.files.algorithm ?? "mult-vae",
  );
  if (start) await requireWarmStart(algorithm, start.initial, dataset, progress);
  const sameModel = before?.config.model === algorithm.name;
  const recipe = given.recipe === undefined ? undefined : await findRecipe(given.recipe, algorithm.name);
  if (recipe?.shape && !before) warnOfShape(recipe.shape, given.recipe, dataset, progress);
  const base = sameModel ? before?.config.options : recipe ? undefined : start?.options;
  const options = parseOptions(algorithm, layeredOptions(algorithm, base, recipe?.options, given.options));
  await requireStudent(algorithm, options, distill.path ?? distill.recorded?.path);
  const teacher =
    distill.path === undefined ? undefined : await digestOfModel(await findModelFolder(distill.path));
  const seed = given.seed ?? before?.config.seed ?? DEFAULT_SEED;
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UserError({
      place: "seed",
      problem: `${seed} is not valid`,
      expected: "an integer of at least 0",
    });

  const choice = given.engine ?? (before?.config.engine as EngineChoice | undefined) ?? "auto";
  const engine =
    typeof choice === "string"
      ? await openEngine({
          engine: choice,
          threads: given.threads,
          precision: given.precision ?? (before?.config.precision as EnginePrecision | undefined),
          onNote: (text) => progress?.({ type: "note", text }),
        })
      : choice;
  const { members } = given;
  const blocks = given.blocks ?? before?.config.blocks ?? (before || !members ? 1 : DEFAULT_BLOCKS);
  const config: Omit<RunConfig, "formatVersion"> = {
    foldin: version,
    dataset: {
      name: dataset.name,
      path: given.datasetPath === undefined ? null : resolve(given.datasetPath),
      fingerprint: fingerprint(dataset),
    },
    model: algorithm.name,
    options: JSON.parse(JSON.stringify(options)) as JsonObject,
    seed,
    engine: engine.name,
    precision: precisionOf(engine),
    threads: engine.threads,
    ...(blocks > 1 && { blocks }),
    ...(given.refit && { refit: given.refit }),
    ...(initFrom.recorded && { initFrom: initFrom.recorded }),
    ...(start && { initFrom: { path: resolve(start.path), digest: start.initial.digest } }),
    ...(distill.recorded && { distill: distill.recorded }),
    ...(distill.path !== undefined &&
      teacher && { distill: { path: resolve(distill.path), digest: teacher } }),
  };
  const tracker = together(given.trackers ?? []);
  const begin = () =>
    tracker.begin({
      ...{
        name: given.name ?? (out === undefined ? algorithm.name : basename(resolve(out))),
        folder: place,
        foldin: version,
      },
      ...{ model: algorithm.name, options: config.options, seed },
      ...{ engine: engine.name, precision: config.precision, threads: engine.threads },
      dataset: {
        ...{ name: dataset.name, fingerprint: config.dataset.fingerprint },
        ...{ users: dataset.train.rows, items: dataset.items.size, interactions: entryCount(dataset.train) },
      },
      ...{ resumed: before !== undefined, earlier: before?.epochs ?? [] },
    });
  const cache = given.cache === undefined ? undefined : fileCache(given.cache);
  const own = (recommender: Recommender) =>
    choice === engine ? recommender : closingWith(recommender, engine);
  try {
    if (before) requireSameRun(identity(before.config), identity(config));
    if (before?.complete) {
      if (members) await sendTask(members, { kind: "nothing" });
      progress?.({ type: "note", text: `the run in ${before.path} is already finished` });
      await fileCheckpoints(checkpointFolderOf(before.path)).clear();
      const files = await readModelFiles(modelFolderOf(before.path));
      await finish();
      begin();
      tracker.end({ state: "finished", folder: out });
      return own(await restoreModel(files, { engine }));
    }
    const division = divisionOf(algorithm, blocks, dataset, engine, members, {
      "--init-from": start && "start from",
      "--distill": teacher && "learn from",
    });
    const learning =
      distill.path !== undefined && teacher
        ? { teacher: teacherOf(distill.path, teacher, dataset, engine) }
        : {};
    const sendToMembers = async () => {
      if (!members) return;
      await sendTask(members, {
        ...{ kind: "train", model: algorithm.name, options: config.options, seed, blocks },
        fingerprint: config.dataset.fingerprint,
        checkpoints: place === undefined ? undefined : resolve(checkpointFolderOf(place)),
        checkpointSeconds: given.checkpointSeconds,
      });
    };
    const sayTraffic = async () => {
      const bytes = division && (await bytesPerUpdate(division));
      if (bytes !== undefined)
        progress?.({
          type: "note",
          text: `sent per update by one of ${members?.size} processes: ${(bytes / 1e6).toFixed(3)} MB`,
        });
    };
    if (out === undefined || place === undefined) {
      begin();
      await sendToMembers();
      const onEpoch = (record: EpochRecord) => {
        tracker.epoch(record);
        given.onEpoch?.(record);
      };
      const initial = start?.initial;
      const run = { engine, seed, progress, signal, cache, initial, ...learning, onEpoch, division };
      const recommender = await algorithm.fit(counted(dataset), options, run);
      await sayTraffic();
      tracker.end({ state: "finished", folder: undefined });
      return own(recommender);
    }

    if (!before) await createRunFolder(place, config);
    if (place !== out && !before)
      progress?.({
        type: "note",
        text: `the new run is trained in ${place} and replaces ${out} when it is finished`,
      });
    begin();
    try {
      const checkpoints = fileCheckpoints(checkpointFolderOf(place), {
        everySeconds: given.checkpointSeconds,
        beforeSave: given.beforeWrite,
        division,
      });
      await sendToMembers();
      const write = epochWriter(place);
      const onEpoch = (record: EpochRecord) => {
        write(record);
        tracker.epoch(record);
        given.onEpoch?.(record);
      };
      const recommender = await algorithm.fit(counted(dataset), options, {
        engine,
        seed,
        progress,
        signal,
        checkpoints,
        pauseAfter: given.pauseAfter,
        cache,
        initial: start?.initial,
        ...learning,
        onEpoch,
        division,
      });
      await sayTraffic();
      const files = await recommender.save();
      await given.beforeWrite?.();
      await writeFolder(modelFolderOf(place), { marker: "config.json", locked: true }, (folder) =>
        writeModelFiles(folder, { ...files, precision: precisionOf(engine) }),
      );
      await checkpoints.clear();
      await finish();
      tracker.end({ state: "finished", folder: out });
      return own(recommender);
    } catch (error) {
      if ((await removeIfWorthless(place)) && place !== out)
        progress?.({
          type: "note",
          text: `${out} is unchanged; the unfinished run is in ${place}: continue it with --resume, or start again with --force`,
        });
      throw error;
    }
  } catch (error) {
    tracker.end({
      state: signal?.aborted ? "stopped" : "failed",
      message: error instanceof Error ? error.message : String(error),
    });
    if (choice !== engine) await engine.close();
    throw outOfMemory(error) ?? error;
  }
}

/** Reports that a recipe was chosen for data of another shape. */
function warnOfShape(
  shape: Size,
  recipe: string | undefined,
  { train, items, name }: Dataset,
  progress: ProgressListener | undefined,
): void {
  const size = { users: train.rows, items: items.size, interactions: entryCount(train) };
  const differences = differencesOf(size, shape);
  if (differences.length > 0)
    progress?.({
      type: "note",
      text: `the recipe ${recipe} was chosen on data of another shape than ${name} (${differences.join(", ")}), so other options may be better: foldin tune finds them`,
    });
}

/** The fields that must agree for a run to be resumed. */
function identity({
  dataset,
  model,
  options,
  seed,
  engine,
  precision,
  blocks,
  initFrom,
  distill,
}: Omit<RunConfig, "formatVersion">): JsonObject {
  return {
    ...{ model, options, seed, engine, precision, data: dataset.fingerprint },
    ...(blocks !== undefined && { blocks }),
    ...(initFrom && { initFrom: initFrom.digest }),
    ...(distill && { distill: distill.digest }),
  };
}

/** Another run, as config.json records it. */
type OtherRun = NonNullable<RunConfig["initFrom"]>;

/**
 * The other run that a run uses: the path to read it from, or what the run to resume has recorded if it is complete, because the other
 * run may no longer exist, or this run may have replaced it.
 */
function otherRun(
  given: string | undefined,
  recorded: OtherRun | undefined,
  isComplete: boolean | undefined,
): { readonly path?: string; readonly recorded?: OtherRun } {
  const isRecorded = given === undefined || resolve(given) === recorded?.path;
  return isComplete && recorded && isRecorded ? { recorded } : { path: given ?? recorded?.path };
}

/** Throws UserError for a teacher with a model that cannot learn from it, and for options of students without a teacher. */
async function requireStudent(
  algorithm: Algorithm,
  options: unknown,
  teacher: string | undefined,
): Promise<void> {
  if (teacher === undefined) {
    const [option] = Object.keys(options as object).filter((name) => name.startsWith("distill"));
    if (option !== undefined)
      throw new UserError({
        place: option,
        problem: "needs a teacher",
        remedy: "Give the run to learn from with --distill, or leave the option out",
      });
  } else if (!algorithm.distills) {
    const all = await Promise.all(algorithmNames.map(findAlgorithm));
    throw new UserError({
      place: "--distill",
      problem: `${algorithm.name} cannot learn from another model`,
      expected: all.flatMap(({ name, distills }) => (distills ? [name] : [])).join(", "),
    });
  }
}

/** The model of a run as a teacher. Its method throws UserError unless the run was trained on this dataset. */
function teacherOf(path: string, digest: string, dataset: Dataset, engine: Engine): Teacher {
  return {
    digest,
    async best(histories, k, signal) {
      const model = await readPart(path, (files) => restoreModel(files, { engine }));
      try {
        await requireSameData(path, model, dataset);
        return await model.recommender.score(histories, { signal }).topK(k, histories);
      } finally {
        model.recommender.dispose();
      }
    },
  };
}

interface Start {
  readonly path: string;
  readonly initial: InitialModel;
  /** The options of the run; undefined for a model folder without a run. */
  readonly options: JsonObject | undefined;
}

/** The model of a finished run. Throws UserError if there is none. */
async function startOf(path: string): Promise<Start> {
  const folder = await findModelFolder(path);
  const [files, digest] = [await readModelFiles(folder), await digestOfModel(folder)];
  const run = folder === path ? undefined : await readRunFolder(path);
  return { path, initial: { files, digest }, options: run?.config.options };
}

/** Reports how many items the run shares with the dataset. Throws UserError for an algorithm without warm start, and if there are none. */
async function requireWarmStart(
  algorithm: Algorithm,
  { files }: InitialModel,
  { items, name }: Dataset,
  progress: ProgressListener | undefined,
): Promise<void> {
  if (!algorithm.warmStart) {
    const all = await Promise.all(algorithmNames.map(findAlgorithm));
    throw new UserError({
      place: "--init-from",
      problem: `${algorithm.name} cannot start from a run: its model has no weights to start from`,
      expected: all.flatMap(({ name, warmStart }) => (warmStart ? [name] : [])).join(", "),
      remedy: "Train it without --init-from",
    });
  }
  requireAlgorithm(algorithm.name, files);
  const known = items.ids.filter((id) => files.items.indexOf(id) !== undefined).length;
  if (known === 0)
    throw new UserError({
      place: "--init-from",
      problem: `the run and ${name} have no items in common`,
      expected: `item ids such as ${items.ids.slice(0, 3).join(", ")}; the run has ${files.items.ids.slice(0, 3).join(", ")}`,
    });
  progress?.({
    type: "note",
    text: `starting from a run with ${known} of ${items.size} items${known < items.size ? "; the others are initialised as usual" : ""}`,
  });
}
