// Writes recommendations for many users to one file, with one row per user and rank. Users are scored in parts, and each
// part is a separate file in `<out>.partial/` until all parts are complete. An interrupted scoring can be resumed, and the
// output file is written atomically.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readdir, rename } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { z } from "zod";
import { NO_ITEM } from "../compute/engine.js";
import { requireFreeFile, syncFolder, writeFileAtomic } from "../core/atomic-file.js";
import { entriesOf, type FolderKind, removeOwn } from "../core/atomic-folder.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import { makeFolders, removeEmptyFolders } from "../core/folders.js";
import { checkJson, readJson } from "../core/json-file.js";
import { withPartial } from "../core/leftovers.js";
import { withLock } from "../core/lock.js";
import type { ProgressListener } from "../core/progress.js";
import { type Database, withDatabase } from "../data/database.js";
import type { Histories } from "../data/histories.js";
import { Vocabulary } from "../data/vocabulary.js";
import { itemsMatching } from "../recommender/filter/compile.js";
import type { Filter } from "../recommender/filter/filter.js";
import type { ItemSet } from "../recommender/item-set.js";
import type { Recommender } from "../recommender/recommender.js";
import { sliceRows } from "../sparse/csr.js";
import { availableItems } from "./availability/availability.js";
import { csvColumns, requireSpreadsheet } from "./score-csv.js";

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
  readonly progress?: ProgressListener;
  readonly signal?: AbortSignal;
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
  own: /^(scoring\.json|result|part-\d+\.parquet)$/,
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
  const { out, k = 10, includeHistory = false, resume, force, partUsers = 8192, progress, signal } = options;
  await requireFreeOutput(options);
  const allowed = await allowedItems(recommender.items, options);
  const partial = partialFolder(out);
  if (force && !resume) await removeOwn(partial, scoringFolder);
  const made = await makeFolders(partial);
  const identity = {
    ...{ model: options.model, histories: digestOf(histories), k, includeHistory, partUsers },
    ...(allowed && { filter: createHash("sha256").update(allowed.words).digest("hex").slice(0, 16) }),
  };
  await requireSameScoring(partial, { formatVersion: 1, ...identity }).catch(async (error: unknown) => {
    await removeEmptyFolders(made);
    throw error;
  });

  const users = histories.users.length;
  const parts = Math.ceil(users / partUsers);
  const done = new Set(await readdir(partial));
  const name = (part: number) => `part-${String(part).padStart(6, "0")}.parquet`;
  const task = "score";
  progress?.({ type: "start", task, total: users, unit: "users" });
  let resumed = 0;
  for (let part = 0; part < parts; part++) {
    const from = part * partUsers;
    const to = Math.min(users, from + partUsers);
    if (done.has(name(part))) resumed += to - from;
    else {
      throwIfAborted(signal);
      const path = join(partial, name(part));
      await writePart(path, recommender, histories, from, to, { k, includeHistory, allowed, signal });
    }
    progress?.({ type: "advance", task, done: to });
  }
  progress?.({ type: "end", task });

  const result = join(partial, "result");
  const rows = await withDatabase(
    async (database) => {
      const all = database.files(
        "parquet",
        Array.from({ length: parts }, (_, part) => join(partial, name(part))),
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
  return { users, rows, resumed, leftOut: histories.strangers };
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

interface PartOptions {
  readonly k: number;
  readonly includeHistory: boolean;
  readonly allowed: ItemSet | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Writes one part atomically. */
async function writePart(
  path: string,
  recommender: Recommender,
  { users, matrix }: Histories,
  from: number,
  to: number,
  { k, includeHistory, allowed, signal }: PartOptions,
): Promise<void> {
  const { items } = recommender;
  const block = sliceRows(matrix, from, to);
  const without = includeHistory ? undefined : block;
  const best = await recommender.score(block, { signal }).topK(k, without, allowed?.words);
  // A user with fewer recommendations has empty ranks at the end of the row.
  const places: number[] = [];
  for (let place = 0; place < best.items.length; place++)
    if (best.items[place] !== NO_ITEM) places.push(place);
  const { titles } = items;
  const id = (numeric: boolean, column: string) =>
    numeric ? `CAST("${column}" AS BIGINT) AS "${column}"` : `"${column}"`;
  await withPartial(path, (partial) =>
    withDatabase(
      async (database) => {
        const columns = {
          ...({ user: "VARCHAR", rank: "UINTEGER", item: "VARCHAR" } as const),
          ...(titles && ({ title: "VARCHAR" } as const)),
          score: "FLOAT",
        } as const;
        await database.createTable("part", columns, places.length, (first, count, set) => {
          const [user, rank, item, title] = set;
          const score = set[set.length - 1];
          for (let row = 0; row < count; row++) {
            const place = places[first + row];
            user(row, users[from + Math.floor(place / best.k)]);
            rank(row, (place % best.k) + 1);
            item(row, items.ids[best.items[place]]);
            if (titles) title(row, titles[best.items[place]]);
            score(row, best.scores[place]);
          }
        });
        const chosen = [
          id(new Vocabulary(users).numeric, "user"),
          "rank",
          id(items.numeric, "item"),
          ...(titles ? ["title"] : []),
          "score",
        ];
        await database.copy(`SELECT ${chosen.join(", ")} FROM part`, partial);
      },
      { signal },
    ).then(() => rename(partial, path)),
  );
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

function digestOf({ users, matrix }: Histories): string {
  const hash = createHash("sha256").update(JSON.stringify(users));
  for (const { buffer, byteOffset, byteLength } of [matrix.offsets, matrix.indices])
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex").slice(0, 16);
}
