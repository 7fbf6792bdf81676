// What an input file is to those who read it: named columns behind SQL, and the place of each row in the file.

import type { ProgressListener } from "../../core/progress.js";
import type { Database } from "../database.js";

/** How a file is to be understood, where its own looks do not say it. */
export interface FileOptions {
  format?: "text" | "parquet" | "json-lines";
  /** Between the columns of a text file: ",", "\t", ";", "|", "::" or anything else. */
  delimiter?: string;
  /** Whether the first line names the columns. */
  header?: boolean;
  /** The columns' names, in their order, for a text file without a header. */
  columns?: readonly string[];
  /**
   * The encoding of a text file, by any of its names in the Encoding Standard ("windows-1251", "gbk", "utf-16le"; "latin-1" is
   * windows-1252). Default: what its byte order mark says; UTF-8 where the bytes are UTF-8; otherwise windows-1252, with a note.
   */
  encoding?: string;
  /** The character that quotes fields, or "none". Default: ", and "none" where the file's own quotation marks are letters. */
  quote?: string;
  /** The character before a quote (or a delimiter) that makes it a letter, such as "\\". Default: a quote is doubled. */
  escape?: string;
}

/** What the reader of a file is looking for. */
export interface Expectations {
  /** Plain names of columns that mark a first line as a header. */
  readonly knownNames: ReadonlySet<string>;
  /** The names that the columns of a file without a header get, in their order. */
  readonly positions: readonly string[];
  /** What precedes the names of the options for this file: "" for --encoding, "items-" for --items-encoding. */
  readonly prefix?: string;
  /** Hears of assumptions that the person should know. */
  readonly progress?: ProgressListener;
  readonly signal?: AbortSignal;
}

/** Which columns are wanted, and which of them are ids. */
export interface Selection {
  /** Columns as they stand. */
  readonly columns?: readonly string[];
  /** Columns whose values must be text or whole numbers: objects, lists and fractions are refused with their place. */
  readonly ids?: readonly string[];
}

/** A file that is ready to be read. */
export interface TableSource {
  readonly file: string;
  readonly format: "text" | "parquet" | "json-lines";
  readonly columns: readonly string[];
  /** Whether the names come from the file itself, and not from the columns' places. */
  readonly named: boolean;
  /** The type of a column, as DuckDB names it. */
  typeOf(column: string): string;
  /** The column as an SQL expression over `from`. */
  expression(column: string): string;
  /** The column as text that identifies something: a whole number in plain notation, whatever its type. */
  id(column: string): string;
  /** The column as a DOUBLE, null where it holds no number; a decimal comma is understood where commas do not separate. */
  number(column: string): string;
  /**
   * What stands behind FROM, for the wanted columns (default: all, none of them ids). Throws UserError, naming file and line,
   * where the file is damaged or its rows are not what they should be. `database`: the one that is to read it, where that is
   * not the one that the file was opened with.
   */
  from(selection?: Selection, database?: Database): Promise<string>;
  /** How the lines of a text file look; absent for other formats. */
  readonly text?: TextLook;
  /** "file:line" of the row with this number, from 0; of a file that `from` has been asked for. */
  place(row: number): string;
  /** A few values of a column, from the beginning of the file. */
  sample(column: string): readonly string[];
}

export interface TextLook {
  readonly delimiter: string;
  readonly header: boolean;
  /** Whether a faster reader, of digits and this delimiter alone, may try it first. */
  readonly isPlain: boolean;
  /** The text, unzipped, its digits and delimiters as in UTF-8. Throws UserError where the bytes are damaged. */
  bytes(): AsyncGenerator<Buffer>;
}

/** A column's name without case, spaces and punctuation: "User ID" and "user_id" are the same. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

/** All columns that a selection names, each once. */
export function selected({ columns = [], ids = [] }: Selection): readonly string[] {
  return [...new Set([...ids, ...columns])];
}

/** Text as a DOUBLE in SQL, null where it is not a number. (DuckDB would read 5_0 as 50.) */
export function numberInText(text: string): string {
  return `TRY_CAST(CASE WHEN contains(${text}, '_') THEN NULL ELSE ${text} END AS DOUBLE)`;
}
