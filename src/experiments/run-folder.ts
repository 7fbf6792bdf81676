// A run on disk. The folder has its final name from the start, so that its metrics can be followed while it trains:
//   config.json    everything needed to repeat the run; the first file there
//   metrics.jsonl  one line per finished epoch (a last line that a kill cut short is ignored)
//   checkpoint/    what resuming needs; gone once the run is complete
//   model/         appears at once when training has ended: a run is complete if, and only if, it has a model
//   report.html    written by the CLI
// A run that fails or is stopped before its first checkpoint leaves no folder behind; a later one can be resumed.

import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { writeFolder } from "../core/atomic-folder.js";
import { UserError } from "../core/errors.js";
import { readTextSync } from "../core/input-file.js";
import type { JsonObject } from "../core/json.js";
import { checkJson, parseJson, readJson, refuseNewer } from "../core/json-file.js";
import type { EpochRecord } from "../recommender/run-context.js";

/** What this version writes, and the newest that it reads. */
export const RUN_FORMAT_VERSION = 1;

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

/** Makes a new run folder, with its config.json from the start. Throws UserError where something (but an empty folder) is there already. */
export async function createRunFolder(path: string, config: Omit<RunConfig, "formatVersion">): Promise<void> {
  await requireFreeRunFolder(path);
  const text = `${JSON.stringify({ formatVersion: RUN_FORMAT_VERSION, ...config }, null, 2)}\n`;
  await writeFolder(path, { marker: "config.json" }, (folder) =>
    writeFile(join(folder, "config.json"), text),
  );
}

/** Throws UserError unless a run folder can be made here. */
export async function requireFreeRunFolder(path: string): Promise<void> {
  const there = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new UserError({
      place: path,
      problem: "is no folder that a run could be written into",
      cause: error,
    });
  });
  if (there.length === 0) return;
  const run = await readRunFolder(path).catch(() => undefined);
  throw new UserError({
    place: path,
    problem: run
      ? `holds a ${run.complete ? "finished" : "started"} run of ${run.config.model} already`
      : "is not empty",
    expected: "a new folder",
    remedy:
      run && !run.complete
        ? "Go on with it with --resume, or choose another folder"
        : "Choose another folder",
  });
}

/** The run folder to resume, or undefined where there is nothing at all (a run that was killed before it had a folder). */
export async function findRunFolder(path: string): Promise<RunFolder | undefined> {
  return (await exists(path)) ? readRunFolder(path) : undefined;
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Reads a run folder, finished or not. Throws UserError where it is none, damaged, or of a newer format. */
export async function readRunFolder(path: string): Promise<RunFolder> {
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
      remedy: `Finish it: foldin train ${run.config.dataset.path ?? "<dataset>"} --out ${basename(run.path)} --resume`,
    });
  return run;
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
      writeFileSync(file, kept.map((line) => `${JSON.stringify(line)}\n`).join(""));
      first = false;
    }
    appendFileSync(file, `${JSON.stringify(record)}\n`);
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

/** Removes a run folder that has nothing worth resuming: no checkpoint and no model. */
export async function removeIfWorthless(path: string): Promise<void> {
  if (!(await exists(checkpointFolderOf(path))) && !(await exists(modelFolderOf(path))))
    await rm(path, { recursive: true, force: true });
}
