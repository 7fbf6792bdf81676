// Reads interactions from CSV, TSV, "::" and "|" files, Parquet and JSON lines, gzipped or not, and from databases. DuckDB reads them in bounded
// memory and streams them into typed arrays, in row order. Plain text is read without DuckDB (plain-rows.ts). Text ids are
// coded by DuckDB in a table on disk, which avoids a JavaScript string per row.

import { throwIfAborted, UserError } from "../core/errors.js";
import { type ProgressListener, silent } from "../core/progress.js";
import { CollectedRows } from "./collected-rows.js";
import { describeColumns, headerAmongRows, type Input, openInputs, type ReadOptions } from "./columns.js";
import { type Database, identifier, literal, type NumberArray, withDatabase } from "./database.js";
import { codeIntegers, type Interactions } from "./interactions.js";
import { type PlainColumn, PlainRows } from "./plain-rows.js";
import { explainTableError, type TableSource } from "./table-source.js";
import type { Selection } from "./tables/table.js";
import { acceptedTimes, holdsDates, timeExpression } from "./times.js";
import { plainInteger, Vocabulary } from "./vocabulary.js";

/**
 * Reads interactions. Rows with a rating below `minRating` and headers among the rows are counted and left out. The columns
 * that were found are reported as a note.
 * Throws UserError, naming file and line, if the files or their columns are not valid.
 */
export async function readInteractions(
  files: readonly string[],
  {
    columns = {},
    minRating,
    progress = silent,
    signal,
  }: { columns?: ReadOptions; minRating?: number; progress?: ProgressListener; signal?: AbortSignal },
): Promise<Interactions> {
  if (files.length === 0) throw new UserError({ problem: "no interaction file is given" });
  return withDatabase(
    async (database) => {
      const inputs = await openInputs(files, database, columns, minRating, { progress, signal });
      const reader = new Reader(database, inputs, minRating, progress);
      const read = (await reader.plain(signal)) ?? (await reader.integers()) ?? (await reader.texts());
      for (const text of describeColumns(inputs, columns)) progress({ type: "note", text });
      return read;
    },
    { signal, tables: "file" },
  );
}

type Rows = Pick<Interactions, "userOf" | "itemOf" | "ratingOf" | "timeOf">;

class Reader {
  readonly #database: Database;
  readonly #inputs: readonly Input[];
  readonly #minRating: number | undefined;
  readonly #progress: ProgressListener;

  constructor(
    database: Database,
    inputs: readonly Input[],
    minRating: number | undefined,
    progress: ProgressListener,
  ) {
    this.#database = database;
    this.#inputs = inputs;
    this.#minRating = minRating;
    this.#progress = progress;
  }

