// Writes recommendations for many users to one file, with one row per user and rank. Users are scored in parts, and each
// part is a separate file in `<out>.partial/` until all parts are complete. An interrupted scoring can be resumed, and the
// output file is written atomically.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readdir, rename } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { z } from "zod";
import type { EngineChoice } from "../compute/open-engine.js";
import type { EnginePrecision } from "../compute/tensor.js";
import { requireFreeFile, syncFolder, writeFileAtomic } from "../core/atomic-file.js";
import { entriesOf, type FolderKind, removeOwn } from "../core/atomic-folder.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import { makeFolders, removeEmptyFolders } from "../core/folders.js";
import { checkJson, readJson } from "../core/json-file.js";
import { withLock } from "../core/lock.js";
import type { ProgressListener } from "../core/progress.js";
import { untilSeen } from "../core/seen.js";
import { type Database, withDatabase } from "../data/database.js";
import type { Histories } from "../data/histories.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { itemsMatching } from "../recommender/filter/compile.js";
import type { Filter } from "../recommender/filter/filter.js";
import type { ItemSet } from "../recommender/item-set.js";
import type { Recommender } from "../recommender/recommender.js";
import type { Tasks } from "../tasks/tasks.js";
import { availableItems } from "./availability/availability.js";
import type { PartSetup } from "./part-task.js";
import { csvColumns, requireSpreadsheet } from "./score-csv.js";
import { INPUT, writeInput } from "./score-input.js";
import { fileOfPart, type PartOptions, usersOfPart, writePart } from "./score-part.js";

export interface ScoreOptions {
  /** The file to write: .parquet, .csv or .jsonl. */
  readonly out: string;
  /** Items per user; fewer if the catalogue has fewer. Default 10. */
  readonly k?: number;
  /** Whether to recommend items of the history too. Default false. */
  readonly includeHistory?: boolean;
  /** Which items may be recommended, by their attributes. Default: all. */
  readonly filter?: Filter;
  /** Ids of items not to recommend; others than the model's are ignored. */
  readonly unavailable?: Iterable<string>;
  /** Identifies the model: a scoring can be resumed only with the same model. */
  readonly model: string;
  /** Whether to resume an interrupted scoring, if there is one. */
  readonly resume?: boolean;
  /** Whether to replace the file and discard an interrupted scoring. */
  readonly force?: boolean;
  /** In a .csv, put an apostrophe before texts that a spreadsheet would read as formulas. Default false: texts are exact. */
  readonly spreadsheet?: boolean;
  /** Users per part. Default 8192. */
  readonly partUsers?: number;
  /** Computes the parts in other processes. Default: in this one. */
  readonly tasks?: PartTasks;
  readonly progress?: ProgressListener;
  readonly signal?: AbortSignal;
}

/** Parts that other processes compute. */
export interface PartTasks {
  readonly tasks: Tasks;
  /** The run or model folder that they load. */
  readonly run: string;
  readonly engine: EngineChoice;
  readonly precision?: EnginePrecision;
}

/** One of several processes that divide the parts of a scoring among them, without knowing of each other. */
export interface Shard {
  /** From 1 to `of`. */
  readonly number: number;
  readonly of: number;
}

export interface ShardScored {
  /** Parts of this shard, and those among them that were there before. */
  readonly parts: number;
  readonly resumed: number;
  /** Parts of other shards that are still missing; 0 = the file was written. */
  readonly missing: number;
  readonly scored?: Scored;
}

export interface Scored {
  readonly users: number;
  readonly rows: number;
  /** Users in parts that an interrupted scoring had completed. */
  readonly resumed: number;
  /** Users without rows: the model knows none of their items. */
  readonly leftOut: number;
}

const copyFormats: Readonly<Record<string, string>> = {
  ".parquet": "FORMAT parquet",
  ".csv": "FORMAT csv, HEADER",
  ".jsonl": "FORMAT json",
};

/** Identifies the folder of an unfinished scoring and its files. */
const scoringFolder: FolderKind = {
  marker: "scoring.json",
  own: /^(scoring\.json|result|input\.safetensors|\.foldin-queue|part-\d+\.parquet)$/,
};

/** The folder with the parts of an unfinished scoring. */
export function partialFolder(out: string): string {
  return `${out}.partial`;
}

/** Throws UserError if the output file cannot be written or an interrupted scoring exists. Call it before long work. */
export async function requireFreeOutput({
  out,
  resume,
  force,
  spreadsheet,
}: Pick<ScoreOptions, "out" | "resume" | "force" | "spreadsheet">): Promise<void> {
  formatOf(out);
  if (spreadsheet) requireSpreadsheet(out);
  await requireFreeFile(out, { force });
  const partial = partialFolder(out);
  const there = await entriesOf(partial);
  if (there.length === 0) return;
  if (!there.includes(scoringFolder.marker))
    throw new UserError({
      place: partial,
      problem: "a folder with this name exists and was not written by foldin",
      remedy: "Move it, or choose another --out",
    });
  if (!resume && !force)
    throw new UserError({
      place: partial,
      problem: "contains an interrupted scoring",
      remedy: "Resume it with --resume, or start again with --force",
    });
}

