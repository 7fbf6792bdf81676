// One input file as DuckDB should see it: its format, delimiter, header and columns, found by looking at its first bytes.
// Text columns are all read as text here; what they mean (a rating, a time) is decided by whoever reads them.

import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { createGunzip, gunzipSync, constants as zlib } from "node:zlib";
import { throwIfAborted, UserError } from "../core/errors.js";
import { type Database, literal } from "./database.js";

/** How a file is to be understood, where its own looks do not say it. */
export interface FileOptions {
  format?: "text" | "parquet" | "json-lines";
  /** Between the columns of a text file: ",", "\t", ";", "|" or "::". */
  delimiter?: string;
  /** Whether the first line names the columns. */
  header?: boolean;
  /** The columns' names, in their order, for a text file without a header. */
  columns?: readonly string[];
  /** Default: UTF-8 where the bytes are UTF-8, latin-1 otherwise. */
  encoding?: "utf-8" | "latin-1";
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
  /** What stands behind FROM. Throws UserError where the file's bytes turn out to be damaged. */
  from(): Promise<string>;
  /** How the lines of a text file look; absent for other formats. */
  readonly text?: TextLook;
  /** "file:line" of the row with this number, from 0 (a line number counts lines, so a quoted line break before it shifts it). */
  place(row: number): string;
  /** A few values of a column, from the beginning of the file. */
  sample(column: string): readonly string[];
}

export interface TextLook {
  readonly delimiter: string;
  readonly header: boolean;
  /** The bytes of the file, unzipped. Throws UserError where the gzip data is damaged. */
  bytes(): AsyncGenerator<Buffer>;
}

/**
 * Looks at a file. `knownNames` are column names that mark a first line as a header; `positions` are the names that the
 * columns of a file without one get. Throws UserError for a file that is missing, empty, or not what its name says.
 */
export async function openTable(
  file: string,
  database: Database,
  options: FileOptions,
  { knownNames, positions }: { knownNames: ReadonlySet<string>; positions: readonly string[] },
  signal?: AbortSignal,
): Promise<TableSource> {
  const head = await readHead(file);
  switch (options.format ?? formatOf(file, head)) {
    case "parquet":
      return parquetSource(file, database);
    case "json-lines":
      // DuckDB reads what there is of a gzip file that is cut short; this does not.
      if (!(await isUtf8File(file, head, signal)))
        throw new UserError({ place: file, problem: "the file is not UTF-8, as JSON must be" });
      return jsonSource(file, head, database);
    case "text":
      return textSource(file, head, database, options, knownNames, positions, signal);
  }
}

/** A column's name without case, spaces and punctuation: "User ID" and "user_id" are the same. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

interface Head {
  readonly bytes: Buffer;
  readonly gzipped: boolean;
  /** Whether the bytes are all of the file. */
  readonly whole: boolean;
}

const headBytes = 1 << 18;

async function readHead(file: string): Promise<Head> {
  const size = await sizeOf(file);
  if (size === 0) throw new UserError({ place: file, problem: "the file is empty" });
  const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
    throw new UserError({ place: file, problem: `the file cannot be read (${error.code})`, cause: error });
  });
  let bytes: Buffer;
  try {
    const buffer = Buffer.alloc(Math.min(size, headBytes));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    bytes = buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!gzipped) return { bytes, gzipped, whole: bytes.length === size };
  try {
    const whole = bytes.length === size;
    // Of a large file only the beginning is there: then the end of the stream may be missing.
    const inflated = gunzipSync(bytes, { finishFlush: whole ? zlib.Z_FINISH : zlib.Z_SYNC_FLUSH });
    if (inflated.length === 0) throw new UserError({ place: file, problem: "the file is empty" });
    return { bytes: inflated, gzipped, whole };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw damagedGzip(file, error);
  }
}

function damagedGzip(file: string, cause: unknown): UserError {
  return new UserError({
    place: file,
    problem: "the gzip data is damaged, or the file is cut short",
    remedy: "Get the file again",
    cause,
  });
}

async function sizeOf(file: string): Promise<number> {
  const status = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR")
      throw new UserError({ place: file, problem: "there is no such file" });
    throw new UserError({ place: file, problem: `the file cannot be read (${error.code})`, cause: error });
  });
  if (!status.isFile())
    throw new UserError({ place: file, problem: "this is not a file", expected: "a file of interactions" });
  return status.size;
}