  /** Reads plain text without DuckDB; undefined if a file is not plain text. */
  async plain(signal: AbortSignal | undefined): Promise<Interactions | undefined> {
    const kept = this.#collected();
    const rows = new PlainRows(this.#minRating, kept);
    for (const input of this.#inputs) {
      const { text, columns, file } = input.source;
      if (text?.isPlain !== true) return undefined;
      const roles = columns.map((name) => plainColumn(name, input));
      const task = `reading ${file}`;
      let told = 0;
      this.#progress({ type: "start", task, unit: "rows" });
      try {
        const advance = (done: number) => {
          throwIfAborted(signal);
          if (done - told < 1 << 19) return;
          told = done;
          this.#progress({ type: "advance", task, done });
        };
        const { delimiter, header } = text;
        if (!(await rows.read(text.bytes(), roles, delimiter, header, advance))) return undefined;
      } finally {
        this.#progress({ type: "end", task });
      }
    }
    return this.#coded(kept, { seen: rows.seen, repeatedHeaders: 0 });
  }

  /** Reads files whose id columns have integer types (Parquet); undefined if they have not, or if an id does not fit 32 bits. */
  async integers(): Promise<Interactions | undefined> {
    const isInteger = ({ source }: Input, column: string) =>
      /^U?(TINY|SMALL|BIG)?INT(EGER)?$/.test(source.typeOf(column));
    if (!this.#inputs.every((input) => isInteger(input, input.user) && isInteger(input, input.item)))
      return undefined;
    const kept = this.#collected(this.#inputs.reduce((sum, { source }) => sum + (source.rows ?? 0), 0));
    const collector = new Collector(this.#minRating, kept);
    for (const input of this.#inputs) {
      const { source, user, item } = input;
      const id = (column: string) => `TRY_CAST(${source.expression(column)} AS UINTEGER)`;
      const sql = `SELECT ${id(user)}, ${id(item)}, ${numbersOf(input)} FROM ${await source.from(selectionOf(input))}`;
      if ((await this.#collect(sql, input, collector)) === "id") return undefined;
    }
    return this.#coded(kept, collector);
  }

  #collected(capacity = 0): CollectedRows {
    return new CollectedRows({ place: this.#inputs.map(({ source }) => source.file).join(", "), capacity });
  }

  /** Codes rows with integer ids. */
  #coded(kept: CollectedRows, counts: Counts): Interactions {
    this.#refuseEmpty(counts, kept.length);
    const rows = kept.take();
    const users = codeIntegers(rows.userOf);
    const items = codeIntegers(rows.itemOf);
    return {
      users: Vocabulary.ofIntegers(users),
      items: Vocabulary.ofIntegers(items),
      ...this.#present(rows),
      ...sourceCounts(counts, kept),
    };
  }

  /** Reads files with text ids: DuckDB stores the rows and codes them. */
  async texts(): Promise<Interactions> {
    const database = this.#database;
    await database.run("CREATE TABLE source_rows (u VARCHAR, i VARCHAR, r DOUBLE, t DOUBLE, h UTINYINT)");
    const ends: number[] = [];
    for (const input of this.#inputs) {
      const { source, user, item } = input;
      const task = `reading ${source.file}`;
      this.#progress({ type: "start", task });
      try {
        await database.run(
          `INSERT INTO source_rows SELECT ${source.id(user)}, ${source.id(item)}, ${numbersOf(input)} FROM ${await source.from(selectionOf(input))}`,
        );
      } catch (error) {
        throw await explainTableError(error, source);
      }
      ends.push(Number((await database.rows("SELECT count(*) FROM source_rows"))[0][0]));
      this.#progress({ type: "end", task });
    }
    const users = await this.#codeTexts("u", "user_ids");
    const items = await this.#codeTexts("i", "item_ids");
    this.#noteBlanks("user", users);
    this.#noteBlanks("item", items);
    const kept = this.#collected();
    const collector = new Collector(this.#minRating, kept);
    for (const [place, input] of this.#inputs.entries()) {
      const code = (column: string, type: string) =>
        `enum_code(TRY_CAST(NULLIF(${column}, '') AS ${type}))::UINTEGER`;
      const problem = await this.#collect(
        `SELECT ${code("u", "user_ids")}, ${code("i", "item_ids")}, r, t, h FROM source_rows
         WHERE rowid >= ${ends[place - 1] ?? 0} AND rowid < ${ends[place]}`,
        input,
        collector,
      );
      if (problem === "id") throw await this.#missingId(input, collector.seenInFile - 1);
    }
    this.#refuseEmpty(collector, kept.length);
    return { users, items, ...this.#present(kept.take()), ...sourceCounts(collector, kept) };
  }

  #noteBlanks(role: "user" | "item", { ids }: Vocabulary): void {
    const blank = ids.filter((id) => id !== id.trim()).length;
    if (blank > 0)
      this.#progress({
        type: "note",
        text: `${blank} of ${ids.length} ${role} ids begin or end with a blank, which is kept as part of the id`,
      });
  }

  /** Creates an ENUM type of the ids in their order, and returns the ids. */
  async #codeTexts(column: string, type: string): Promise<Vocabulary> {
    const database = this.#database;
    const table = identifier(`${type}_table`);
    await database.run(`CREATE TABLE ${table} AS SELECT DISTINCT ${column} AS id FROM source_rows
      WHERE h = 0 AND ${column} IS NOT NULL AND ${column} <> ''`);
    const [[strange]] = await database.rows(
      `SELECT count(*) FROM ${table} WHERE NOT regexp_full_match(id, ${literal(plainInteger.source.slice(1, -1))})`,
    );
    const order = Number(strange) === 0 ? "CAST(id AS BIGINT)" : "id";
    const ids: string[] = [];
    for await (const chunk of database.chunks(`SELECT id FROM ${table} ORDER BY ${order}`)) {
      const texts = chunk.texts(0);
      for (let row = 0; row < chunk.rows; row++) ids.push(texts.getItem(row) as string);
    }
    if (ids.length > 0)
      await database.run(`CREATE TYPE ${type} AS ENUM (SELECT id FROM ${table} ORDER BY ${order})`);
    else await database.run(`CREATE TYPE ${type} AS ENUM ('')`);
    return new Vocabulary(ids);
  }

  /** Streams rows of five columns (user, item, rating, time, header) into the collector; returns "id" if a row has no id. */
  async #collect(sql: string, input: Input, collector: Collector): Promise<"id" | undefined> {
    const { source } = input;
    const task = `reading ${source.file}`;
    this.#progress({ type: "start", task, unit: "rows" });
    collector.startFile();
    let told = 0;
    try {
      for await (const chunk of this.#database.chunks(sql)) {
        const wrong =
          collector.addPlain(
            [0, 1, 2, 3, 4].map((column) => chunk.plainNumbers(column)),
            input,
          ) === undefined
            ? collector.add(
                chunk.rows,
                [0, 1, 2, 3, 4].map((column) => chunk.numbers(column)),
                input,
              )
            : undefined;
        if (wrong === "id") return "id";
        if (wrong !== undefined) throw await this.#wrong(wrong, input, collector.seenInFile - 1);
        if (collector.seenInFile - told >= 1 << 19) {
          told = collector.seenInFile;
          this.#progress({ type: "advance", task, done: told });
        }
      }
    } catch (error) {
      throw await explainTableError(error, source);
    } finally {
      this.#progress({ type: "end", task });
    }
    return undefined;
  }

  async #wrong(what: "rating" | "time" | "header", input: Input, row: number): Promise<UserError> {
    const { source, user, item, rating, time } = input;
    const place = source.place(row);
    switch (what) {
      case "header":
        return new UserError({
          place,
          problem: `the line looks like a different header (${await this.#valueAt(source, user, row)}, ${await this.#valueAt(source, item, row)})`,
          expected: `columns as in the first line: ${user}, ${item}`,
          remedy: "Split the file at this line and pass the parts as separate files",
        });
      case "rating": {
        const text = await this.#valueAt(source, rating as string, row);
        return new UserError({
          place,
          problem:
            text === null || text === ""
              ? `there is no value in the column "${rating}"`
              : `"${text}" in the column "${rating}" is not a number`,
          expected: "a number in every row",
          remedy: "Correct the row, or pass --no-rating to read the file without ratings",
        });
      }
      case "time":
        return new UserError({
          place,
          problem: `"${await this.#valueAt(source, time as string, row)}" in the column "${time}" is not a time`,
          expected: acceptedTimes,
          remedy:
            "Convert the column, name another one with --time, or pass --no-time to read the file without times",
        });
    }
  }

