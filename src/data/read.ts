// Files in: CSV, TSV, "::" and "|" files, Parquet, JSON lines, gzipped or not, read by DuckDB in bounded memory and
// streamed into typed arrays, in the order of their rows. Text in its plainest form is read without DuckDB (plain-rows.ts);
// ids that are text are coded by DuckDB in a table on disk, so that they never become a JavaScript string per row.

import { throwIfAborted, UserError } from "../core/errors.js";
import { type ProgressListener, silent } from "../core/progress.js";
import { type Database, identifier, literal, withDatabase } from "./database.js";
import { codeIntegers, GrowingColumn, type Interactions } from "./interactions.js";
import { type PlainColumn, PlainRows } from "./plain-rows.js";
import {
  explainReadError,
  type FileOptions,
  openTable,
  plainName,
  type TableSource,
} from "./table-source.js";
import { plainInteger, Vocabulary } from "./vocabulary.js";

/** Which columns mean what; where not given they are found by their usual names. */
export interface ReadOptions extends FileOptions {
  user?: string;
  item?: string;
  /** `false`: the file has no ratings, or they are to be ignored. */
  rating?: string | false;
  time?: string | false;
}

/** The usual names of the columns, best first; case, spaces and punctuation do not matter. */
export const usualNames = {
  user: [
    "user",
    "userid",
    "uid",
    "reviewerid",
    "customerid",
    "memberid",
    "visitorid",
    "sessionid",
    "username",
    "users",
  ],
  item: [
    ...[
      "item",
      "itemid",
      "iid",
      "movieid",
      "movie",
      "sid",
      "asin",
      "parentasin",
      "productid",
      "product",
      "bookid",
    ],
    ...[
      "isbn",
      "songid",
      "song",
      "trackid",
      "track",
      "articleid",
      "article",
      "businessid",
      "gameid",
      "newsid",
      "items",
    ],
  ],
  rating: ["rating", "ratings", "score", "stars", "overall", "value", "playcount", "plays", "count"],
  time: [
    "timestamp",
    "time",
    "datetime",
    "date",
    "unixreviewtime",
    "unixtime",
    "ts",
    "createdat",
    "reviewtime",
  ],
} as const;

type Role = keyof typeof usualNames;

/** The options by which a person names the columns. */
const flags: Record<Role, string> = { user: "--user", item: "--item", rating: "--rating", time: "--time" };

const knownNames: ReadonlySet<string> = new Set([...usualNames.user, ...usualNames.item]);

/** In a file without a header the columns are taken in this order. */
const positions = ["user", "item", "rating", "time"];

/** One file and the columns that matter in it. */
interface Input {
  readonly source: TableSource;
  readonly user: string;
  readonly item: string;
  readonly rating: string | undefined;
  readonly time: string | undefined;
}