/**
 * Scores all users and writes the file with columns user, rank (from 1), item, title (if items have titles) and score;
 * users are in the order of the histories. Throws UserError if the file exists, the scoring to resume is a different one, or the
 * filter is not valid. Throws AbortedError on the signal; completed parts are kept.
 */
export async function scoreAll(
  recommender: Recommender,
  histories: Histories,
  options: ScoreOptions,
): Promise<Scored> {
  const { out, progress } = options;
  return withLock(out, () => scoreInto(recommender, histories, options), {
    onNote: (text) => progress?.({ type: "note", text }),
  });
}

async function scoreInto(
  recommender: Recommender,
  histories: Histories,
  options: ScoreOptions,
): Promise<Scored> {
  const { tasks, progress, signal } = options;
  await requireFreeOutput(options);
  if (options.force && !options.resume) await removeOwn(partialFolder(options.out), scoringFolder);
  const scoring = await begin(recommender, histories, options);
  const users = histories.users.length;
  const task = "score";
  progress?.({ type: "start", task, total: users, unit: "users" });
  const missing = await missingParts(scoring);
  const usersOf = (part: number) => {
    const { from, to } = usersOfPart(part, users, scoring.partUsers);
    return to - from;
  };
  const toDo = missing.reduce((sum, part) => sum + usersOf(part), 0);
  const resumed = users - toDo;
  let done = resumed;
  const advance = (part: number) => {
    done += usersOf(part);
    progress?.({ type: "advance", task, done });
  };
  if (resumed > 0) progress?.({ type: "advance", task, done });
  if (tasks) await computeElsewhere(scoring, histories, missing, tasks, options, advance);
  else
    for (const part of missing) {
      throwIfAborted(signal);
      await writePart(scoring, part, recommender, histories, { signal });
      advance(part);
    }
  progress?.({ type: "end", task });
  return { ...(await merge(scoring, options)), users, resumed, leftOut: histories.strangers };
}

/**
 * Computes the parts of one shard, those with number, number + of, ... The shard that finishes last writes the file. Throws like
 * `scoreAll`; a part that is there is not computed again.
 */
export async function scoreShard(
  recommender: Recommender,
  histories: Histories,
  { number, of }: Shard,
  options: ScoreOptions,
): Promise<ShardScored> {
  const { out, progress, signal } = options;
  // Other shards are at work, or were: their parts are always kept.
  await requireFreeOutput({ ...options, resume: true });
  const scoring = await begin(recommender, histories, options);
  const isOwn = (part: number) => part % of === number - 1;
  const parts = Array.from({ length: scoring.parts }, (_, part) => part).filter(isOwn);
  const own = (await missingParts(scoring)).filter(isOwn);
  const task = "score";
  progress?.({ type: "start", task, total: own.length, unit: "parts" });
  for (const [done, part] of own.entries()) {
    throwIfAborted(signal);
    await writePart(scoring, part, recommender, histories, { signal });
    progress?.({ type: "advance", task, done: done + 1 });
  }
  progress?.({ type: "end", task });
  const result = { parts: parts.length, resumed: parts.length - own.length };
  // Several shards may finish at the same moment: one writes the file, and the others find its work done.
  return withLock(
    out,
    async () => {
      if (!existsSync(join(scoring.folder, scoringFolder.marker))) return { ...result, missing: 0 };
      const missing = (await missingParts(scoring)).length;
      if (missing > 0) return { ...result, missing };
      const written = await merge(scoring, options);
      const counts = { users: histories.users.length, resumed: 0, leftOut: histories.strangers };
      return { ...result, missing, scored: { ...written, ...counts } };
    },
    { patience: MERGE_PATIENCE, onNote: (text) => progress?.({ type: "note", text }) },
  );
}

/** Milliseconds that a shard waits while another one writes the file. */
const MERGE_PATIENCE = 600_000;

/** A scoring whose folder is there. */
interface Scoring extends PartOptions {
  readonly parts: number;
}

/** Makes the folder of the parts, or sees that the one that is there is this scoring's. */
async function begin(
  recommender: Recommender,
  histories: Histories,
  options: ScoreOptions,
): Promise<Scoring> {
  const { out, k = 10, includeHistory = false, partUsers = 8192 } = options;
  const allowed = await allowedItems(recommender.items, options);
  const folder = partialFolder(out);
  const made = await makeFolders(folder);
  const identity = {
    ...{ model: options.model, histories: digestOf(histories), k, includeHistory, partUsers },
    ...(allowed && { filter: filterDigest(allowed) }),
  };
  await requireSameScoring(folder, { formatVersion: 1, ...identity }).catch(async (error: unknown) => {
    await removeEmptyFolders(made);
    throw error;
  });
  const parts = Math.ceil(histories.users.length / partUsers);
  return { folder, parts, k, includeHistory, partUsers, allowed };
}

async function missingParts({ folder, parts }: Scoring): Promise<number[]> {
  const done = new Set(await readdir(folder));
  return Array.from({ length: parts }, (_, part) => part).filter(
    (part) => !done.has(basename(fileOfPart(folder, part))),
  );
}