  async #missingId({ source, user, item }: Input, row: number): Promise<UserError> {
    const id = await this.#valueAt(source, user, row);
    const column = id === null || id === "" ? user : item;
    return new UserError({
      place: source.place(row),
      problem: `there is no value in the column "${column}"`,
      expected: "an id in every row",
      remedy: "Correct or remove the row",
    });
  }

  async #valueAt(source: TableSource, column: string, row: number): Promise<string | null> {
    const [found] = await this.#database.rows(
      `SELECT CAST(${source.expression(column)} AS VARCHAR) FROM ${await source.from({ columns: [column] })} LIMIT 1 OFFSET ${row}`,
    );
    return found?.[0] == null ? null : String(found[0]);
  }

  #refuseEmpty({ seen, repeatedHeaders }: Counts, kept: number): void {
    const place = this.#inputs.map(({ source }) => source.file).join(", ");
    if (seen === repeatedHeaders) throw new UserError({ place, problem: "the file has no rows" });
    if (kept === 0)
      throw new UserError({
        place,
        problem: `none of the ${seen} rows has a rating of at least ${this.#minRating}`,
        remedy: "Lower --min-rating",
      });
  }

  #present({ userOf, itemOf, ratingOf, timeOf }: Rows) {
    const [{ rating, time }] = this.#inputs;
    const timed = time !== undefined && !timeOf?.every(Number.isNaN);
    return {
      userOf,
      itemOf,
      ratingOf: rating === undefined ? undefined : ratingOf,
      timeOf: timed ? timeOf : undefined,
      dated: timed && this.#inputs.every((input) => holdsDates(input.source, input.time as string)),
    };
  }
}

