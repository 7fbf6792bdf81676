// Recognises inputs that are databases: URLs of PostgreSQL, SQLite files and DuckDB files.

import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { UserError } from "../../core/errors.js";
import { isPostgresUrl, type PostgresUrl, parsePostgresUrl } from "../../core/postgres-url.js";

export type DatabaseInput =
  | { readonly kind: "postgres"; readonly url: PostgresUrl }
  | { readonly kind: "sqlite" | "duckdb"; readonly path: string };

/** The database that an input names; undefined if it is something else. Throws UserError for a malformed URL. */
export function databaseInput(input: string): DatabaseInput | undefined {
  const foreign =
    /^\s*(?:jdbc:)?(mysql|mariadb|sqlserver|mssql|oracle|mongodb(?:\+srv)?|redis|clickhouse|snowflake|libsql):\/\//i.exec(
      input,
    );
  if (foreign)
    throw new UserError({
      problem: `${foreign[1].toLowerCase()}:// databases are not supported`,
      expected: "postgres://user@host/database, or a SQLite or DuckDB file",
      remedy: "Export the rows to CSV or Parquet",
    });
  if (isPostgresUrl(input)) {
    const place = "the database";
    const expected = "postgres://user:password@host:port/database";
    return { kind: "postgres", url: parsePostgresUrl(input, { place, expected }) };
  }
  const head = firstBytes(input);
  if (head.startsWith("SQLite format 3\0")) return { kind: "sqlite", path: input };
  if (head.slice(8, 12) === "DUCK") return { kind: "duckdb", path: input };
  return undefined;
}

/** The first 20 bytes of a regular file as latin-1; empty if it cannot be read, which its reader will report. */
export function firstBytes(path: string): string {
  let file: number | undefined;
  try {
    // Opening a pipe would wait for its writer.
    if (!statSync(path).isFile()) return "";
    file = openSync(path, "r");
    const bytes = Buffer.alloc(20);
    return bytes.toString("latin1", 0, readSync(file, bytes, 0, 20, 0));
  } catch {
    return "";
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** An input as shown in messages and manifests: a file as given, a URL without anything secret. */
export function shownInput(input: string): string {
  const found = isPostgresUrl(input) ? databaseInput(input) : undefined;
  return found?.kind === "postgres" ? found.url.shown : input;
}

/** The short name of an input: a file's name without its folder, a URL without anything secret. */
export const shortInput = (input: string): string =>
  isPostgresUrl(input) ? shownInput(input) : basename(input);

/** A name for the data of an input: that of the file without its endings, or of the database. */
export function nameOfInput(input: string): string {
  const found = isPostgresUrl(input) ? databaseInput(input) : undefined;
  return (found?.kind === "postgres" ? found.url.database : undefined) ?? basename(input).split(".")[0];
}