async function computeElsewhere(
  scoring: Scoring,
  histories: Histories,
  missing: readonly number[],
  { tasks, run, engine, precision }: PartTasks,
  { model, progress, signal }: ScoreOptions,
  onPart: (part: number) => void,
): Promise<void> {
  const { folder, k, includeHistory, partUsers, allowed } = scoring;
  await writeInput(join(folder, INPUT), { histories, allowed });
  const setup: PartSetup = {
    ...{ folder: resolve(folder), run: resolve(run), model, engine, k, includeHistory, partUsers },
    input: digestOf(histories) + (filterDigest(allowed) ?? ""),
  };
  const failures: string[] = [];
  await tasks.run(
    {
      kind: "part",
      folder: resolve(folder),
      setup: { ...setup, ...(precision && { precision }) },
    },
    missing.map((part) => ({ name: `part ${part + 1} of ${scoring.parts}`, job: { part } })),
    {
      signal,
      onNote: (text) => progress?.({ type: "note", text }),
      onOutcome: async (t, outcome) => {
        if (outcome.state === "failed") failures.push(`part ${missing[t] + 1}: ${outcome.message}`);
        else {
          await untilSeen(fileOfPart(folder, missing[t]));
          onPart(missing[t]);
        }
      },
    },
  );
  if (failures.length > 0)
    throw new UserError({
      place: folder,
      problem: `${failures.length} of ${missing.length} parts failed; the first one: ${failures[0]}`,
      remedy: "Remove the cause, and give the same command with --resume: the other parts are kept",
    });
}

/** Puts the parts together, writes the file, and removes the parts. */
async function merge({ folder: partial, parts }: Scoring, options: ScoreOptions): Promise<{ rows: number }> {
  const { out, signal } = options;
  const result = join(partial, "result");
  const rows = await withDatabase(
    async (database) => {
      const all = database.files(
        "parquet",
        Array.from({ length: parts }, (_, part) => fileOfPart(partial, part)),
      );
      await database.copy(
        `SELECT ${await columnsOf(database, all, options)} FROM ${all}`,
        result,
        formatOf(out),
      );
      return Number((await database.rows(`SELECT count(*) FROM ${all}`))[0][0]);
    },
    { signal },
  );
  const file = await open(result, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(result, out);
  await syncFolder(dirname(out));
  await removeOwn(partial, scoringFolder);
  return { rows };
}

/** The select list for the output file; reports escaped characters. */
async function columnsOf(
  database: Database,
  all: string,
  { out, spreadsheet = false, progress }: ScoreOptions,
): Promise<string> {
  if (!/\.csv$/i.test(out)) return "*";
  const { sql, escapes } = await csvColumns(database, all, { spreadsheet });
  if (escapes.length > 0)
    progress?.({
      type: "note",
      text: `control characters in ids or titles are written as ${escapes.join(" ")} in CSV; .parquet and .jsonl keep them unchanged`,
    });
  return sql;
}

function formatOf(out: string): string {
  const format = copyFormats[extname(out).toLowerCase()];
  if (format !== undefined) return format;
  throw new UserError({
    place: "--out",
    problem: `the extension of ${out} is not supported`,
    expected: Object.keys(copyFormats).join(", "),
  });
}

/** The items to choose from; undefined = all. */
async function allowedItems(
  items: Vocabulary,
  { filter, unavailable }: Pick<ScoreOptions, "filter" | "unavailable">,
): Promise<ItemSet | undefined> {
  const admitted = filter && (await itemsMatching(items, filter));
  const available = unavailable && availableItems(items, unavailable);
  return admitted && available ? admitted.and(available) : (admitted ?? available);
}

const identitySchema = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
type Identity = Readonly<z.infer<typeof identitySchema>>;

/** Records what is being scored. Throws UserError if the folder belongs to a different scoring. */
async function requireSameScoring(partial: string, identity: Identity): Promise<void> {
  const path = join(partial, scoringFolder.marker);
  if (!existsSync(path)) return writeFileAtomic(path, `${JSON.stringify(identity)}\n`);
  const remedy = "Start again with --force";
  const old = checkJson(identitySchema, await readJson(path, { remedy }), path, {
    problem: "is not a valid description of an interrupted scoring",
    remedy,
  });
  const names = Object.keys({ ...identity, ...old });
  const differs = names.find((name) => old[name] !== identity[name]);
  if (differs === undefined) return;
  const both = ["k", "includeHistory"].includes(differs) ? `: ${old[differs]}, now ${identity[differs]}` : "";
  throw new UserError({
    place: partial,
    problem: `the interrupted scoring had a different ${differs}${both}`,
    remedy: "Use the same input and options, or start again with --force",
  });
}

function filterDigest(allowed: ItemSet | undefined): string | undefined {
  return allowed && createHash("sha256").update(allowed.words).digest("hex").slice(0, 16);
}

function digestOf({ users, matrix }: Histories): string {
  const hash = createHash("sha256").update(JSON.stringify(users));
  for (const { buffer, byteOffset, byteLength } of [matrix.offsets, matrix.indices])
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex").slice(0, 16);
}
