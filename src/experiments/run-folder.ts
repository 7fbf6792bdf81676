// A run on disk. The folder has its final name from the start, so that its metrics can be followed during training:
//   config.json    everything needed to repeat the run; the first file to be written
//   metrics.jsonl  one line per finished epoch (an incomplete last line is ignored)
//   checkpoint/    needed to resume; removed when the run is complete
//   model/         appears atomically when training has ended: a run is complete if and only if it has a model
//   report.html    written by the CLI
//   result.json    the metrics of the report; of a search's point, those of the search
//   mlflow.json    the run on an MLflow server, if there is one
// A run that fails or is stopped before its first checkpoint leaves no folder; after that it can be resumed. A run that replaces
// another is trained in a separate folder (`replacementOf`) until it is complete.

import { appendFileSync, existsSync } from "node:fs";
import { lstat, realpath, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { writeFileAtomicSync } from "../core/atomic-file.js";
import {
  entriesOf,
  type FolderKind,
  refuseToOverwrite,
  removeOwn,
  replaceFolder,
  restoreReplaced,
  settleFolder,
  writeFolder,
} from "../core/atomic-folder.js";
import { UserError } from "../core/errors.js";
import { readTextSync } from "../core/input-file.js";
import type { JsonObject } from "../core/json.js";
import { checkJson, parseJson, readJson, refuseNewer } from "../core/json-file.js";
import { pathArgument, shellCommand } from "../core/shell.js";
import { withSystemFault } from "../core/system-errors.js";
import type { EpochRecord } from "../recommender/run-context.js";

/** The format that this version writes, and the newest that it reads. */
const RUN_FORMAT_VERSION = 1;

const configSchema = z.object({
  formatVersion: z.int(),
  /** The version of foldin that trained it. */
  foldin: z.string(),
  dataset: z.object({
    name: z.string(),
    /** The absolute path of the dataset folder; null = the dataset was created in memory. */
    path: z.string().nullable(),
    /** A hash of the training and validation matrices (training/identity.ts). */
    fingerprint: z.string(),
  }),
  model: z.string(),
  /** Every option with its resolved value; unset options are absent. */
  options: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  seed: z.int().min(0),
  engine: z.string(),
  precision: z.string(),
  threads: z.int().min(1),
  /** The number of blocks into which the items were divided; absent = 1. */
  blocks: z.int().min(2).optional(),
  /** The run whose weights training started from; absent for random initial weights. */
  initFrom: z.object({ path: z.string(), digest: z.string() }).optional(),
  /** Of a refitted run: the run that it repeats, the data on which that one was chosen, and whether it was trained on the test users. */
  refit: z.object({ of: z.string(), fingerprint: z.string(), test: z.boolean() }).optional(),
  /** The run that was the teacher; absent = none. */
  distill: z.object({ path: z.string(), digest: z.string() }).optional(),
  /** Items added later by `add-items`, in order; absent if there are none. */
  addedItems: z
    .array(z.object({ items: z.int(), content: z.string().nullable(), rule: z.string() }))
    .optional(),
});

/** A line of metrics.jsonl. JSON cannot represent numbers that are not finite: they are null. */
const epochSchema: z.ZodType<EpochRecord> = z.object({
  epoch: z.int().min(1),
  updates: z.int().min(0),
  seconds: z.number(),
  validationSeconds: z.number(),
  kept: z.int().optional(),
  values: z.record(
    z.string(),
    z
      .number()
      .nullable()
      .transform((value) => value ?? Number.NaN),
  ),
});
const MOST_METRICS_BYTES = 256 << 20;
const EXPECTED = "a folder written by foldin train";

/** config.json of a run folder. */
export type RunConfig = z.infer<typeof configSchema>;

/** A run folder on disk. */
export interface RunFolder {
  readonly path: string;
  readonly config: RunConfig;
  /** Whether training has ended and `model/` exists. */
  readonly complete: boolean;
  /** The finished epochs, in order; those after the last checkpoint are discarded when the run is resumed. */
  readonly epochs: readonly EpochRecord[];
}

/** The fingerprint of the data by which the run's options were chosen. */
export function chosenOn({ dataset, refit }: RunConfig): string {
  return refit?.fingerprint ?? dataset.fingerprint;
}

/** Throws UserError if the run was trained on the users of the split, because its metrics on them would mean nothing. */
export function requireHeldOut({ path, config: { refit } }: RunFolder, on: "test" | "validation"): void {
  if (!refit || (on === "test" && !refit.test)) return;
  throw new UserError({
    place: path,
    problem: `was trained on the ${on} users (foldin refit)`,
    expected: refit.test ? "a run that was not" : "an evaluation on the test users",
    remedy: `Evaluate ${refit.of}, on which the choice was made`,
  });
}

export function modelFolderOf(run: string): string {
  return join(run, "model");
}

export function checkpointFolderOf(run: string): string {
  return join(run, "checkpoint");
}

/** How a run folder is recognised before it is replaced. */
export const runFolderKind: FolderKind = {
  marker: "config.json",
  recognises: (head) => configSchema.safeParse(head).success,
  own: /^(config\.json|metrics\.jsonl|report\.html|result\.json|mlflow\.json|checkpoint\/[^/]*|model\/((config|items|content)\.json|(model|index|attributes|popularity)\.safetensors))$/,
};

/** Completes or undoes a replacement of the run that was interrupted; the caller holds the lock of `path`. */
export async function settleRunFolder(path: string): Promise<void> {
  for (const folder of [path, await replacementOf(path)])
    await settleFolder(await realpath(folder).catch(() => resolve(folder)), runFolderKind);
}

/** The folder in which the replacement of the run in `path` is trained. */
async function replacementOf(path: string): Promise<string> {
  const isLink = (await lstat(path).catch(() => undefined))?.isSymbolicLink();
  const target = isLink ? await realpath(path).catch(() => path) : path;
  // "." has no base name.
  const name = basename(resolve(target));
  return join(basename(target) === name ? dirname(target) : dirname(resolve(target)), `.${name}.new`);
}

/**
 * Chooses the folder in which a new run is trained: `path` itself if it does not exist, otherwise, with `force`, its
 * replacement. Throws UserError if a run must not be written there. The caller holds the lock of `path`.
 */
export async function placeOfNewRun(path: string, { force = false } = {}): Promise<string> {
  const replacement = await replacementOf(path);
  if (!force) {
    await requireFreeRunFolder(path);
    if (await exists(replacement))
      throw new UserError({
        place: path,
        problem: `has an unfinished replacement (${replacement})`,
        remedy: "Continue it with --resume, or start again with --force",
      });
    return path;
  }
  await refuseToOverwrite(path, { force, ...runFolderKind });
  const taken = (await entriesOf(path)).length > 0 || (await exists(replacement));
  return taken ? replacement : path;
}

/** Creates a new run folder with its config.json, replacing an existing unfinished replacement. The caller holds the run's lock. */
export async function createRunFolder(path: string, config: Omit<RunConfig, "formatVersion">): Promise<void> {
  const text = `${JSON.stringify({ formatVersion: RUN_FORMAT_VERSION, ...config }, null, 2)}\n`;
  await writeFolder(path, { ...runFolderKind, force: true, locked: true }, (folder) =>
    writeFile(join(folder, "config.json"), text),
  );
}

/** Moves a finished run to `path` if it was trained elsewhere; returns the user's own files of the previous run, which are kept in it. */
export async function moveIntoPlace(trained: string, path: string): Promise<string[]> {
  if (trained === path) return [];
  const target = await realpath(path).catch(() => resolve(path));
  return replaceFolder(trained, target, runFolderKind);
}

/** Throws UserError unless a run folder can be created here. */
async function requireFreeRunFolder(path: string): Promise<void> {
  const there = await entriesOf(path);
  if (there.length === 0) return;
  const run = await readRunFolder(path).catch(() => undefined);
  throw new UserError({
    place: path,
    problem: run
      ? `already contains ${run.complete ? "a finished" : "an unfinished"} run of ${run.config.model}`
      : "is not empty",
    expected: "a new folder",
    remedy: !run
      ? "Choose another folder"
      : run.complete || isBlend(run)
        ? "Choose another folder, or use --force to replace it"
        : "Continue it with --resume, or choose another folder",
  });
}

/** The run folder to resume: the unfinished replacement of a run, or the run itself; undefined if neither exists (a run that was killed before it had a folder). */
export async function findRunFolder(path: string): Promise<RunFolder | undefined> {
  await restoreReplaced(path);
  const replacement = await replacementOf(path);
  if (await exists(replacement)) return readRunFolder(replacement);
  return (await exists(path)) ? readRunFolder(path) : undefined;
}

/** Whether a stopped run can be resumed. */
export async function hasCheckpoint(path: string): Promise<boolean> {
  const replacement = await replacementOf(path);
  return exists(checkpointFolderOf((await exists(replacement)) ? replacement : path));
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** A blend is created by a separate command, which has nothing to resume. */
function isBlend({ config }: RunFolder): boolean {
  return config.model === "blend";
}

/** Reads a run folder, finished or not. Throws UserError if it is not a run folder, is damaged, or has a newer format. */
export async function readRunFolder(path: string): Promise<RunFolder> {
  await restoreReplaced(path);
  const configPath = join(path, "config.json");
  if (!existsSync(configPath))
    throw new UserError({
      place: path,
      problem: "is not a run folder: it has no config.json",
      expected: EXPECTED,
    });
  const config = checkRunConfig(await readJson(configPath, { expected: EXPECTED }), configPath);
  const complete = await exists(modelFolderOf(path));
  return { path, config, complete, epochs: readEpochs(path) };
}

/** The configuration in a config.json that was read from `path`. Throws UserError if it is not that of a run, or has a newer format. */
export function checkRunConfig(json: unknown, path: string): RunConfig {
  refuseNewer(json, path, RUN_FORMAT_VERSION, "run");
  return checkJson(configSchema, json, path, {
    problem: "is not a valid run configuration",
    expected: EXPECTED,
  });
}

/** Throws UserError for a run without a model. */
export function requireComplete(run: RunFolder): RunFolder {
  if (!run.complete)
    throw new UserError({
      place: run.path,
      problem: `the run is not finished (${run.epochs.length} epochs so far)`,
      remedy: `Finish it: ${commandToFinish(run)}`,
    });
  return run;
}

function commandToFinish(run: RunFolder): string {
  const { path, config } = run;
  const { runs } = config.options;
  if (isBlend(run) && Array.isArray(runs))
    return shellCommand(
      "foldin",
      "blend",
      ...runs.map((part) => pathArgument(String(part))),
      "--out",
      path,
      "--force",
    );
  return `foldin train ${config.dataset.path === null ? "<dataset>" : shellCommand(config.dataset.path)} ${shellCommand("--out", path, "--resume")}`;
}

/**
 * A listener that appends each epoch to metrics.jsonl. Before its first line it removes lines of the same and later epochs,
 * which were finished after the checkpoint from which the run was resumed.
 */
export function epochWriter(path: string): (record: EpochRecord) => void {
  const file = join(path, "metrics.jsonl");
  let first = true;
  return (record) => {
    if (first) {
      const kept = readEpochs(path).filter(({ epoch }) => epoch < record.epoch);
      writeFileAtomicSync(file, kept.map((line) => `${JSON.stringify(line)}\n`).join(""));
      first = false;
    }
    try {
      appendFileSync(file, `${JSON.stringify(record)}\n`);
    } catch (error) {
      throw withSystemFault(error, file);
    }
  };
}

/** The finished epochs of the run in a folder. Throws UserError, naming the line, if metrics.jsonl is damaged. */
export function readEpochs(path: string): EpochRecord[] {
  const file = join(path, "metrics.jsonl");
  if (!existsSync(file)) return [];
  const text = readTextSync(file, { most: MOST_METRICS_BYTES, expected: "one line of JSON per epoch" });
  // Text after the last line break is an incomplete line.
  return text
    .split("\n")
    .slice(0, -1)
    .map((line, k) => {
      const place = `${file}:${k + 1}`;
      return checkJson(epochSchema, parseJson(line, place), place, {
        problem: "is not a valid epoch record",
        expected: "a line written by foldin train",
      });
    });
}

/**
 * Removes a run folder that cannot be resumed (no checkpoint and no model). Files that foldin did not write are kept. Returns
 * whether there was something worth keeping.
 */
export async function removeIfWorthless(path: string): Promise<boolean> {
  if ((await exists(checkpointFolderOf(path))) || (await exists(modelFolderOf(path)))) return true;
  await removeOwn(path, runFolderKind);
  return false;
}