/**
 * Reads interactions. Rows with a rating below `minRating` are left out and only counted.
 * Throws UserError, naming file and line, for whatever is wrong with the files or their columns.
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
  if (files.length === 0) throw new UserError({ problem: "no file of interactions is given" });
  return withDatabase(
    async (database) => {
      const inputs: Input[] = [];
      for (const file of files) inputs.push(await openInput(file, database, columns, minRating, signal));
      const reader = new Reader(database, sameColumns(inputs), minRating, progress);
      return (await reader.plain(signal)) ?? (await reader.integers()) ?? (await reader.texts());
    },
    { signal, tables: "file" },
  );
}

async function openInput(
  file: string,
  database: Database,
  columns: ReadOptions,
  minRating: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Input> {
  const named = [columns.user, columns.item, columns.rating, columns.time].filter(
    (name) => typeof name === "string",
  );
  const names = new Set([...knownNames, ...named.map(plainName)]);
  const source = await openTable(file, database, columns, { knownNames: names, positions }, signal);
  const find = (role: Role, needed: boolean): string | undefined => {
    const given = columns[role];
    if (given === false) return undefined;
    const wanted: readonly string[] = given === undefined ? usualNames[role] : [given];
    for (const name of wanted) {
      const found =
        source.columns.find((column) => column === name) ??
        source.columns.find((column) => plainName(column) === plainName(name));
      if (found !== undefined) return found;
    }
    if (!needed && given === undefined) return undefined;
    throw new UserError({
      place: file,
      problem: given === undefined ? `no column looks like the ${role}'s` : `there is no column "${given}"`,
      expected: `one of the columns that there are: ${source.columns.join(", ")}`,
      remedy: `Name it with ${flags[role]}`,
    });
  };
  return {
    source,
    user: find("user", true) as string,
    item: find("item", true) as string,
    rating: find("rating", minRating !== undefined),
    time: find("time", false),
  };
}

/** A rating or time that is not in all files is in none. */
function sameColumns(inputs: readonly Input[]): Input[] {
  const rated = inputs.every(({ rating }) => rating !== undefined);
  const timed = inputs.every(({ time }) => time !== undefined);
  return inputs.map((input) => ({
    ...input,
    rating: rated ? input.rating : undefined,
    time: timed ? input.time : undefined,
  }));
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

  /** Plain rows of text, read without DuckDB; undefined where a file is anything else. */
  async plain(signal: AbortSignal | undefined): Promise<Interactions | undefined> {
    const rows = new PlainRows(this.#minRating);
    for (const input of this.#inputs) {
      const { text, columns, file } = input.source;
      if (text === undefined) return undefined;
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
    const { userOf, itemOf, ratingOf, timeOf } = rows.take();
    return this.#coded({ userOf, itemOf, ratingOf, timeOf }, rows.seen);
  }

  /** Ids that are integers in the files' own types (Parquet); undefined where they are not, or do not fit 32 bits. */
  async integers(): Promise<Interactions | undefined> {
    const isInteger = ({ source }: Input, column: string) =>
      /^U?(TINY|SMALL|BIG)?INT(EGER)?$/.test(source.typeOf(column));
    if (!this.#inputs.every((input) => isInteger(input, input.user) && isInteger(input, input.item)))
      return undefined;
    const collector = new Collector(this.#minRating);
    for (const input of this.#inputs) {
      const { source, user, item } = input;
      const id = (column: string) => `TRY_CAST(${source.expression(column)} AS UINTEGER)`;
      const sql = `SELECT ${id(user)}, ${id(item)}, ${numbersOf(input)} FROM ${await source.from()}`;
      if ((await this.#collect(sql, input, collector)) === "id") return undefined;
    }
    return this.#coded(collector.take(), collector.seen);
  }

  /** Rows whose ids are integers, coded. */
  #coded(rows: Rows, seen: number): Interactions {
    this.#refuseEmpty(seen, rows.userOf.length);
    const users = codeIntegers(rows.userOf);
    const items = codeIntegers(rows.itemOf);
    return {
      users: new Vocabulary(Array.from(users, String)),
      items: new Vocabulary(Array.from(items, String)),
      ...this.#present(rows),
      sourceRows: seen,
    };
  }

  /** Ids as text: DuckDB keeps the rows and codes them. */
  async texts(): Promise<Interactions> {
    const database = this.#database;
    await database.run("CREATE TABLE source_rows (u VARCHAR, i VARCHAR, r DOUBLE, t DOUBLE)");
    const ends: number[] = [];
    for (const input of this.#inputs) {
      const { source, user, item } = input;
      const id = (column: string) => `CAST(${source.expression(column)} AS VARCHAR)`;
      const task = `reading ${source.file}`;
      this.#progress({ type: "start", task });
      try {
        await database.run(
          `INSERT INTO source_rows SELECT ${id(user)}, ${id(item)}, ${numbersOf(input)} FROM ${await source.from()}`,
        );
      } catch (error) {
        throw explainReadError(error, source.file);
      }
      ends.push(Number((await database.rows("SELECT count(*) FROM source_rows"))[0][0]));
      this.#progress({ type: "end", task });
    }
    const users = await this.#codeTexts("u", "user_ids");
    const items = await this.#codeTexts("i", "item_ids");
    const collector = new Collector(this.#minRating);
    for (const [place, input] of this.#inputs.entries()) {
      const code = (column: string, type: string) => `enum_code(${column}::${type})::UINTEGER`;
      const problem = await this.#collect(
        `SELECT ${code("u", "user_ids")}, ${code("i", "item_ids")}, r, t FROM source_rows
         WHERE rowid >= ${ends[place - 1] ?? 0} AND rowid < ${ends[place]}`,
        input,
        collector,
      );
      if (problem === "id") throw await this.#missingId(input, collector.seenInFile - 1);
    }
    this.#refuseEmpty(collector.seen, collector.kept);
    return { users, items, ...this.#present(collector.take()), sourceRows: collector.seen };
  }

  /** Makes an ENUM type of the ids in their order, and returns them. */
  async #codeTexts(column: string, type: string): Promise<Vocabulary> {
    const database = this.#database;
    const table = identifier(`${type}_table`);
    await database.run(`CREATE TABLE ${table} AS SELECT DISTINCT ${column} AS id FROM source_rows
      WHERE ${column} IS NOT NULL AND ${column} <> ''`);
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

  /** Streams rows of four columns (user, item, rating, time) into the collector; "id" where one has no id. */
  async #collect(sql: string, input: Input, collector: Collector): Promise<"id" | undefined> {
    const { source } = input;
    const task = `reading ${source.file}`;
    this.#progress({ type: "start", task, unit: "rows" });
    collector.startFile();
    let told = 0;
    try {
      for await (const chunk of this.#database.chunks(sql)) {
        const wrong = collector.add(
          chunk.rows,
          [0, 1, 2, 3].map((column) => chunk.numbers(column)),
          input,
        );
        if (wrong === "id") return "id";
        if (wrong === "rating") throw await this.#wrongRating(input, collector.seenInFile - 1);
        if (collector.seenInFile - told >= 1 << 19) {
          told = collector.seenInFile;
          this.#progress({ type: "advance", task, done: told });
        }
      }
    } catch (error) {
      throw explainReadError(error, source.file);
    } finally {
      this.#progress({ type: "end", task });
    }
    return undefined;
  }

  async #wrongRating({ source, rating }: Input, row: number): Promise<UserError> {
    const text = await this.#valueAt(source, rating as string, row);
    return new UserError({
      place: source.place(row),
      problem:
        text === null || text === ""
          ? `the column "${rating}" is empty`
          : `"${text}" in the column "${rating}" is no number`,
      expected: "a number in every row",
      remedy: "Mend the row, or pass --no-rating to read the file without ratings",
    });
  }

  async #missingId({ source, user, item }: Input, row: number): Promise<UserError> {
    const id = await this.#valueAt(source, user, row);
    const column = id === null || id === "" ? user : item;
    return new UserError({
      place: source.place(row),
      problem: `the column "${column}" is empty`,
      expected: "an id in every row",
    });
  }

  async #valueAt(source: TableSource, column: string, row: number): Promise<string | null> {
    const [found] = await this.#database.rows(
      `SELECT CAST(${source.expression(column)} AS VARCHAR) FROM ${await source.from()} LIMIT 1 OFFSET ${row}`,
    );
    return found?.[0] == null ? null : String(found[0]);
  }

  #refuseEmpty(seen: number, kept: number): void {
    const place = this.#inputs.map(({ source }) => source.file).join(", ");
    if (seen === 0) throw new UserError({ place, problem: "the file has no rows" });
    if (kept === 0)
      throw new UserError({
        place,
        problem: `none of the ${seen} rows has a rating of at least ${this.#minRating}`,
        remedy: "Lower --min-rating",
      });
  }

  #present({ userOf, itemOf, ratingOf, timeOf }: Rows) {
    const [{ rating, time }] = this.#inputs;
    return {
      userOf,
      itemOf,
      ratingOf: rating === undefined ? undefined : ratingOf,
      timeOf: time === undefined ? undefined : timeOf,
    };
  }
}

