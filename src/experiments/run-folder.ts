// A run on disk. The folder has its final name from the start, so that its metrics can be followed while it trains:
//   config.json    everything needed to repeat the run; the first file there
//   metrics.jsonl  one line per finished epoch (a last line that a kill cut short is ignored)
//   checkpoint/    what resuming needs; gone once the run is complete
//   model/         appears at once when training has ended: a run is complete if, and only if, it has a model
//   report.html    written by the CLI
// A run that fails or is stopped before its first checkpoint leaves no folder behind; a later one can be resumed.

import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { writeFolder } from "../core/atomic-folder.js";
import { UserError } from "../core/errors.js";
import type { JsonObject } from "../core/json.js";
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
  const text = await readFile(configPath, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new UserError({
      place: path,
      problem:
        cause.code === "ENOENT" || cause.code === "ENOTDIR"
          ? "is no run folder: it has no config.json"
          : `cannot be read (${cause.code})`,
      expected: "a folder that foldin train wrote",
      cause,
    });
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UserError({ place: configPath, problem: "is not JSON" });
  }
  const version = z.object({ formatVersion: z.int() }).safeParse(json);
  if (version.success && version.data.formatVersion > RUN_FORMAT_VERSION)
    throw new UserError({
      place: configPath,
      problem: `the run has format ${version.data.formatVersion}, newer than this foldin understands`,
      expected: `at most ${RUN_FORMAT_VERSION}`,
      remedy: "Update foldin",
    });
  const config = configSchema.safeParse(json);
  if (!config.success) {
    const [issue] = config.error.issues;
    throw new UserError({
      place: configPath,
      problem: `is not a run's: ${issue.path.join(".") || "it"}: ${issue.message}`,
      expected: "a folder that foldin train wrote",
    });
  }
  const complete = await exists(modelFolderOf(path));
  return { path, config: config.data, complete, epochs: readEpochs(path) };
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
  let text: string;
  try {
    text = readFileSync(join(path, "metrics.jsonl"), "utf8");
  } catch {
    return [];
  }
  // What stands behind the last line break is a line that was cut short.
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as EpochRecord);
}

/** Removes a run folder that has nothing worth resuming: no checkpoint and no model. */
export async function removeIfWorthless(path: string): Promise<void> {
  if (!(await exists(checkpointFolderOf(path))) && !(await exists(modelFolderOf(path))))
    await rm(path, { recursive: true, force: true });
}
