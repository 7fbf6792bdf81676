// A dataset: histories to train on, and held-out users (or items of the same users) to evaluate with.
// The dataset folder on disk (manifest.json and Parquet tables) is written by write-dataset.ts and read here.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { restoreReplaced } from "../core/atomic-folder.js";
import { throwIfAborted, UserError } from "../core/errors.js";
import { readPieces } from "../core/input-file.js";
import { checkJson, readJson } from "../core/json-file.js";
import { type CsrMatrix, fromPairs } from "../sparse/csr.js";
import { type AttributeDescription, ItemAttributes } from "./attributes/attributes.js";
import { encodeColumn } from "./attributes/encode.js";
import { readColumn } from "./attributes/parquet.js";
import { loadContent } from "./content/store.js";
import type { ItemContent } from "./content.js";
import { type Database, identifier, literal, withDatabase } from "./database.js";
import {
  formatVersion,
  type Manifest,
  manifestFile,
  manifestSchema,
  type TableFile,
  tableFiles,
} from "./manifest.js";
import { Vocabulary } from "./vocabulary.js";

/** Users to evaluate on: the items that the model may see of each user, and those that it should rank high. */
export interface HeldOutSplit {
  /** The users' external ids; row u of both matrices is user u. */
  readonly users: Vocabulary;
  /** [users, items], the histories to fold in. */
  readonly foldIn: CsrMatrix;
  /** [users, items], what was held out; disjoint from `foldIn`. A row may be empty (the user is then not evaluated). */
  readonly heldOut: CsrMatrix;
}

export interface Dataset {
  /** A short name: the source's ("ml-1m") or the folder's. */
  readonly name: string;
  readonly items: Vocabulary;
  /** The training users' ids; row u of `train` is user u. */
  readonly users: Vocabulary;
  /** [users, items]. */
  readonly train: CsrMatrix;
  /** Reads the times of the training interactions, in the order of `train.indices`: seconds since 1970 (or the source's own unit), NaN = missing. Absent if the source has no times. */
  readonly trainTimes?: () => Promise<Float64Array>;
  /** Counts the training interactions of each rating. Absent if the source has no ratings. */
  readonly trainRatings?: () => Promise<ReadonlyMap<number, number>>;
  readonly validation: HeldOutSplit;
  readonly test: HeldOutSplit;
  /** The content of the items, if any; one entry per item of `items`, in the same order. */
  readonly content?: ItemContent;
  /** How the dataset was made, with all counts; absent for a dataset that a program assembled itself. */
  readonly manifest?: Omit<Manifest, "tables">;
}

export interface LoadDatasetOptions {
  /** Whether the matrices have the source's ratings as values; otherwise every entry counts as 1. */
  values?: boolean;
  /** Whether the items' content is read too, if there is any. Default true. */
  content?: boolean;
  /** Whether the items' attributes are read too, if there are any. Default true. */
  attributes?: boolean;
  signal?: AbortSignal;
}

/**
 * Reads a dataset folder. Throws UserError, naming the file, if a file is missing, damaged or was changed after it was
 * written, or if a newer foldin wrote the folder.
 */
export async function loadDataset(
  folder: string,
  { values = false, content = true, attributes = true, signal }: LoadDatasetOptions = {},
): Promise<Dataset> {
  const manifest = await readManifest(folder);
  for (const file of tableFiles) await verify(folder, file, manifest.tables[file].sha256, signal);
  const described = content ? manifest.content : undefined;
  for (const [file, { sha256 }] of Object.entries(described?.tables ?? {}))
    await verify(folder, file, sha256, signal);
  return withDatabase(
    async (database) => {
      const tables = new FolderTables(folder, database, values && manifest.columns.value);
      const items = await tables.items(attributes ? (manifest.items?.attributes ?? []) : []);
      const { users, splits } = await tables.users();
      const trainUsers = splits.findIndex((split) => split !== "train");
      const trained = trainUsers < 0 ? users.length : trainUsers;
      const train = await tables.coordinates("train.parquet");
      const heldOut = async (which: "validation" | "test") =>
        makeHeldOutSplit(
          await tables.coordinates(`${which}.parquet`, "fold-in"),
          await tables.coordinates(`${which}.parquet`, "held-out"),
          users,
          (user) => splits[user] === which,
          items.size,
        );
      const matrix = fromPairs(trained, items.size, train.users, train.items, train.values);
      return {
        name: manifest.name,
        items,
        users: new Vocabulary(users.slice(0, trained)),
        train: matrix,
        ...(manifest.columns.time && { trainTimes: () => loadTrainTimes(folder, matrix) }),
        ...(manifest.columns.value && { trainRatings: () => countTrainRatings(folder) }),
        validation: await heldOut("validation"),
        test: await heldOut("test"),
        ...(described && { content: await loadContent(folder, database, described, items.size) }),
        manifest,
      };
    },
    { signal },
  );
}

