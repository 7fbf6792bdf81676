// A run on disk. The folder has its final name from the start, so that its metrics can be followed while it trains:
//   config.json    everything needed to repeat the run; the first file there
//   metrics.jsonl  one line per finished epoch (a last line that a kill cut short is ignored)
//   checkpoint/    what resuming needs; gone once the run is complete
//   model/         appears at once when training has ended: a run is complete if, and only if, it has a model
//   report.html    written by the CLI
// A run that fails or is stopped before its first checkpoint leaves no folder behind; a later one can be resumed.
// One that is to replace another has a folder of its own beside it (`replacementOf`) until it is complete.

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

/** What this version writes, and the newest that it reads. */
const RUN_FORMAT_VERSION = 1;

const configSchema = z.object({
  formatVersion: z.int(),
  /** The version of foldin that trained it. */
  foldin: z.string(),
  dataset: z.object({
    name: z.string(),
    /** The dataset folder, absolute; null = the dataset was made in memory. */
    path: z.string().nullable(),
    /** A hash of the training and validation matrices (training/identity.ts). */
    fingerprint: z.string(),
  }),
  model: z.string(),
  /** Every option with its resolved value; one that is unset is absent. */
  options: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  seed: z.int().min(0),
  engine: z.string(),
  precision: z.string(),
  threads: z.int().min(1),
  /** The run whose weights training started from; absent where it began at random. */
  initFrom: z.object({ path: z.string(), digest: z.string() }).optional(),
  /** What `add-items` added since, in order; absent where nothing was. */
  addedItems: z
    .array(z.object({ items: z.int(), content: z.string().nullable(), rule: z.string() }))
    .optional(),
});

/** A line of metrics.jsonl. JSON has no word for what is not finite: it is null there. */
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
const EXPECTED = "a folder that foldin train wrote";

/** config.json of a run folder. */
export type RunConfig = z.infer<typeof configSchema>;

/** A run folder as it lies there. */
export interface RunFolder {
  readonly path: string;
  readonly config: RunConfig;
  /** Whether training has ended and `model/` is there. */
  readonly complete: boolean;
  /** The finished epochs, in order; those after the last checkpoint are forgotten when the run is resumed. */
  readonly epochs: readonly EpochRecord[];
}

export function modelFolderOf(run: string): string {
  return join(run, "model");
}

export function checkpointFolderOf(run: string): string {
  return join(run, "checkpoint");
}

/** How a run folder is known when it is to be replaced. */
export const runFolderKind: FolderKind = {
  marker: "config.json",
  recognises: (head) => configSchema.safeParse(head).success,
  own: /^(config\.json|metrics\.jsonl|report\.html|result\.json|checkpoint\/[^/]*|model\/((config|items|content)\.json|model\.safetensors))$/,
};

/** Puts right what a killed process left of a replacement of the run; the caller holds the lock of `path`. */
export async function settleRunFolder(path: string): Promise<void> {
  for (const folder of [path, await replacementOf(path)])
    await settleFolder(await realpath(folder).catch(() => resolve(folder)), runFolderKind);
}

/** Where the run that is to replace the one in `path` is trained. */
async function replacementOf(path: string): Promise<string> {
  const isLink = (await lstat(path).catch(() => undefined))?.isSymbolicLink();
  const target = isLink ? await realpath(path).catch(() => path) : path;
  // "." has no name of its own.
  const name = basename(resolve(target));
  return join(basename(target) === name ? dirname(target) : dirname(resolve(target)), `.${name}.new`);
}

/**
 * Chooses the folder in which a new run is trained: `path` itself where nothing is there, else, with `force`, its
 * replacement. Throws UserError where a run may not be written. The caller holds the lock of `path`.
 */
export async function placeOfNewRun(path: string, { force = false } = {}): Promise<string> {
  const replacement = await replacementOf(path);
  if (!force) {
    await requireFreeRunFolder(path);
    if (await exists(replacement))
      throw new UserError({
        place: path,
        problem: `was being replaced, and that run is unfinished (${replacement})`,
        remedy: "Go on with it with --resume, or begin again with --force",
      });
    return path;
  }
  await refuseToOverwrite(path, { force, ...runFolderKind });
  const taken = (await entriesOf(path)).length > 0 || (await exists(replacement));
  return taken ? replacement : path;
}