function selectionOf({ user, item, rating, time }: Input): Selection {
  return { ids: [user, item], columns: [rating, time].filter((column) => column !== undefined) };
}

/** SQL expressions: rating and time as DOUBLE, and whether the row is a header. */
function numbersOf(input: Input): string {
  const { source, rating, time } = input;
  const value = rating === undefined ? "0::DOUBLE" : source.number(rating);
  const seconds = time === undefined ? "0::DOUBLE" : timeExpression(source, time);
  return `${value}, ${seconds}, CAST(${headerAmongRows(input)} AS UTINYINT)`;
}

function plainColumn(name: string, { user, item, rating, time }: Input): PlainColumn {
  if (name === user) return "user";
  if (name === item) return "item";
  return name === rating ? "rating" : name === time ? "time" : "skip";
}

/** Counts over all files. */
interface Counts {
  readonly seen: number;
  readonly repeatedHeaders: number;
  /** The place of the first row without a time. */
  readonly untimed?: string;
}

const sourceCounts = ({ seen, repeatedHeaders, untimed }: Counts, { duplicates }: CollectedRows) => ({
  sourceRows: seen,
  duplicates,
  repeatedHeaders,
  untimed,
});

/** Checks chunks of rows and keeps the rows with a high enough rating. */
class Collector implements Counts {
  seen = 0;
  seenInFile = 0;
  repeatedHeaders = 0;
  untimed: string | undefined;
  readonly #minRating: number;
  readonly #kept: CollectedRows;

  constructor(minRating: number | undefined, kept: CollectedRows) {
    this.#minRating = minRating ?? Number.NEGATIVE_INFINITY;
    this.#kept = kept;
  }

  startFile(): void {
    this.seenInFile = 0;
  }

  /** Adds rows without missing or invalid values that are all kept, and returns their number; undefined, adding none, if some are not. */
  addPlain(
    [users, items, values, times, headers]: (NumberArray | undefined)[],
    { source, rating, time }: Input,
  ): number | undefined {
    if (!(users && items && values && times && headers)) return undefined;
    const least = this.#leastOf(source, rating);
    for (let row = 0; row < headers.length; row++) if (headers[row] !== 0) return undefined;
    if (rating !== undefined)
      for (let row = 0; row < values.length; row++)
        if (!(Number.isFinite(values[row]) && values[row] >= least)) return undefined;
    if (time !== undefined)
      for (let row = 0; row < times.length; row++) if (Number.isNaN(times[row])) return undefined;
    this.#kept.append(
      users,
      items,
      rating === undefined ? undefined : values,
      time === undefined ? undefined : times,
    );
    this.seen += users.length;
    this.seenInFile += users.length;
    return users.length;
  }

  /** 3.1 as a float32 is less than 3.1 as a float64: ratings are compared in their own precision. */
  #leastOf(source: TableSource, rating: string | undefined): number {
    return rating !== undefined && source.typeOf(rating) === "FLOAT"
      ? Math.fround(this.#minRating)
      : this.#minRating;
  }

  /** Stops at the first invalid row, which is then the last one counted. */
  add(
    rows: number,
    [users, items, values, times, headers]: { getItem(row: number): number | null }[],
    { source, rating, time }: Input,
  ): "id" | "rating" | "time" | "header" | undefined {
    const least = this.#leastOf(source, rating);
    let wrong: "id" | "rating" | "time" | "header" | undefined;
    let row = 0;
    for (; row < rows && wrong === undefined; row++) {
      const header = headers.getItem(row);
      if (header === 1) {
        this.repeatedHeaders++;
        continue;
      }
      const user = users.getItem(row);
      const item = items.getItem(row);
      const value = values.getItem(row);
      const seconds = times.getItem(row);
      if (header === 2) wrong = "header";
      else if (user === null || item === null) wrong = "id";
      else if (value === null || !Number.isFinite(value)) wrong = "rating";
      else if (seconds === null) wrong = "time";
      else if (rating === undefined || value >= least) {
        this.#kept.push(
          user,
          item,
          rating === undefined ? undefined : value,
          time === undefined ? undefined : seconds,
        );
        if (Number.isNaN(seconds)) this.untimed ??= source.place(this.seenInFile + row);
      }
    }
    this.seen += row;
    this.seenInFile += row;
    return wrong;
  }
}
