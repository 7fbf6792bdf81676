// The only module that uses DuckDB: a short-lived database with bounded memory that an abort signal can stop. Results are
// streamed as chunks of columns, so that rows never become JavaScript objects.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve, sep } from "node:path";
import type {
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBType,
  DuckDBValue,
  DuckDBVector,
} from "@duckdb/node-api";
import { AbortedError, throwIfAborted } from "../core/errors.js";
import { isRunning } from "../core/leftovers.js";
import { memoryLimit } from "../core/memory.js";
import { Turns } from "../core/turns.js";
import { databaseFault } from "./database-fault.js";

export interface DatabaseOptions {
  /** DuckDB's memory limit, in its notation; beyond it, data is spilled to a temporary folder. */
  memory?: string;
  /** Where tables are stored: uncompressed in memory, spilled only beyond `memory` (the default), or compressed in a file. */
  tables?: "file" | "memory";
  signal?: AbortSignal;
}

/** The type of a column that is written from JavaScript; `vector`: an array of this many FLOATs. */
export type ColumnType = ScalarType | { readonly vector: number };
export type ScalarType = "UINTEGER" | "FLOAT" | "DOUBLE" | "VARCHAR" | "UTINYINT";

/** Writes a column of a block. */
export interface Setter {
  /** Sets the value of a row. */
  (row: number, value: string | number | ArrayLike<number> | null): void;
  /** Sets the numbers of all rows. */
  all(values: NumberArray): void;
}

/** The numbers of a column without missing values. */
export type NumberArray = Uint8Array | Uint32Array | Float32Array | Float64Array;

/** File formats that DuckDB reads. */
export type FileFormat = "parquet" | "csv" | "json";

/** Runs `work` with a new database, whose files are removed afterwards even if it fails. */
export async function withDatabase<T>(
  work: (database: Database) => Promise<T>,
  { memory = defaultMemory(), tables = "memory", signal }: DatabaseOptions = {},
): Promise<T> {
  throwIfAborted(signal);
  const { DuckDBInstance } = await import("@duckdb/node-api");
  // DuckDB creates its temporary folder only when it needs it, which for small data is never.
  const folder = join(tmpdir(), `${folderPrefix}${process.pid}-${randomBytes(6).toString("hex")}`);
  try {
    if (tables === "file") {
      await removeLeftFolders();
      await mkdir(folder);
    }
    const instance = await DuckDBInstance.create(
      tables === "file" ? join(folder, "work.duckdb") : ":memory:",
      {
        memory_limit: memory,
        temp_directory: tables === "file" ? join(folder, "spill") : folder,
        preserve_insertion_order: "true",
      },
    );
    try {
      return await withConnection(instance, signal, async (connection) => {
        // The file is removed anyway: a checkpoint on closing would only block the event loop.
        if (tables === "file") await connection.run("PRAGMA disable_checkpoint_on_shutdown");
        const database = new Database(instance, connection, signal, `${folder}-scratch`);
        try {
          return await work(database);
        } finally {
          await database.release();
        }
      });
    } catch (error) {
      throw signal?.aborted ? new AbortedError() : error;
    } finally {
      instance.closeSync();
    }
  } catch (error) {
    throw databaseFault(error, folder);
  } finally {
    // What cannot be removed was never created, or is removed by a later run.
    for (const used of [folder, `${folder}-scratch`])
      await rm(used, { recursive: true, force: true }).catch(() => {});
  }
}

/** Runs `work` with a connection, which the signal interrupts. */
async function withConnection<T>(
  instance: DuckDBInstance,
  signal: AbortSignal | undefined,
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const connection = await instance.connect();
  const interrupt = () => connection.interrupt();
  signal?.addEventListener("abort", interrupt);
  try {
    // Timestamps and text without an offset mean the same instant on every machine.
    await connection.run("SET TimeZone = 'UTC'");
    return await work(connection);
  } finally {
    signal?.removeEventListener("abort", interrupt);
    connection.closeSync();
  }
}

/** DuckDB's share of the memory: 800 MB, or a quarter of a smaller limit. DuckDB needs 64 MB. */
function defaultMemory(): string {
  return `${Math.round(Math.max(64e6, Math.min(800e6, memoryLimit() / 4)))}B`;
}

const folderPrefix = "foldin-work-";

/** Removes what killed processes left behind: folders older than a day whose process no longer exists. */
async function removeLeftFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(folderPrefix)) continue;
    const path = join(tmpdir(), name);
    const status = await stat(path).catch(() => undefined);
    const owner = Number(name.slice(folderPrefix.length).split("-")[0]);
    if (status && Date.now() - status.mtimeMs > 86_400_000 && !isRunning(owner))
      await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