/** Makes a new run folder, with its config.json from the start; it replaces an unfinished replacement that is there already. The caller holds the run's lock. */
export async function createRunFolder(path: string, config: Omit<RunConfig, "formatVersion">): Promise<void> {
  const text = `${JSON.stringify({ formatVersion: RUN_FORMAT_VERSION, ...config }, null, 2)}\n`;
  await writeFolder(path, { ...runFolderKind, force: true, locked: true }, (folder) =>
    writeFile(join(folder, "config.json"), text),
  );
}

/** Puts a finished run at `path`, where it was not trained there; returns the user's own files of the former run, which are kept in it. */
export async function moveIntoPlace(trained: string, path: string): Promise<string[]> {
  if (trained === path) return [];
  const target = await realpath(path).catch(() => resolve(path));
  return replaceFolder(trained, target, runFolderKind);
}

/** Throws UserError unless a run folder can be made here. */
async function requireFreeRunFolder(path: string): Promise<void> {
  const there = await entriesOf(path);
  if (there.length === 0) return;
  const run = await readRunFolder(path).catch(() => undefined);
  throw new UserError({
    place: path,
    problem: run
      ? `holds a ${run.complete ? "finished" : "started"} run of ${run.config.model} already`
      : "is not empty",
    expected: "a new folder",
    remedy: !run
      ? "Choose another folder"
      : run.complete || isBlend(run)
        ? "Choose another folder, or replace it with --force"
        : "Go on with it with --resume, or choose another folder",
  });
}

/** The run folder to resume: the unfinished replacement of a run before the run itself; undefined where there is nothing at all (a run that was killed before it had a folder). */
export async function findRunFolder(path: string): Promise<RunFolder | undefined> {
  await restoreReplaced(path);
  const replacement = await replacementOf(path);
  if (await exists(replacement)) return readRunFolder(replacement);
  return (await exists(path)) ? readRunFolder(path) : undefined;
}

/** Whether a run that was stopped has something to go on from. */
export async function hasCheckpoint(path: string): Promise<boolean> {
  const replacement = await replacementOf(path);
  return exists(checkpointFolderOf((await exists(replacement)) ? replacement : path));
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** A blend is made by a command of its own, which has nothing to resume. */
function isBlend({ config }: RunFolder): boolean {
  return config.model === "blend";
}

/** Reads a run folder, finished or not. Throws UserError where it is none, damaged, or of a newer format. */
export async function readRunFolder(path: string): Promise<RunFolder> {
  await restoreReplaced(path);
  const configPath = join(path, "config.json");
  if (!existsSync(configPath))
    throw new UserError({
      place: path,
      problem: "is not a run folder: it has no config.json",
      expected: EXPECTED,
    });
  const json = await readJson(configPath, { expected: EXPECTED });
  refuseNewer(json, configPath, RUN_FORMAT_VERSION, "run");
  const config = checkJson(configSchema, json, configPath, {
    problem: "is not the configuration of a run",
    expected: EXPECTED,
  });
  const complete = await exists(modelFolderOf(path));
  return { path, config, complete, epochs: readEpochs(path) };
}

/** Throws UserError for a run that has no model yet. */
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
 * A listener that adds each epoch to metrics.jsonl. Before its first line it drops lines of the same and later epochs:
 * those were finished after the checkpoint from which the run was resumed.
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

function readEpochs(path: string): EpochRecord[] {
  const file = join(path, "metrics.jsonl");
  if (!existsSync(file)) return [];
  const text = readTextSync(file, { most: MOST_METRICS_BYTES, expected: "one line of JSON per epoch" });
  // What follows the last line break is a line that was cut short.
  return text
    .split("\n")
    .slice(0, -1)
    .map((line, k) => {
      const place = `${file}:${k + 1}`;
      return checkJson(epochSchema, parseJson(line, place), place, {
        problem: "is not the record of an epoch",
        expected: "a line as foldin train writes it",
      });
    });
}

/**
 * Removes a run folder that has nothing worth resuming: no checkpoint and no model. Files that are not foldin's stay.
 * Returns whether there was something.
 */
export async function removeIfWorthless(path: string): Promise<boolean> {
  if ((await exists(checkpointFolderOf(path))) || (await exists(modelFolderOf(path)))) return true;
  await removeOwn(path, runFolderKind);
  return false;
}
