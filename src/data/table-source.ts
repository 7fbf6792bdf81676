// Opens an input: a file, whose format is detected from its first bytes, or a query of a database.
// All columns of text files are read as text; the caller decides what they mean (a rating, a time).

import { statSync } from "node:fs";
import { UserError } from "../core/errors.js";
import type { Database } from "./database.js";
import { databaseInput } from "./queries/database-input.js";
import { openQuery, refuseQuery } from "./queries/open-query.js";
import { type FileBytes, openBytes } from "./tables/bytes.js";
import { refuseForeign } from "./tables/foreign.js";
import { openJson } from "./tables/json-table.js";
import { openParquet, openParquetFolder } from "./tables/parquet-table.js";
import type { Expectations, FileOptions, QueryOptions, TableSource } from "./tables/table.js";
import { openText } from "./tables/text-table.js";

export { explainTableError } from "./tables/read-error.js";
export { type FileOptions, plainName, type QueryOptions, type TableSource } from "./tables/table.js";

/**
 * Opens a file, a folder of Parquet files, or a query of a database. Throws UserError if it is missing, empty or not a table, or
 * if its name says another format.
 */
export async function openTable(
  file: string,
  database: Database,
  options: FileOptions & QueryOptions,
  expectations: Expectations,
): Promise<TableSource> {
  const queried = expectations.databases ? databaseInput(file) : undefined;
  if (queried) return openQuery(queried, database, options, expectations);
  const found = statSync(file, { throwIfNoEntry: false });
  // A file that is missing is reported as missing.
  if (found) refuseQuery(file, options, expectations);
  if (found?.isDirectory()) {
    if (options.format === undefined || options.format === "parquet")
      return openParquetFolder(file, database);
    throw new UserError({
      place: file,
      problem: `a folder is read as Parquet, not as ${options.format}`,
      remedy: "Pass its files instead",
    });
  }
  const bytes = await openBytes(file, expectations.signal);
  refuseForeign(file, bytes.head, bytes.gzipped);
  switch (options.format ?? formatOf(bytes)) {
    case "parquet":
      return openParquet(file, database);
    case "json-lines":
      return openJson(bytes, database, options, expectations);
    case "text":
      return openText(bytes, database, options, expectations);
  }
}

function formatOf({ file, head }: FileBytes): NonNullable<FileOptions["format"]> {
  if (head.subarray(0, 4).toString("latin1") === "PAR1") return "parquet";
  const name = file.toLowerCase().replace(/\.gz$/, "");
  if (/\.(jsonl|ndjson|json)$/.test(name)) return "json-lines";
  // With or without a byte order mark, including that of UTF-16.
  const start = head
    .subarray(0, 64)
    .toString("latin1")
    .replace(/^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)/, "")
    .replaceAll("\0", "");
  if (/\.(csv|tsv|tab|dat|data)$/.test(name)) return /^\s*\{\s*"/.test(start) ? "json-lines" : "text";
  return /^\s*[{[]/.test(start) ? "json-lines" : "text";
}
