// Writes a dataset folder: the tables as Parquet, then the manifest with their checksums.

import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProgressListener } from "../core/progress.js";
import { storedColumn } from "./attributes/parquet.js";
import type { ContentDraft } from "./content/draft.js";
import { writeContent } from "./content/store.js";
import { type Database, type ScalarType, withDatabase } from "./database.js";
import { checksum } from "./dataset.js";
import type { Interactions } from "./interactions.js";
import { type Manifest, manifestFile, type TableFile, tableFiles } from "./manifest.js";
import { type Split, type SplitTable, type SplitTables, userSplits } from "./split.js";
import type { Vocabulary } from "./vocabulary.js";

export interface DatasetContents {
  readonly interactions: Interactions;
  readonly split: Split;
  readonly tables: SplitTables;
  /** The items, with titles and attributes. */
  readonly items: Vocabulary;
  /** All users of the dataset, training users first. */
  readonly users: Vocabulary;
  /** The content of the items, in their order. */
  readonly content: ContentDraft | undefined;
  readonly manifest: Omit<Manifest, "tables">;
}

/** Writes everything into `folder`, which exists, and returns the manifest. */
export async function writeDataset(
  folder: string,
  contents: DatasetContents,
  progress: ProgressListener,
  signal: AbortSignal | undefined,
): Promise<Manifest> {
  const task = "writing the dataset";
  progress({ type: "start", task, total: tableFiles.length, unit: "tables" });
  const { rows, content } = await withDatabase(
    async (database) => {
      const writer = new TableWriter(folder, database, contents);
      const rows = Object.fromEntries(tableFiles.map((file) => [file, 0])) as Record<TableFile, number>;
      let done = 0;
      // The table of the training rows is by far the largest: the others are written meanwhile.
      await allOrFirstError(
        [isTraining, (file: TableFile) => !isTraining(file)].map(async (included) => {
          for (const file of tableFiles.filter(included)) {
            rows[file] = await writer.write(file);
            progress({ type: "advance", task, done: ++done });
          }
        }),
      );
      const draft = contents.content;
      const content = draft && (await writeContent(folder, database, draft, contents.items.size));
      return { rows, content };
    },
    { signal },
  );
  progress({ type: "end", task });
  const describeFiles = async <File extends string>(rows: Record<File, number>) => {
    const tables = {} as Record<File, Manifest["tables"][TableFile]>;
    for (const file of Object.keys(rows) as File[]) {
      const path = join(folder, file);
      const [{ size }, sha256] = [await stat(path), await checksum(path, signal)];
      tables[file] = { rows: rows[file], bytes: size, sha256 };
    }
    return tables;
  };
  const manifest: Manifest = { ...contents.manifest, tables: await describeFiles(rows) };
  if (content) {
    const { rows: contentRows, ...described } = content;
    manifest.content = { ...described, tables: await describeFiles(contentRows) };
  }
  await writeFile(join(folder, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

const isTraining = (file: TableFile): boolean => file === "train.parquet";

/** Waits for all, also when one fails, then throws the first error. */
async function allOrFirstError(running: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(running)).find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

class TableWriter {
  readonly #folder: string;
  readonly #database: Database;
  readonly #contents: DatasetContents;
  readonly #timeType: "BIGINT" | "DOUBLE";

  constructor(folder: string, database: Database, contents: DatasetContents) {
    this.#folder = folder;
    this.#database = database;
    this.#contents = contents;
    this.#timeType = contents.interactions.timeOf?.every(isWhole) ? "BIGINT" : "DOUBLE";
  }

  /** Writes one table; returns its number of rows. */
  async write(file: TableFile): Promise<number> {
    switch (file) {
      case "items.parquet":
        return this.#writeItems();
      case "users.parquet":
        return this.#writeUsers();
      case "train.parquet": {
        const { tables } = this.#contents;
        return this.#writeRows(file, tables.trainRows, tables.trainInTurn());
      }
      case "validation.parquet":
        return this.#writeTable(file, this.#contents.tables.heldOut("validation"));
      case "test.parquet":
        return this.#writeTable(file, this.#contents.tables.heldOut("test"));
    }
  }

  async #writeItems(): Promise<number> {
    const { items } = this.#contents;
    const { titles } = items;
    const attributes = ((await items.attributes?.columns()) ?? []).map(storedColumn);
    const columns: Record<string, ScalarType> = { index: "UINTEGER", id: "VARCHAR" };
    if (titles) columns.title = "VARCHAR";
    for (const { name, written } of attributes) columns[name] = written;
    const rest = [...(titles ? ["title"] : []), ...attributes.map(({ sql }) => sql)];
    await this.#write("items.parquet", {
      columns,
      rows: items.size,
      fill: (from, count, [index, id, ...others]) => {
        for (let row = 0; row < count; row++) {
          const item = from + row;
          index(row, item);
          id(row, items.ids[item]);
          const values = attributes.map(({ value }) => value(item));
          if (titles) values.unshift(titles[item]);
          for (const [place, value] of values.entries()) others[place](row, value);
        }
      },
      select: `"index", ${[`${idOf(items)} AS id`, ...rest].join(", ")}`,
    });
    return items.size;
  }

  async #writeUsers(): Promise<number> {
    const { users, split } = this.#contents;
    const { ids, numeric } = users;
    const names = userSplits.map((name, place) => `WHEN ${place} THEN '${name}'`).join(" ");
    await this.#write("users.parquet", {
      // Plain integers are exact as numbers, which are written faster than texts.
      columns: { index: "UINTEGER", id: numeric ? "DOUBLE" : "VARCHAR", split: "UTINYINT" },
      rows: users.size,
      fill: (from, count, [index, id, place]) => {
        const [indices, numbers] = [new Uint32Array(count), new Float64Array(count)];
        for (let row = 0; row < count; row++) {
          indices[row] = from + row;
          if (numeric) numbers[row] = Number(ids[from + row]);
          else id(row, ids[from + row]);
        }
        index.all(indices);
        if (numeric) id.all(numbers);
        place.all(split.splitOf.subarray(from, from + count));
      },
      select: `"index", ${idOf(users)} AS id, CASE split ${names} END AS split`,
    });
    return users.size;
  }

  #writeTable(file: TableFile, { users, items, source, heldOut }: SplitTable): Promise<number> {
    let from = 0;
    return this.#writeRows(file, source.length, (count) => {
      const [begin, end] = [from, from + count];
      from = end;
      const [u, i, s] = [users, items, source].map((column) => column.subarray(begin, end));
      return { users: u, items: i, source: s, heldOut: heldOut?.subarray(begin, end) };
    });
  }

  /** Writes `rows` rows; `take` returns the next ones. */
  async #writeRows(file: TableFile, rows: number, take: (count: number) => SplitTable): Promise<number> {
    const { ratingOf, timeOf } = this.#contents.interactions;
    const isHeldOut = file !== "train.parquet";
    const columns: Record<string, ScalarType> = { user: "UINTEGER", item: "UINTEGER" };
    if (ratingOf) columns.value = "FLOAT";
    if (timeOf) columns.time = "DOUBLE";
    if (isHeldOut) columns.held_out = "UTINYINT";
    const value = ratingOf ? ", value" : "";
    const time = timeOf ? `, CAST("time" AS ${this.#timeType}) AS "time"` : "";
    const role = isHeldOut ? ", CASE held_out WHEN 1 THEN 'held-out' ELSE 'fold-in' END AS role" : "";
    await this.#write(file, {
      columns,
      rows,
      fill: (_, count, set) => {
        const { users, items, source, heldOut } = take(count);
        let column = 0;
        set[column++].all(users);
        set[column++].all(items);
        if (ratingOf) {
          const ratings = new Float32Array(count);
          for (let row = 0; row < count; row++) ratings[row] = ratingOf[source[row]];
          set[column++].all(ratings);
        }
        if (timeOf) {
          const times = new Float64Array(count);
          for (let row = 0; row < count; row++) times[row] = timeOf[source[row]];
          const put = set[column++];
          if (times.some(Number.isNaN))
            for (const [row, time] of times.entries()) put(row, Number.isNaN(time) ? null : time);
          else put.all(times);
        }
        if (heldOut) set[column++].all(heldOut);
      },
      select: `"user", item ${value} ${time} ${role}`,
    });
    return rows;
  }

  async #write(file: TableFile, table: Parameters<Database["writeRows"]>[1]): Promise<void> {
    await this.#database.writeRows(join(this.#folder, file), table);
  }
}

const idOf = (vocabulary: Vocabulary): string => (vocabulary.numeric ? "CAST(id AS BIGINT)" : "id");

const isWhole = (time: number): boolean => Number.isNaN(time) || Number.isSafeInteger(time);