/** Counts the ratings of a folder's training interactions, as float32. */
async function countTrainRatings(folder: string): Promise<Map<number, number>> {
  return withDatabase(async (database) => {
    const table = database.files("parquet", join(folder, "train.parquet"));
    const rows = await database.rows(`SELECT CAST(value AS FLOAT), count(*) FROM ${table} GROUP BY ALL`);
    return new Map(rows.map(([rating, count]) => [Number(rating), Number(count)]));
  });
}

/** Reads the times of a folder's training interactions, in the order of the matrix's entries. */
async function loadTrainTimes(folder: string, train: CsrMatrix): Promise<Float64Array> {
  return withDatabase(async (database) => {
    const users = new Uint32Array(train.indices.length);
    const times = new Float64Array(train.indices.length);
    const table = database.files("parquet", join(folder, "train.parquet"));
    let place = 0;
    for await (const chunk of database.chunks(
      `SELECT ${identifier("user")}, CAST("time" AS DOUBLE) FROM ${table}`,
    )) {
      const user = chunk.numbers(0);
      const time = chunk.numbers(1);
      for (let row = 0; row < chunk.rows; row++) {
        users[place] = user.getItem(row) as number;
        times[place++] = time.getItem(row) ?? Number.NaN;
      }
    }
    return inEntryOrder(train, users, times);
  });
}

/** Reorders one number per entry from the order of the input of `fromPairs` to the order of the matrix's entries. */
export function inEntryOrder(
  { offsets, rows }: CsrMatrix,
  rowOf: ArrayLike<number>,
  numbers: ArrayLike<number>,
): Float64Array {
  const cursor = offsets.slice(0, rows);
  const ordered = new Float64Array(numbers.length);
  for (let k = 0; k < numbers.length; k++) ordered[cursor[rowOf[k]]++] = numbers[k];
  return ordered;
}

/** Reads and checks the manifest of a folder. Throws UserError like `loadDataset`. */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, manifestFile);
  await restoreReplaced(folder);
  const json = await readJson(path, {
    expected: "a dataset folder",
    remedy: "Create one with: foldin prepare",
  });
  return checkManifest(json, path);
}

/** The manifest in a file that was read from `path`. Throws UserError if it is not one, or has a newer format. */
export function checkManifest(json: unknown, path: string): Manifest {
  const version = typeof json === "object" && json !== null ? Reflect.get(json, "formatVersion") : undefined;
  if (typeof version === "number" && version > formatVersion)
    throw new UserError({
      place: path,
      problem: `the folder has format version ${version}`,
      expected: `at most ${formatVersion}`,
      remedy: "It was written by a newer version: update foldin, or prepare the dataset again",
    });
  return checkJson(manifestSchema, json, path, {
    problem: "this is not a dataset manifest",
    remedy: "Prepare the dataset again",
  });
}

function damaged(place: string, problem: string, cause?: unknown): UserError {
  return new UserError({ place, problem, remedy: "Prepare the dataset again", cause });
}

/** The SHA-256 of a file, in hexadecimal. */
export async function checksum(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of readPieces(path, { remedy: "Prepare the dataset again" })) {
    throwIfAborted(signal);
    hash.update(piece);
  }
  return hash.digest("hex");
}

async function verify(
  folder: string,
  file: string,
  expected: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = join(folder, file);
  const found = await checksum(path, signal);
  if (found !== expected)
    throw damaged(path, "the file is damaged or was changed after the dataset was prepared");
}

/** A matrix's entries as parallel arrays. */
export interface Coordinates {
  readonly users: Uint32Array;
  readonly items: Uint32Array;
  readonly values?: Float32Array;
}

/** The tables of a folder, streamed column by column. */
class FolderTables {
  readonly #folder: string;
  readonly #database: Database;
  readonly #values: boolean;

  constructor(folder: string, database: Database, values: boolean) {
    this.#folder = folder;
    this.#database = database;
    this.#values = values;
  }

