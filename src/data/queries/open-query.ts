// Opens a query of any database that can be an input.

import { UserError } from "../../core/errors.js";
import type { Database } from "../database.js";
import type { Expectations, FileOptions, QueryOptions, TableSource } from "../tables/table.js";
import type { DatabaseInput } from "./database-input.js";
import { openDuckdb } from "./duckdb.js";
import type { Asked } from "./query.js";
import { queryTable } from "./query-table.js";

/** Throws UserError if the database cannot be read or refuses the query, or if the options are not for databases. */
export async function openQuery(
  input: DatabaseInput,
  database: Database,
  options: FileOptions & QueryOptions,
  expectations: Expectations,
): Promise<TableSource> {
  const { prefix = "", signal, progress } = expectations;
  const shown = input.kind === "postgres" ? input.url.shown : input.path;
  refuseFileOptions(shown, options, prefix);
  const asked = askedOf(shown, options, prefix);
  const lifetime = { prefix, signal, onClose: (close: () => Promise<void>) => database.onClose(close) };
  switch (input.kind) {
    case "postgres": {
      const { openPostgres } = await import("./postgres.js");
      return queryTable(await openPostgres(input.url, asked, lifetime), database, expectations);
    }
    case "sqlite": {
      const { openSqlite } = await import("./sqlite.js");
      return queryTable(openSqlite(input.path, asked, lifetime), database, expectations);
    }
    case "duckdb": {
      const task = `reading ${shown}`;
      progress?.({ type: "start", task });
      try {
        return await openDuckdb(input.path, asked, database, prefix);
      } finally {
        progress?.({ type: "end", task });
      }
    }
  }
}

/** Throws UserError if a query or a table is named for something that is not a database. */
export function refuseQuery(
  file: string,
  { query, table }: QueryOptions,
  { prefix = "" }: Expectations,
): void {
  if (query === undefined && table === undefined) return;
  throw new UserError({
    place: file,
    problem: `--${prefix}${query === undefined ? "table" : "query"} needs a database`,
    expected: "postgres://user@host/database, or a SQLite or DuckDB file",
  });
}

function askedOf(shown: string, { query, table }: QueryOptions, prefix: string): Asked | undefined {
  if (query !== undefined && table !== undefined)
    throw new UserError({
      place: shown,
      problem: `--${prefix}query and --${prefix}table are both given`,
      expected: "one of them",
    });
  if (query?.trim() === "") throw new UserError({ place: `--${prefix}query`, problem: "the query is empty" });
  return query !== undefined ? { query } : table !== undefined ? { table } : undefined;
}

function refuseFileOptions(shown: string, options: FileOptions, prefix: string): void {
  const names = ["format", "delimiter", "header", "columns", "encoding", "quote", "escape"] as const;
  const stray = names.find((name) => options[name] !== undefined);
  if (stray === undefined) return;
  throw new UserError({
    place: `--${prefix}${stray}`,
    problem: `has no meaning for a database (${shown})`,
    remedy: "Remove the option",
  });
}
