// Passes rows that JavaScript has read to DuckDB, as a CSV file in an unambiguous dialect (every field quoted, null = empty,
// LF) in the database's temporary folder.

import { type FileHandle, open } from "node:fs/promises";
import { type Database, literal } from "../database.js";
import { LineMap } from "./line-map.js";

const flushBytes = 1 << 20;
const quote = 34;
const comma = 44;
const LF = 10;
const CR = 13;
const nothing = new Uint8Array(0);

/** A copy of some columns of a source, made for a database. */
export interface Copy {
  readonly database: Database;
  readonly columns: readonly string[];
  /** The columns that were copied as ids. */
  readonly ids: readonly string[];
  readonly from: string;
  readonly lines: LineMap;
}

/** Whether a copy for this database has these columns, with the ids among them. */
export function holds(
  copy: Copy,
  columns: readonly string[],
  ids: readonly string[],
  database: Database,
): boolean {
  return (
    copy.database === database &&
    columns.every((column) => copy.columns.includes(column)) &&
    ids.every((column) => copy.ids.includes(column))
  );
}

export class ScratchTable {
  /** The source line of each row. */
  readonly lines = new LineMap();
  readonly #database: Database;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #names: readonly string[];
  #buffer = Buffer.allocUnsafe(flushBytes * 2);
  #used = 0;
  #rowStart = 0;
  #longestRow = 0;
  #hasLineBreaks = false;

  private constructor(database: Database, path: string, file: FileHandle, names: readonly string[]) {
    this.#database = database;
    this.#path = path;
    this.#file = file;
    this.#names = names;
  }

  /** Creates a table with columns of these names and the rows that `write` adds. */
  static async write(
    database: Database,
    names: readonly string[],
    write: (table: ScratchTable) => Promise<void>,
  ): Promise<ScratchTable> {
    const path = database.scratchFile();
    const file = await open(path, "wx");
    try {
      const table = new ScratchTable(database, path, file, names);
      await write(table);
      await table.#write();
      return table;
    } finally {
      await file.close();
    }
  }

  /** Adds a field to the row: the bytes [start, end). null and an empty field are different. */
  field(bytes: Uint8Array | null, start = 0, end = bytes?.length ?? 0): void {
    if (bytes !== null) {
      // The worst case: every byte is a quote; plus two quotes and a comma.
      this.#reserve((end - start) * 2 + 3);
      const buffer = this.#buffer;
      let used = this.#used;
      buffer[used++] = quote;
      for (let k = start; k < end; k++) {
        const byte = bytes[k];
        if (byte === quote) buffer[used++] = quote;
        else if (byte === LF || byte === CR) this.#hasLineBreaks = true;
        buffer[used++] = byte;
      }
      buffer[used++] = quote;
      this.#used = used;
    } else this.#reserve(1);
    this.#buffer[this.#used++] = comma;
  }

  /** Adds a field of text to the row; null and an empty text are different. */
  text(text: string | null): void {
    const plain = text !== null && text.length < 64 && /^[\x20\x21\x23-\x7e]*$/.test(text);
    if (!plain) {
      this.field(text === null ? null : Buffer.from(text, "utf8"));
      return;
    }
    this.#reserve(text.length + 3);
    const buffer = this.#buffer;
    let used = this.#used;
    buffer[used++] = quote;
    for (let k = 0; k < text.length; k++) buffer[used++] = text.charCodeAt(k);
    buffer[used++] = quote;
    buffer[used++] = comma;
    this.#used = used;
  }

  /** Ends a row that begins in this line of the source. */
  endRow(line: number): void {
    // A row with a single null would be a blank line, which is skipped.
    if (this.#names.length === 1) this.field(nothing);
    this.#buffer[this.#used - 1] = LF;
    this.#longestRow = Math.max(this.#longestRow, this.#used - this.#rowStart);
    this.#rowStart = this.#used;
    this.lines.add(line);
  }

  /** Writes the buffered rows if the buffer is full enough; call it between rows. */
  async flush(): Promise<void> {
    if (this.#used >= flushBytes) await this.#write();
  }

  /** The table expression for FROM. */
  from(): string {
    const names = this.#names.length === 1 ? [...this.#names, "filler"] : this.#names;
    const columns = names.map((name) => `${literal(name)}: 'VARCHAR'`).join(", ");
    // DuckDB sizes its buffers by the longest line; its default is two million bytes.
    const longest = this.#longestRow + 1;
    const sizes = longest < 2_000_000 ? [] : [`max_line_size = ${longest}`, `buffer_size = ${2 * longest}`];
    return this.#database.files("csv", this.#path, [
      ...["auto_detect = false", "header = false", "compression = 'none'", "encoding = 'utf-8'"],
      ...["delim = ','", `quote = '"'`, `escape = '"'`, "new_line = '\\n'"],
      ...["nullstr = ''", "allow_quoted_nulls = false", `parallel = ${!this.#hasLineBreaks}`],
      ...sizes,
      `columns = {${columns}}`,
    ]);
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#used + bytes));
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }

  async #write(): Promise<void> {
    let written = 0;
    while (written < this.#used)
      written += (await this.#file.write(this.#buffer, written, this.#used - written)).bytesWritten;
    this.#used = 0;
    this.#rowStart = 0;
  }
}