  #from(file: TableFile): string {
    return this.#database.files("parquet", join(this.#folder, file));
  }

  async #columnsOf(file: TableFile): Promise<string[]> {
    const rows = await this.#database.rows(
      `SELECT column_name FROM (DESCRIBE SELECT * FROM ${this.#from(file)})`,
    );
    return rows.map(([name]) => String(name));
  }

  async items(attributes: readonly AttributeDescription[]): Promise<Vocabulary> {
    const columns = await this.#columnsOf("items.parquet");
    const titled = columns.includes("title");
    const lost = attributes.find(({ name }) => !columns.includes(name));
    if (lost) throw damaged(join(this.#folder, "items.parquet"), `the column "${lost.name}" is missing`);
    const ids: string[] = [];
    const titles: (string | null)[] = [];
    const texts: (string | null)[][] = attributes.map(() => []);
    const wanted = ["CAST(id AS VARCHAR)", titled ? "title" : "NULL::VARCHAR", ...attributes.map(readColumn)];
    const sql = `SELECT ${wanted.join(", ")} FROM ${this.#from("items.parquet")} ORDER BY "index"`;
    for await (const chunk of this.#database.chunks(sql)) {
      const [id, name, ...values] = wanted.map((_, place) => chunk.texts(place));
      for (let row = 0; row < chunk.rows; row++) {
        ids.push(id.getItem(row) as string);
        titles.push(name.getItem(row));
        for (const [place, value] of values.entries()) texts[place].push(value.getItem(row));
      }
    }
    const encoded = attributes.map(({ name, type }, place) =>
      encodeColumn({ name, values: texts[place] }, { type }, (item) => ids[item], this.#folder),
    );
    return new Vocabulary(
      ids,
      titled ? titles : undefined,
      encoded.length > 0 ? ItemAttributes.of(ids.length, encoded) : undefined,
    );
  }

  async users(): Promise<{ users: string[]; splits: string[] }> {
    const users: string[] = [];
    const splits: string[] = [];
    const sql = `SELECT CAST(id AS VARCHAR), split FROM ${this.#from("users.parquet")} ORDER BY "index"`;
    for await (const chunk of this.#database.chunks(sql)) {
      const id = chunk.texts(0);
      const split = chunk.texts(1);
      for (let row = 0; row < chunk.rows; row++) {
        users.push(id.getItem(row) as string);
        splits.push(split.getItem(row) as string);
      }
    }
    return { users, splits };
  }

  /** The rows of a table in their order; only those of `role` if it is given. */
  async coordinates(file: TableFile, role?: "fold-in" | "held-out"): Promise<Coordinates> {
    const where = role === undefined ? "" : `WHERE role = ${literal(role)}`;
    const [[rows]] = await this.#database.rows(`SELECT count(*) FROM ${this.#from(file)} ${where}`);
    const coordinates = {
      users: new Uint32Array(Number(rows)),
      items: new Uint32Array(Number(rows)),
      values: this.#values ? new Float32Array(Number(rows)) : undefined,
    };
    const value = this.#values ? ", CAST(value AS FLOAT)" : "";
    const sql = `SELECT ${identifier("user")}, item ${value} FROM ${this.#from(file)} ${where}`;
    let place = 0;
    for await (const chunk of this.#database.chunks(sql)) {
      const user = chunk.numbers(0);
      const item = chunk.numbers(1);
      for (let row = 0; row < chunk.rows; row++) {
        coordinates.users[place + row] = user.getItem(row) as number;
        coordinates.items[place + row] = item.getItem(row) as number;
      }
      if (coordinates.values) {
        const values = chunk.numbers(2);
        for (let row = 0; row < chunk.rows; row++)
          coordinates.values[place + row] = values.getItem(row) as number;
      }
      place += chunk.rows;
    }
    return coordinates;
  }
}

/**
 * Numbers the users of a split in their order (those who belong to it, and those with held-out items) and builds its
 * matrices. The users of the coordinates are renumbered in place.
 */
export function makeHeldOutSplit(
  foldIn: Coordinates,
  heldOut: Coordinates,
  users: readonly string[],
  belongs: (user: number) => boolean,
  items: number,
): HeldOutSplit {
  const present = new Uint8Array(users.length);
  for (let user = 0; user < users.length; user++) if (belongs(user)) present[user] = 1;
  for (const user of heldOut.users) present[user] = 1;
  const rowOf = new Uint32Array(users.length);
  const ids: string[] = [];
  for (let user = 0; user < users.length; user++)
    if (present[user] === 1) {
      rowOf[user] = ids.length;
      ids.push(users[user]);
    }
  const matrix = (part: Coordinates) => {
    for (let k = 0; k < part.users.length; k++) part.users[k] = rowOf[part.users[k]];
    return fromPairs(ids.length, items, part.users, part.items, part.values);
  };
  return { users: new Vocabulary(ids), foldIn: matrix(foldIn), heldOut: matrix(heldOut) };
}