function formatOf(file: string, head: Head): TableSource["format"] {
  if (head.bytes.subarray(0, 4).toString("latin1") === "PAR1") return "parquet";
  const name = file.toLowerCase().replace(/\.gz$/, "");
  if (/\.(parquet|pq)$/.test(name)) return "parquet";
  if (/\.(jsonl|ndjson|json)$/.test(name)) return "json-lines";
  return /^\s*[{[]/.test(head.bytes.subarray(0, 64).toString("latin1")) ? "json-lines" : "text";
}

async function parquetSource(file: string, database: Database): Promise<TableSource> {
  const from = database.files("parquet", file);
  let described: unknown[][];
  try {
    described = await database.rows(`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${from})`);
  } catch (error) {
    throw explainReadError(error, file);
  }
  const types = new Map(described.map(([name, type]) => [String(name), String(type)]));
  return {
    file,
    format: "parquet",
    columns: [...types.keys()],
    named: true,
    typeOf: (column) => types.get(column) ?? "VARCHAR",
    expression: (column) => `"${column.replaceAll('"', '""')}"`,
    from: async () => from,
    place: (row) => `${file}, row ${row + 1}`,
    sample: () => [],
  };
}

function jsonSource(file: string, head: Head, database: Database): TableSource {
  if (/^\s*\[/.test(head.bytes.subarray(0, 64).toString("latin1")))
    throw new UserError({ place: file, problem: "this is a JSON array", expected: "one JSON object a line" });
  const records: Record<string, unknown>[] = [];
  const lines = completeLines(head).slice(0, 100);
  lines.forEach((line, index) => {
    if (line.trim() === "") return;
    try {
      const record: unknown = JSON.parse(line);
      if (typeof record !== "object" || record === null || Array.isArray(record)) throw new TypeError();
      records.push(record as Record<string, unknown>);
    } catch (error) {
      throw new UserError({
        place: `${file}:${index + 1}`,
        problem: "the line is no JSON object",
        expected: "one JSON object a line",
        cause: error,
      });
    }
  });
  const columns = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const declared = columns.map((name) => `${literal(name)}: 'VARCHAR'`).join(", ");
  return {
    file,
    format: "json-lines",
    columns,
    named: true,
    typeOf: () => "VARCHAR",
    expression: (column) => `"${column.replaceAll('"', '""')}"`,
    from: async () =>
      database.files("json", file, ["format = 'newline_delimited'", `columns = {${declared}}`]),
    place: (row) => `${file}:${row + 1}`,
    sample: (column) => records.flatMap((record) => (column in record ? [String(record[column])] : [])),
  };
}

function textSource(
  file: string,
  head: Head,
  database: Database,
  options: FileOptions,
  knownNames: ReadonlySet<string>,
  positions: readonly string[],
  signal: AbortSignal | undefined,
): TableSource {
  const lines = completeLines(head, options.encoding === "latin-1" || !isUtf8Head(head) ? "latin1" : "utf8");
  const firstLine = lines.find((line) => line.trim() !== "");
  if (firstLine === undefined) throw new UserError({ place: file, problem: "the file has no rows" });
  const delimiter = options.delimiter ?? delimiterOf(file, firstLine);
  // Only comma-separated files and their kin quote; in "::" and "|" files a quotation mark is a letter.
  const quoted = delimiter.length === 1 && delimiter !== "|";
  const fields = splitLine(firstLine, delimiter, quoted);
  const header = options.header ?? (options.columns === undefined && looksLikeHeader(fields, knownNames));
  const names = header
    ? fields.map((name, place) => (name.trim() === "" ? `column${place + 1}` : name.trim()))
    : fields.map((_, place) => options.columns?.[place] ?? positions[place] ?? `column${place + 1}`);
  const twice = names.find((name, place) => names.indexOf(name) < place);
  if (twice !== undefined)
    throw new UserError({ place: `${file}:1`, problem: `two columns are called "${twice}"` });
  if (options.columns && !header && options.columns.length > fields.length)
    throw new UserError({
      place: `${file}:1`,
      problem: `the line has ${fields.length} columns`,
      expected: `${options.columns.length} (${options.columns.join(", ")})`,
    });
  const declared = names.map((_, place) => `'c${place}': 'VARCHAR'`).join(", ");
  const quote = quoted ? literal('"') : "''";
  const sampled = lines
    .slice(header ? 1 : 0, 100)
    .filter((line) => line !== "")
    .map((line) => splitLine(line, delimiter, quoted));
  return {
    file,
    format: "text",
    columns: names,
    named: header || options.columns !== undefined,
    typeOf: () => "VARCHAR",
    expression: (column) => `c${names.indexOf(column)}`,
    from: async () => {
      const encoding = options.encoding ?? ((await isUtf8File(file, head, signal)) ? "utf-8" : "latin-1");
      return database.files("csv", file, [
        "auto_detect = false",
        `header = ${header}`,
        `delim = ${literal(delimiter)}`,
        `quote = ${quote}`,
        `escape = ${quote}`,
        `compression = '${head.gzipped ? "gzip" : "none"}'`,
        `encoding = '${encoding}'`,
        `columns = {${declared}}`,
      ]);
    },
    text: { delimiter, header, bytes: () => bytesOf(file, head, signal) },
    place: (row) => `${file}:${row + 1 + (header ? 1 : 0)}`,
    sample: (column) => sampled.flatMap((row) => row[names.indexOf(column)] ?? []),
  };
}

function completeLines(head: Head, encoding: BufferEncoding = "utf8"): string[] {
  const lines = head.bytes
    .toString(encoding)
    .replace(/^\ufeff/, "")
    .split(/\r?\n/);
  if (!head.whole && lines.length > 1) lines.pop();
  return lines;
}

function delimiterOf(file: string, line: string): string {
  const count = (delimiter: string) => line.split(delimiter).length - 1;
  const name = file.toLowerCase().replace(/\.gz$/, "");
  if (name.endsWith(".csv") && count(",") > 0) return ",";
  if (count("\t") > 0) return "\t";
  if (name.endsWith(".dat") && count("::") > 0) return "::";
  const candidates = ["::", ",", ";", "|"];
  return candidates.reduce((best, next) => (count(next) > count(best) ? next : best), ",");
}

function splitLine(line: string, delimiter: string, quoted: boolean): string[] {
  if (!quoted || !line.includes('"')) return line.split(delimiter);
  const fields: string[] = [];
  let field = "";
  let inside = false;
  for (let place = 0; place < line.length; place++) {
    const letter = line[place];
    if (letter === '"') {
      if (inside && line[place + 1] === '"') field += line[++place];
      else inside = !inside;
    } else if (letter === delimiter && !inside) {
      fields.push(field);
      field = "";
    } else field += letter;
  }
  return [...fields, field];
}

/** A header names a column that we know, or at least holds no number. */
function looksLikeHeader(fields: readonly string[], knownNames: ReadonlySet<string>): boolean {
  if (fields.some((field) => knownNames.has(plainName(field)))) return true;
  return !fields.some((field) => /^\s*[-+]?\d+(\.\d+)?\s*$/.test(field));
}

/** The bytes of a file, unzipped, piece by piece. */
async function* bytesOf(file: string, head: Head, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  if (head.whole) {
    yield head.bytes;
    return;
  }
  const raw = createReadStream(file, { highWaterMark: 1 << 20 });
  const stream = head.gzipped ? raw.pipe(createGunzip({ chunkSize: 1 << 20 })) : raw;
  raw.on("error", (error) => stream.destroy(error));
  try {
    for await (const piece of stream) {
      throwIfAborted(signal);
      yield piece as Buffer;
    }
  } catch (error) {
    const ofZlib = error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
    throw ofZlib ? damagedGzip(file, error) : error;
  } finally {
    raw.destroy();
  }
}

/** Whether all of a file is UTF-8. (DuckDB must not find out by itself: an invalid byte takes its whole database down.) */
async function isUtf8File(file: string, head: Head, signal: AbortSignal | undefined): Promise<boolean> {
  let rest = Buffer.alloc(0);
  for await (const piece of bytesOf(file, head, signal)) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    const cut = lastWholeCharacter(bytes);
    if (!isUtf8(bytes.subarray(0, cut))) return false;
    rest = Buffer.from(bytes.subarray(cut));
  }
  return isUtf8(rest);
}

const isUtf8Head = ({ bytes, whole }: Head): boolean =>
  isUtf8(whole ? bytes : bytes.subarray(0, lastWholeCharacter(bytes)));

/** Where the last character that may be cut off begins; the length where none is. */
function lastWholeCharacter(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(4, bytes.length); back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

/** What DuckDB says about a file, as a UserError that names the line; other errors come back as they are. */
export function explainReadError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || error.name === "AbortedError" || error instanceof UserError) return error;
  const text = error.message;
  const line = /CSV Error on Line: (\d+)/.exec(text)?.[1] ?? /in line (\d+)/.exec(text)?.[1];
  const place = line === undefined ? file : `${file}:${line}`;
  const fail = (problem: string, expected?: string) =>
    new UserError({ place, problem, expected, cause: error });
  const ragged = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(text);
  if (ragged)
    return fail(
      `the row has ${ragged[2]} ${ragged[2] === "1" ? "column" : "columns"}`,
      `${ragged[1]}, as in the first line`,
    );
  if (text.includes("unterminated quote")) return fail("a quotation mark is opened and never closed");
  if (text.includes("Maximum line size")) return fail("the line is longer than 2,000,000 bytes");
  if (text.includes("Malformed JSON")) return fail("the line is no JSON object", "one JSON object a line");
  if (/CSV Error|Invalid Input Error|IO Error|Conversion Error|Invalid Error/.test(text))
    return fail(`the file cannot be read: ${text.split("\n")[0]}`);
  return error;
}
