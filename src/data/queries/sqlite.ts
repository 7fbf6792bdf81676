// Streams a query of a SQLite file, which is opened read-only. SQLite has types for values, not for columns: a column is read as
// text, in which whole numbers have all of their digits.

import { accessSync, constants, existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import Sqlite from "libsql";
import { UserError } from "../../core/errors.js";
import { Turns } from "../../core/turns.js";
import { identifier } from "../database.js";
import { wholeNumber } from "../tables/json-values.js";
import { idExpected } from "../tables/typed-columns.js";
import { firstBytes } from "./database-input.js";
import {
  type Asked,
  bytesAsText,
  CellFault,
  findTable,
  nearest,
  nothingAsked,
  onlyPlaceOf,
  type Query,
  type QueryColumn,
  type TableName,
  withoutSemicolon,
  wrongQuery,
} from "./query.js";

/** Milliseconds to wait for a program that writes to the file. */
const BUSY_TIMEOUT = 5_000;
const HEAD_ROWS = 100;
const BLOCK_ROWS = 1_000;

type Value = bigint | number | string | Uint8Array | null;

export interface SqliteOptions {
  readonly prefix?: string;
  readonly signal?: AbortSignal;
  /** Registers a cleanup that runs when the query is no longer needed. */
  readonly onClose: (close: () => Promise<void>) => void;
}

/** Opens a query. Throws UserError if the file cannot be read, is locked by another program, or refuses the query. */
export function openSqlite(
  path: string,
  asked: Asked | undefined,
  { prefix = "", signal, onClose }: SqliteOptions,
): Query<Value> {
  const database = open(path);
  onClose(async () => void database.close());
  if (asked === undefined) throw nothingAsked(path, "a SQLite database", prefix, tablesOf(database));
  const query =
    "query" in asked
      ? withoutSemicolon(asked.query)
      : `SELECT * FROM ${identifier(tableNamed(path, asked.table, database).name)}`;
  const failed = (error: unknown) => explain(error, path, query, database);
  try {
    // SQLite would ignore what follows the first statement.
    database.prepare(`SELECT * FROM (${query}\n)`);
  } catch (error) {
    throw failed(soleFault(query, database) ?? error);
  }
  const iterate = () => statement.iterate() as IterableIterator<Value[]>;
  let statement: Sqlite.Statement<[]>;
  let columns: QueryColumn[];
  let iterator: IterableIterator<Value[]>;
  let head: Value[][];
  try {
    statement = database.prepare<[]>(query).raw().safeIntegers();
    columns = statement.columns().map(({ name }) => ({ name, type: "VARCHAR" }));
    iterator = iterate();
    head = blockOf(iterator, HEAD_ROWS);
  } catch (error) {
    throw failed(error);
  }
  let isUsed = false;
  return {
    shown: path,
    columns,
    head,
    async *rows() {
      const turns = new Turns(signal);
      try {
        if (isUsed) iterator = iterate();
        else yield head;
        isUsed = true;
        for (;;) {
          const block = blockOf(iterator, BLOCK_ROWS);
          if (block.length === 0) return;
          yield block;
          if (turns.due) await turns.yield();
        }
      } catch (error) {
        throw failed(error);
      }
    },
    text: textOf,
  };
}

function open(path: string): Sqlite.Database {
  const file = `${pathToFileURL(resolve(path)).href}?mode=ro`;
  try {
    // SQLite puts the log of a file in WAL mode next to it. Where that is not possible and there is none, nobody writes to it.
    const immutable = usesLog(path) && !existsSync(`${path}-wal`) && !isWritable(dirname(resolve(path)));
    const database = new Sqlite(immutable ? `${file}&immutable=1` : file);
    database.pragma(`busy_timeout = ${BUSY_TIMEOUT}`);
    return database;
  } catch (error) {
    const [, code = ""] = /: (\d+)"\)?$/.exec(error instanceof Error ? error.message : "") ?? [];
    throw new UserError({
      place: path,
      problem: `the SQLite database cannot be opened${code === "14" ? "" : `: ${messageOf(error)}`}`,
      remedy: "Check its permissions and those of its folder",
    });
  }
}

/** Whether a file is in WAL mode, by its header (section 1.3 of SQLite's file format). */
const usesLog = (path: string): boolean => firstBytes(path).slice(18, 20).includes("\x02");

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function blockOf(rows: Iterator<Value[]>, most: number): Value[][] {
  const block: Value[][] = [];
  while (block.length < most) {
    const { done, value } = rows.next();
    if (done) break;
    block.push(value);
  }
  return block;
}

function tablesOf(database: Sqlite.Database): TableName[] {
  try {
    const sql =
      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1";
    return (database.prepare(sql).raw().all() as [string][]).map(([name]) => ({ name, visible: true }));
  } catch {
    return [];
  }
}

function tableNamed(path: string, wanted: string, database: Sqlite.Database): TableName {
  try {
    database.prepare("SELECT 1 FROM sqlite_schema").get();
  } catch (error) {
    throw explain(error, path, "", database);
  }
  return findTable(path, wanted, tablesOf(database));
}

/** The error of a query that is refused by itself too; undefined if only its use in a larger query is. */
function soleFault(query: string, database: Sqlite.Database): unknown {
  try {
    const { reader } = database.prepare(query);
    return new Error(
      reader
        ? "there is more than one statement, or the statement is not a SELECT"
        : "the statement is not a SELECT",
    );
  } catch (error) {
    return error;
  }
}

function explain(error: unknown, path: string, query: string, database: Sqlite.Database): unknown {
  if (!(error instanceof Error) || error instanceof UserError || error.name === "AbortedError") return error;
  const message = messageOf(error);
  const fail = (problem: string, remedy?: string) =>
    new UserError({ place: path, problem, remedy, cause: error });
  if (/locked|SQLITE_BUSY/.test(message))
    return fail(
      "the database is locked by another program",
      "Close that program, or prepare from a copy of the file",
    );
  if (/file is not a database|malformed|file is encrypted/.test(message))
    return fail(`the SQLite database is damaged or encrypted: ${message}`);
  if (/unable to open database file/.test(message))
    return fail("the SQLite database cannot be opened", "Check its permissions and those of its folder");
  if (/disk I\/O error/.test(message)) return fail(`the file cannot be read: ${message}`, "Check the disk");
  const [, table] = /^no such table: (?:main\.)?(.+)$/.exec(message) ?? [];
  const [, named] = /^(?:near "|no such (?:table|column|function): )(.+)$/.exec(message) ?? [];
  // near "word": syntax error
  const word = named?.split('": ')[0];
  const at = word === undefined ? undefined : onlyPlaceOf(word, query);
  const remedy = table === undefined ? undefined : nearest(table, tablesOf(database));
  return wrongQuery(path, query, message, { at }, remedy);
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0];
}

function textOf(value: Value, _column: QueryColumn, id: boolean): string | null {
  if (value === null) return null;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") {
    const whole = wholeNumber(String(value));
    if (id && whole === undefined) throw new CellFault(`holds the number ${value}`, idExpected);
    return whole ?? String(value);
  }
  return typeof value === "string" ? value : bytesAsText(value);
}