/** The rating and the time as SQL expressions of type DOUBLE; null = missing or unreadable. */
function numbersOf({ source, rating, time }: Input): string {
  const value = rating === undefined ? "0::DOUBLE" : `TRY_CAST(${source.expression(rating)} AS DOUBLE)`;
  return `${value}, ${time === undefined ? "0::DOUBLE" : timeOf(source, time)}`;
}

function plainColumn(name: string, { user, item, rating, time }: Input): PlainColumn {
  if (name === user) return "user";
  if (name === item) return "item";
  return name === rating ? "rating" : name === time ? "time" : "skip";
}

function timeOf(source: TableSource, column: string): string {
  const text = source.expression(column);
  const seconds = `epoch(TRY_CAST(${text} AS TIMESTAMP))`;
  const isDate = /^(DATE|TIMESTAMP)/.test(source.typeOf(column));
  return isDate ? seconds : `COALESCE(TRY_CAST(${text} AS DOUBLE), ${seconds})`;
}

/** Takes chunks of rows, checks them, and keeps those with a high enough rating. */
class Collector {
  seen = 0;
  seenInFile = 0;
  kept = 0;
  readonly #minRating: number;
  readonly #userOf = new GrowingColumn((length) => new Uint32Array(length));
  readonly #itemOf = new GrowingColumn((length) => new Uint32Array(length));
  readonly #ratingOf = new GrowingColumn((length) => new Float32Array(length));
  readonly #timeOf = new GrowingColumn((length) => new Float64Array(length));

  constructor(minRating: number | undefined) {
    this.#minRating = minRating ?? Number.NEGATIVE_INFINITY;
  }

  startFile(): void {
    this.seenInFile = 0;
  }

  /** Stops at the first row that is wrong, which is then the last one seen. */
  add(
    rows: number,
    [users, items, values, times]: { getItem(row: number): number | null }[],
    { rating, time }: Input,
  ): "id" | "rating" | undefined {
    let wrong: "id" | "rating" | undefined;
    let row = 0;
    for (; row < rows && wrong === undefined; row++) {
      const user = users.getItem(row);
      const item = items.getItem(row);
      const value = values.getItem(row);
      if (user === null || item === null) wrong = "id";
      else if (value === null || !Number.isFinite(value)) wrong = "rating";
      else if (rating === undefined || value >= this.#minRating) {
        this.#userOf.push(user);
        this.#itemOf.push(item);
        if (rating !== undefined) this.#ratingOf.push(value);
        if (time !== undefined) this.#timeOf.push(times.getItem(row) ?? Number.NaN);
        this.kept++;
      }
    }
    this.seen += row;
    this.seenInFile += row;
    return wrong;
  }

  take() {
    return {
      userOf: this.#userOf.take(),
      itemOf: this.#itemOf.take(),
      ratingOf: this.#ratingOf.take(),
      timeOf: this.#timeOf.take(),
    };
  }
}
