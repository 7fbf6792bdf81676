// Reads a query of a DuckDB file, which is opened read-only: its rows are copied into the working database with their types.

import { UserError } from "../../core/errors.js";
import { type Database, identifier } from "../database.js";
import type { TableSource } from "../tables/table.js";
import { typedColumns } from "../tables/typed-columns.js";
import {
  type Asked,
  findTable,
  nearest,
  nothingAsked,
  requireDistinct,
  type TableName,
  withoutSemicolon,
  wrongQuery,
} from "./query.js";

/** Opens a query. Throws UserError if the file cannot be read, is locked by another program, or refuses the query. */
export async function openDuckdb(
  path: string,
  asked: Asked | undefined,
  database: Database,
  prefix = "",
): Promise<TableSource> {
  const catalogue = await database.attach(path).catch((error: unknown) => {
    throw explainOpening(error, path);
  });
  const tables = async (): Promise<TableName[]> => {
    const rows = await database.rows(
      `SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = '${catalogue}'
       UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = '${catalogue}' AND NOT internal
       ORDER BY 1, 2`,
    );
    return rows.map(([schema, name]) => ({
      schema: String(schema),
      name: String(name),
      visible: schema === "main",
    }));
  };
  if (asked === undefined) throw nothingAsked(path, "a DuckDB database", prefix, await tables());
  const table = "table" in asked ? findTable(path, asked.table, await tables()) : undefined;
  const query =
    "query" in asked
      ? withoutSemicolon(asked.query)
      : `SELECT * FROM ${identifier(String(table?.schema))}.${identifier(String(table?.name))}`;
  const { from, names } = await database.keep(query, catalogue).catch(async (error: unknown) => {
    throw await explainQuery(error, path, query, tables);
  });
  requireDistinct(path, names);
  const described = await database.rows(
    `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${from})`,
  );
  const [[rows]] = await database.rows(`SELECT count(*) FROM ${from}`);
  if (Number(rows) === 0) throw new UserError({ place: path, problem: "the query has no rows" });
  const typed = typedColumns(path, new Map(described.map(([name, type]) => [String(name), String(type)])));
  const place = (row: number) => `${path}, row ${row + 1}`;
  return {
    file: path,
    format: "query",
    columns: names,
    named: true,
    ...typed.expressions,
    from: async (selection) => {
      await typed.requireIds(selection?.ids ?? [], async (column) => {
        const [found] = await database.rows(
          `SELECT rowid, CAST(${identifier(column)} AS VARCHAR) FROM ${from} WHERE ${typed.isFraction(column)} ORDER BY rowid LIMIT 1`,
        );
        return found && { place: place(Number(found[0])), value: String(found[1]) };
      });
      return from;
    },
    place,
    sample: () => [],
  };
}

function explainOpening(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error.name === "AbortedError") return error;
  const [first] = error.message.split("\n");
  const fail = (problem: string, remedy?: string) =>
    new UserError({ place: path, problem, remedy, cause: error });
  const [, holder = ""] = first.split("Conflicting lock is held in ");
  const [process] = /\(PID \d+\)/.exec(holder) ?? [];
  const owner = process && holder.slice(0, holder.indexOf(process) + process.length);
  if (/Could not set lock|already attached|Unique file handle/i.test(first))
    return fail(
      `the database is locked by another program${owner === undefined ? "" : `: ${owner}`}`,
      "Close that program, or prepare from a copy of the file",
    );
  return fail(`the DuckDB database cannot be opened: ${first}`);
}

async function explainQuery(
  error: unknown,
  path: string,
  query: string,
  tables: () => Promise<TableName[]>,
): Promise<unknown> {
  if (!(error instanceof Error) || error instanceof UserError || error.name === "AbortedError") return error;
  const [first] = error.message.split("\n");
  if (/^(Out of Memory|IO|FATAL|INTERNAL) Error|^Interrupt/i.test(first)) return error;
  const message = first.replace(/^(?:Failed to extract statements: )?\w[\w ]* Error: /, "").replace(/!$/, "");
  const [, name] = /^Table with name (\S+) does not exist/.exec(message) ?? [];
  const [, columns] = /^Candidate bindings: (.+)$/m.exec(error.message) ?? [];
  const remedy =
    name !== undefined ? nearest(name, await tables()) : columns && `Similar columns: ${columns}`;
  return wrongQuery(path, query, message, { at: faultIn(error.message, query) }, remedy);
}

/** The position that DuckDB marks under a line: "LINE 2: select nope from t" and a caret in the next line. */
function faultIn(message: string, query: string): number | undefined {
  const [, heading, line, shown, blanks] = /^(LINE (\d+): )(.*)\n( *)\^/m.exec(message) ?? [];
  if (heading === undefined) return undefined;
  const lines = query.split("\n");
  const text = lines[Number(line) - 1] ?? "";
  // DuckDB shows a part of a long line.
  const column =
    shown === text
      ? blanks.length - heading.length
      : text.indexOf(shown.replaceAll("...", "")) + blanks.length - heading.length;
  const before = lines.slice(0, Number(line) - 1).reduce((sum, { length }) => sum + length + 1, 0);
  return column < 0 ? undefined : before + column;
}
