// The common interface of input files: named columns as SQL expressions, and the position of each row in the file.

import type { ProgressListener } from "../../core/progress.js";
import type { Database } from "../database.js";

/** How to read a file, if detection is not enough. */
export interface FileOptions {
  format?: "text" | "parquet" | "json-lines";
  /** The delimiter of a text file: ",", "\t", ";", "|", "::" or any other text. */
  delimiter?: string;
  /** Whether the first line names the columns. */
  header?: boolean;
  /** The names of the columns, in order, for a text file without a header. */
  columns?: readonly string[];
  /**
   * The encoding of a text file, by any of its names in the Encoding Standard ("windows-1251", "gbk", "utf-16le"; "latin-1" is
   * windows-1252). Default: that of its byte order mark; UTF-8 if the bytes are valid UTF-8; otherwise windows-1252, with a note.
   */
  encoding?: string;
  /** The character that quotes fields, or "none". Default: ", or "none" if quotation marks in the file are ordinary characters. */
  quote?: string;
  /** The character that escapes a quote or a delimiter, such as "\\". Default: quotes are doubled. */
  escape?: string;
}

/** Which rows of a database to read: exactly one of the two. */
export interface QueryOptions {
  /** One SELECT, in the database's own SQL. */
  query?: string;
  /** The name of a table or view, with its schema if needed: all of its rows. */
  table?: string;
}

/** What the caller expects of a file. */
export interface Expectations {
  /** Plain column names that identify a first line as a header. */
  readonly knownNames: ReadonlySet<string>;
  /** The names given to the columns of a file without a header, in order. */
  readonly positions: readonly string[];
  /** The prefix of the CLI options for this file: "" for --encoding, "items-" for --items-encoding. */
  readonly prefix?: string;
  /** Notified of assumptions that the user should know. */
  readonly progress?: ProgressListener;
  readonly signal?: AbortSignal;
  /** Whether the file may be a database. */
  readonly databases?: boolean;
}

/** A selection of columns. */
export interface Selection {
  /** Columns with any values. */
  readonly columns?: readonly string[];
  /** Columns whose values must be text or whole numbers: objects, lists and fractions are errors that name the row. */
  readonly ids?: readonly string[];
}

/** An opened file, or the result of a query. */
export interface TableSource {
  /** The file, or the database without anything secret. */
  readonly file: string;
  readonly format: "text" | "parquet" | "json-lines" | "query";
  readonly columns: readonly string[];
  /** Whether the column names come from the file (or the caller), not from the columns' positions. */
  readonly named: boolean;
  /** DuckDB's type of a column. */
  typeOf(column: string): string;
  /** The column as an SQL expression over `from`. */
  expression(column: string): string;
  /** The column as ids: SQL for text; whole numbers of any type are in plain notation. */
  id(column: string): string;
  /** SQL for the column as a DOUBLE, null if it is not a number; a decimal comma is accepted if commas are not the delimiter. */
  number(column: string): string;
  /**
   * The table expression for FROM with the selected columns (default: all, none of them ids). Throws UserError, naming file and
   * line, if the file is damaged or a row is not valid. `database`: the database that reads the file, if it is not the one that
   * the file was opened with.
   */
  from(selection?: Selection, database?: Database): Promise<string>;
  /** The number of rows, if the file states it. */
  readonly rows?: number;
  /** After an error of DuckDB: the file of the table that cannot be read, if the table has several. */
  damaged?(): Promise<string | undefined>;
  /** The dialect of a text file; absent for other formats. */
  readonly text?: TextLook;
  /** "file:line" of a row (from 0); call `from` first. */
  place(row: number): string;
  /** A few values of a column, from the beginning of the file. */
  sample(column: string): readonly string[];
}

export interface TextLook {
  readonly delimiter: string;
  readonly header: boolean;
  /** Whether the fast reader of plain rows (plain-rows.ts) can be tried first. */
  readonly isPlain: boolean;
  /** The decompressed text; digits and delimiters are encoded as in UTF-8. Throws UserError if the bytes are damaged. */
  bytes(): AsyncGenerator<Buffer>;
}

/** A column name without case, spaces and punctuation: "User ID" and "user_id" are equal. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/** All columns of a selection, without duplicates. */
export function selected({ columns = [], ids = [] }: Selection): readonly string[] {
  return [...new Set([...ids, ...columns])];
}

/** SQL for text as a DOUBLE, null if it is not a number. (DuckDB would read 5_0 as 50.) */
export function numberInText(text: string): string {
  return `TRY_CAST(CASE WHEN contains(${text}, '_') THEN NULL ELSE ${text} END AS DOUBLE)`;
}