export class Database {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #signal: AbortSignal | undefined;
  readonly #scratch: string;
  readonly #closing: (() => Promise<void>)[] = [];
  #scratchFiles = 0;
  #attached = 0;
  #givenRows = 0;

  /** `scratch`: a folder that does not exist yet, for files that are removed with the database. */
  constructor(
    instance: DuckDBInstance,
    connection: DuckDBConnection,
    signal: AbortSignal | undefined,
    scratch: string,
  ) {
    this.#instance = instance;
    this.#connection = connection;
    this.#signal = signal;
    this.#scratch = scratch;
  }

  /** Calls `close` when the work with this database ends. */
  onClose(close: () => Promise<void>): void {
    this.#closing.push(close);
  }

  async release(): Promise<void> {
    for (const close of this.#closing.splice(0)) await close();
  }

  /** Opens a DuckDB file read-only; returns the name of its catalogue. */
  async attach(path: string): Promise<string> {
    const name = `attached_${this.#attached++}`;
    await this.run(`ATTACH ${literal(resolve(path))} AS ${name} (TYPE duckdb, READ_ONLY)`);
    return name;
  }

  /**
   * Stores the result of a query over an attached file in a new table, in the order of the query; returns the table's name, and
   * the names of the query's columns. Throws Error if the text is not one SELECT.
   */
  async keep(query: string, catalogue: string): Promise<{ readonly from: string; readonly names: string[] }> {
    const [[own]] = await this.rows("SELECT current_database()");
    const table = [String(own), "main", `${catalogue}_rows_${this.#scratchFiles++}`]
      .map(identifier)
      .join(".");
    await this.run(`USE ${catalogue}`);
    try {
      const statements = await this.#connection.extractStatements(query);
      if (statements.count !== 1) throw new Error("there is more than one statement");
      const prepared = await statements.prepare(0);
      // The numbers of DuckDB's statement types; SELECT is 1.
      if (prepared.statementType !== 1) throw new Error("the statement is not a SELECT");
      const names = Array.from({ length: prepared.columnCount }, (_, column) => prepared.columnName(column));
      prepared.destroySync();
      await this.run(`CREATE TABLE ${table} AS ${query}\n`);
      return { from: table, names };
    } finally {
      await this.#connection.run(`USE ${identifier(String(own))}`);
    }
  }

  /**
   * The rows of files as a table expression for FROM; `parameters` are those of DuckDB's reader. File names are taken
   * literally (no patterns, no "~", no remote addresses), and a folder called "user=5" becomes a column only with `hive`.
   */
  files(
    format: FileFormat,
    paths: string | readonly string[],
    parameters: readonly string[] = [],
    { hive = false }: { hive?: boolean } = {},
  ): string {
    const all = [this.#fileList([paths].flat()), `hive_partitioning = ${hive}`, ...parameters];
    return `read_${format}(${all.join(", ")})`;
  }

  /** [paths]: the rows of each Parquet file, from its footer. */
  async parquetRows(paths: readonly string[]): Promise<number[]> {
    const found = await this.rows(
      `SELECT file_name, num_rows FROM parquet_file_metadata(${this.#fileList(paths)})`,
    );
    const rowsOf = new Map(found.map(([name, rows]) => [String(name), Number(rows)]));
    return paths.map((path) => rowsOf.get(resolve(path)) ?? 0);
  }

  /** A list of file names, taken literally, as an argument of DuckDB's readers. */
  #fileList(paths: readonly string[]): string {
    return `[${paths.map((path) => literal(this.#nameOf(path))).join(", ")}]`;
  }

  /** Another name for a folder, which is removed with the database. */
  link(folder: string): string {
    const link = this.scratchFile();
    symlinkSync(resolve(folder), link);
    return link;
  }

  /** Writes the rows of a query to a file, whose name is taken literally. `options` are passed to DuckDB's COPY. */
  async copy(select: string, path: string, options?: string): Promise<void> {
    await this.run(copyOf(select, path, options));
  }

  /**
   * Writes `rows` rows to a Parquet file whose name is taken literally, without storing them first. `fill` is called while DuckDB
   * writes, for one block after another, as for `createTable`. `select`: SQL expressions over the columns. Several files can
   * be written at the same time: while DuckDB encodes the rows of one, those of another are filled in.
   */
  async writeRows(
    path: string,
    {
      columns,
      rows,
      fill,
      select = "*",
    }: {
      readonly columns: Readonly<Record<string, ScalarType>>;
      readonly rows: number;
      readonly fill: (from: number, count: number, set: Setter[]) => void;
      readonly select?: string;
    },
  ): Promise<void> {
    const { DuckDBTableFunction, ...types } = await import("@duckdb/node-api");
    const name = `given_rows_${this.#givenRows++}`;
    let from = 0;
    let failure: { readonly error: unknown } | undefined;
    const given = DuckDBTableFunction.create({
      name,
      bindFunction: (bind) => {
        for (const [column, type] of Object.entries(columns)) bind.addResultColumn(column, types[type]);
      },
      initFunction: (init) => init.setMaxThreads(1),
      mainFunction: (info, chunk) => {
        try {
          const count = Math.min(chunkRows, rows - from);
          chunk.rowCount = count;
          if (count === 0) return;
          const vectors = Object.keys(columns).map((_, column) => chunk.getColumnVector(column));
          fill(
            from,
            count,
            vectors.map((vector) => setterOf(vector, (value) => value as DuckDBValue)),
          );
          for (const vector of vectors) vector.flush();
          from += count;
        } catch (error) {
          failure = { error };
          info.setError("the rows cannot be made");
        }
      },
    });
    try {
      await withConnection(this.#instance, this.#signal, async (connection) => {
        connection.registerTableFunction(given);
        throwIfAborted(this.#signal);
        await connection.run(copyOf(`SELECT ${select} FROM ${name}()`, path));
      });
    } catch (error) {
      throw failure ? failure.error : error;
    } finally {
      given.destroySync();
    }
  }

  /** The path of a file that does not exist yet, in a folder that is removed with the database. */
  scratchFile(): string {
    if (!existsSync(this.#scratch)) mkdirSync(this.#scratch);
    return join(this.#scratch, String(this.#scratchFiles++));
  }

  /** A pattern that matches this file alone. */
  #nameOf(path: string): string {
    const whole = resolve(path);
    // In a pattern DuckDB takes a backslash for a path separator, and it cannot be escaped.
    if (sep === "/" && /[[*?]/.test(whole) && whole.includes("\\")) {
      return escaped(this.link(whole));
    }
    return escaped(whole);
  }

  /** Runs a statement. */
  async run(sql: string): Promise<void> {
    throwIfAborted(this.#signal);
    await this.#connection.run(sql);
  }

  /** All rows of a small result. */
  async rows(sql: string): Promise<DuckDBValue[][]> {
    throwIfAborted(this.#signal);
    return (await this.#connection.runAndReadAll(sql)).getRows();
  }

  /**
   * The chunks of a result, in the order of its rows. DuckDB computes the next one while the caller reads the last. Throws
   * DuckDB's error if the query fails, also where DuckDB reports it as the end of the rows.
   */
  async *chunks(sql: string): AsyncGenerator<Chunk> {
    if (yield* this.#chunksUpToEnd(sql)) return;
    // The error is lost. Most queries that fail report it.
    for (let attempt = 0; attempt < 5; attempt++)
      for await (const _ of this.#chunksUpToEnd(sql)) throwIfAborted(this.#signal);
    throw new Error(`DuckDB returned only a part of the rows of ${sql}`);
  }

  /**
   * The chunks of a result; returns whether they are all. If a query fails in another thread while nobody waits for rows, its
   * stream can end like a complete one, without an error. A row after the last one therefore marks the end.
   */
  async *#chunksUpToEnd(sql: string): AsyncGenerator<Chunk, boolean> {
    throwIfAborted(this.#signal);
    const result = await this.#connection.stream(
      `SELECT *, FALSE AS ${END} FROM (${sql}) UNION ALL BY NAME SELECT TRUE AS ${END}`,
    );
    const last = result.columnCount - 1;
    let next = result.fetchChunk();
    try {
      for (;;) {
        const chunk = await next;
        throwIfAborted(this.#signal);
        if (chunk === null || chunk.rowCount === 0) return false;
        next = result.fetchChunk();
        const isEnd = chunk.getColumnVector(last).getItem(chunk.rowCount - 1) === true;
        const rows = chunk.rowCount - (isEnd ? 1 : 0);
        if (rows > 0) yield new Chunk(chunk, rows);
        if (isEnd) return true;
      }
    } finally {
      await next.catch(() => {});
    }
  }

  /**
   * Creates a table with `rows` rows. `fill` is called for one block after another and writes rows [from, from + count) with the
   * columns' setters, whose row numbers start at 0 in each block. It may be asynchronous.
   */
  async createTable(
    table: string,
    columns: Record<string, ColumnType>,
    rows: number,
    fill: (from: number, count: number, set: Setter[]) => void | Promise<void>,
  ): Promise<void> {
    const { ARRAY, arrayValue, DuckDBDataChunk, UINTEGER, FLOAT, DOUBLE, VARCHAR, UTINYINT } = await import(
      "@duckdb/node-api"
    );
    const scalars = { UINTEGER, FLOAT, DOUBLE, VARCHAR, UTINYINT };
    const typeOf = (type: ColumnType): DuckDBType =>
      typeof type === "string" ? scalars[type] : ARRAY(FLOAT, type.vector);
    const types = Object.values(columns).map(typeOf);
    const declared = Object.keys(columns).map((name, c) => `${identifier(name)} ${types[c]}`);
    await this.run(`CREATE TABLE ${identifier(table)} (${declared.join(", ")})`);
    const appender = await this.#connection.createAppender(table);
    const turns = new Turns(this.#signal);
    const width = Object.values(columns).reduce(
      (sum, type) => sum + (typeof type === "string" ? 1 : type.vector),
      0,
    );
    let waiting = 0;
    try {
      for (let from = 0; from < rows; from += chunkRows) {
        // Appending is synchronous.
        if (turns.due) await turns.yield();
        const count = Math.min(chunkRows, rows - from);
        const chunk = DuckDBDataChunk.create(types, count);
        const vectors = types.map((_, column) => chunk.getColumnVector(column));
        await fill(
          from,
          count,
          vectors.map((vector) =>
            setterOf(vector, (value) =>
              typeof value === "object" && value !== null ? arrayValue(Array.from(value)) : value,
            ),
          ),
        );
        for (const vector of vectors) vector.flush();
        if (turns.due) await turns.yield();
        appender.appendDataChunk(chunk);
        // Otherwise DuckDB would store wide rows all at once when the appender is closed.
        waiting += count * width;
        if (waiting < STORED_AT_ONCE) continue;
        if (turns.due) await turns.yield();
        appender.flushSync();
        waiting = 0;
      }
    } finally {
      appender.closeSync();
    }
  }
}

const copyOf = (select: string, path: string, options = "FORMAT parquet"): string =>
  `COPY (${select}) TO ${literal(resolve(path))} (${options})`;

/** The numbers that a vector of DuckDB holds, for copying all at once; undefined if it holds something else. */
function numbersIn(vector: DuckDBVector): NumberArray | undefined {
  const { items } = vector as { items?: unknown };
  const isNumbers =
    items instanceof Uint32Array ||
    items instanceof Float64Array ||
    items instanceof Float32Array ||
    items instanceof Uint8Array;
  return isNumbers ? items : undefined;
}

function setterOf(vector: DuckDBVector, converted: (value: Parameters<Setter>[1]) => DuckDBValue): Setter {
  const one = (row: number, value: Parameters<Setter>[1]) => vector.setItem(row, converted(value));
  const all = (values: NumberArray) => {
    const items = numbersIn(vector);
    if (items?.constructor === values.constructor) items.set(values);
    else for (let row = 0; row < values.length; row++) vector.setItem(row, values[row]);
  };
  return Object.assign(one, { all });
}

/** Values appended to a table before they are stored, which takes a few tens of milliseconds. */
const STORED_AT_ONCE = 2 ** 20;

/** The column that marks the row after the last one. */
const END = '"end of the rows"';

/** Rows per written chunk: DuckDB's vector size. */
const chunkRows = 2048;

/** Some rows of a result, column by column. */
export class Chunk {
  readonly rows: number;
  readonly #chunk: DuckDBDataChunk;

  /** The first `rows` rows of a chunk. */
  constructor(chunk: DuckDBDataChunk, rows: number) {
    this.#chunk = chunk;
    this.rows = rows;
  }

  /** A column of numbers. */
  numbers(column: number): { getItem(row: number): number | null } {
    return this.#chunk.getColumnVector(column) as DuckDBVector<number>;
  }

  /** A column of numbers as an array, valid until the next chunk; undefined if values are missing. */
  plainNumbers(column: number): NumberArray | undefined {
    const vector = this.#chunk.getColumnVector(column);
    const { validity } = vector as { validity?: { data?: BigUint64Array | null } };
    const data = validity?.data;
    if (data === undefined) return undefined;
    for (let word = 0; data && 64 * word < this.rows; word++) {
      const rows = BigInt(Math.min(64, this.rows - 64 * word));
      const all = (1n << rows) - 1n;
      if ((data[word] & all) !== all) return undefined;
    }
    return numbersIn(vector)?.subarray(0, this.rows);
  }

  /** A column of text. */
  texts(column: number): { getItem(row: number): string | null } {
    return this.#chunk.getColumnVector(column) as DuckDBVector<string>;
  }
}

const escaped = (path: string): string => path.replace(/[[*?]/g, "[$&]");

/** Text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as an SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
