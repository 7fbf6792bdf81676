// Delimited text files: CSV and similar. The dialect is detected from the beginning of the file or given by options. All rows
// are checked against it here, and DuckDB reads an unambiguous copy.

import { throwIfAborted, UserError } from "../../core/errors.js";
import type { Database } from "../database.js";
import type { FileBytes } from "./bytes.js";
import { delimiterOf, firstLines, hasBlanksAround, looksLikeHeader } from "./dialect.js";
import { QuotingEvidence } from "./quoting.js";
import {
  type Dialect,
  escapedField,
  type Fields,
  fieldBytes,
  longestRow,
  RowFault,
  RowSplitter,
  splitRows,
} from "./rows.js";
import { type Copy, holds, ScratchTable } from "./scratch-table.js";
import {
  type Expectations,
  type FileOptions,
  numberInText,
  type Selection,
  selected,
  type TableSource,
  type TextLook,
} from "./table.js";
import { TextEncoding } from "./text-encoding.js";

const quoteByte = 34;
const sampledRows = 100;

/** Opens a text file. Throws UserError if its beginning contradicts the options or is not a table. */
export function openText(
  bytes: FileBytes,
  database: Database,
  options: FileOptions,
  expectations: Expectations,
): TableSource {
  return new TextTable(bytes, database, options, expectations);
}

class TextTable implements TableSource {
  readonly file: string;
  readonly format = "text";
  readonly columns: readonly string[];
  readonly named: boolean;
  readonly text: TextLook;
  readonly #database: Database;
  readonly #encoding: TextEncoding;
  readonly #prefix: string;
  readonly #signal: AbortSignal | undefined;
  readonly #delimiter: string;
  readonly #dialect: Dialect;
  /** Whether the caller has set the quote character. */
  readonly #quoteGiven: boolean;
  readonly #header: boolean;
  /** Lines before the first row or header: Excel's "sep=;". */
  readonly #preamble: boolean;
  readonly #samples: readonly (readonly string[])[];
  #table: Copy | undefined;
  /** Whether quotation marks are ordinary characters; undefined until it is decided. */
  #unquoted: boolean | undefined;

  constructor(bytes: FileBytes, database: Database, options: FileOptions, expectations: Expectations) {
    const { file, whole } = bytes;
    const { knownNames, positions, prefix = "", progress, signal } = expectations;
    this.file = file;
    this.#database = database;
    this.#prefix = prefix;
    this.#signal = signal;
    const note = (text: string) => progress?.({ type: "note", text });
    this.#encoding = new TextEncoding(bytes, options.encoding, this.#option("encoding"), note);
    const head = this.#encoding.head();
    const preamble = /^sep=([^\r\n])(?:\r\n|\n|\r)/i.exec(head);
    this.#preamble = preamble !== null;
    const lines = firstLines(preamble === null ? head : head.slice(preamble[0].length), whole);
    if (lines.length === 0) throw new UserError({ place: file, problem: "the file has no rows" });
    requireText(file, lines, options.delimiter);
    const quote = this.#single(options.quote, "quote");
    const escaping = this.#single(options.escape, "escape");
    this.#quoteGiven = quote !== undefined;
    const quoteCharacter = quote === "none" ? undefined : (quote ?? '"');
    this.#delimiter = this.#checked(
      options.delimiter ?? preamble?.[1] ?? delimiterOf(file, lines, quoteCharacter, knownNames),
      quoteCharacter,
    );
    this.#dialect = {
      delimiter: Buffer.from(this.#delimiter),
      quote: quoteCharacter?.charCodeAt(0),
      // A doubled quote is always accepted.
      escape: escaping === "none" || escaping === quoteCharacter ? undefined : escaping?.charCodeAt(0),
      trim: hasBlanksAround(lines, this.#delimiter),
    };
    const rows = this.#headRows(Buffer.from(head), whole);
    const [first] = rows;
    this.#header =
      options.header ?? (options.columns === undefined && looksLikeHeader(first.fields, knownNames));
    this.columns = this.#header
      ? first.fields.map((name, place) => (name.trim() === "" ? `column${place + 1}` : name.trim()))
      : first.fields.map((_, place) => options.columns?.[place] ?? positions[place] ?? `column${place + 1}`);
    this.named = this.#header || options.columns !== undefined;
    this.#requireNames(options.columns, first);
    this.#samples = rows.slice(this.#header ? 1 : 0).map(({ fields }) => fields);
    const isPlain =
      !this.#dialect.trim &&
      this.#dialect.escape === undefined &&
      (quote === undefined || quote === '"' || quote === "none") &&
      first.line === 1 &&
      first.lines === 1 &&
      /^[\x20-\x7e\t]{1,2}$/.test(this.#delimiter);
    this.text = {
      delimiter: this.#delimiter,
      header: this.#header,
      isPlain,
      bytes: () => this.#encoding.unchecked(signal),
    };
  }

  typeOf(): string {
    return "VARCHAR";
  }

  expression(column: string): string {
    return `c${this.columns.indexOf(column)}`;
  }

  id(column: string): string {
    return this.expression(column);
  }

  number(column: string): string {
    const text = this.expression(column);
    const number = numberInText(text);
    if (this.#delimiter === ",") return number;
    // "1,234" may be 1.234 or 1234, so a comma before exactly three digits is not accepted as a decimal comma.
    const isComma = `regexp_full_match(${text}, '\\s*[-+]?[0-9]+,([0-9]{1,2}|[0-9]{4,})\\s*')`;
    return `COALESCE(${number}, CASE WHEN ${isComma} THEN TRY_CAST(replace(${text}, ',', '.') AS DOUBLE) END)`;
  }

  sample(column: string): readonly string[] {
    const place = this.columns.indexOf(column);
    return this.#samples.flatMap((row) => row[place] ?? []);
  }

  place(row: number): string {
    const line = this.#table?.lines.lineOf(row);
    return line === undefined ? `${this.file}, row ${row + 1}` : `${this.file}:${line}`;
  }

  async from(selection?: Selection, database = this.#database): Promise<string> {
    const wanted = selection === undefined ? this.columns : selected(selection);
    if (this.#table === undefined || !holds(this.#table, wanted, [], database))
      this.#table = await this.#read(wanted, database);
    return this.#table.from;
  }

  async #read(columns: readonly string[], database: Database): Promise<Copy> {
    const places = columns.map((column) => this.columns.indexOf(column));
    const write = async (unquoted: boolean) => {
      const evidence = new QuotingEvidence();
      const table = await ScratchTable.write(
        database,
        columns.map((column) => this.expression(column)),
        (scratch) => this.#copy(scratch, places, unquoted, evidence),
      );
      return { database, columns, ids: [], from: table.from(), lines: table.lines, evidence };
    };
    if (this.#unquoted !== undefined || this.#quoteGiven) return write(this.#unquoted ?? false);
    try {
      const table = await write(false);
      const { joined, againstQuoting } = table.evidence;
      const doubted = joined !== undefined || (againstQuoting && !this.#quotesByRule);
      this.#unquoted = doubted && (await this.#marksAreOrdinary(joined));
      if (!this.#unquoted) return table;
    } catch (error) {
      if (!(error instanceof QuoteError)) throw error;
      this.#unquoted = !this.#quotesByRule && (await this.#marksAreOrdinary(undefined));
      if (!this.#unquoted) throw error;
    }
    return write(true);
  }

  /** Copies the selected fields of all rows. Throws UserError for rows that do not follow the dialect. */
  async #copy(
    scratch: ScratchTable,
    places: readonly number[],
    unquoted: boolean,
    evidence: QuotingEvidence,
  ): Promise<void> {
    const dialect = unquoted ? { ...this.#dialect, quote: undefined } : this.#dialect;
    let header = this.#header;
    try {
      await this.#split(
        dialect,
        (bytes, fields, line, lines) => {
          const isHeader = header;
          header = false;
          if (lines > 1) evidence.joined ??= { from: line, to: line + lines - 1 };
          if (!isHeader) evidence.add(bytes, fields, dialect.delimiter[0]);
          if (fields.count !== this.columns.length)
            throw this.#ragged(fields.count, line, evidence.quoted || (unquoted && hasQuote(bytes, fields)));
          if (isHeader) return;
          for (const place of places) {
            const [start, end] = [fields.start[place], fields.end[place]];
            // An empty field is null, quoted or not.
            if (start === end) scratch.field(null);
            else if ((fields.kind[place] & escapedField) === 0) scratch.field(bytes, start, end);
            else scratch.field(fieldBytes(bytes, fields, place, dialect));
          }
          scratch.endRow(line);
        },
        () => scratch.flush(),
      );
    } catch (error) {
      throw error instanceof RowFault ? this.#explained(error) : error;
    }
  }

  async #split(
    dialect: Dialect,
    sink: (bytes: Uint8Array, fields: Fields, line: number, lines: number) => void,
    afterPiece?: () => Promise<void>,
  ): Promise<void> {
    let left = this.#preamble;
    await splitRows(
      this.#encoding.pieces(this.#signal),
      dialect,
      (bytes, fields, line, lines) => {
        if (left) left = false;
        else sink(bytes, fields, line, lines);
      },
      async () => {
        throwIfAborted(this.#signal);
        await afterPiece?.();
      },
    );
  }

  /** Whether quotation marks quote by definition (RFC 4180), whatever the rows look like. */
  get #quotesByRule(): boolean {
    return this.#delimiter === "," || this.#delimiter === ";";
  }

  /**
   * Decides doubtful cases: quotation marks are ordinary characters if every line is then a valid row and most texts are not
   * quoted. Throws UserError if both readings are valid.
   */
  async #marksAreOrdinary(joined: QuotingEvidence["joined"]): Promise<boolean> {
    const evidence = new QuotingEvidence();
    let fits = true;
    let header = this.#header;
    let quotedHeader = false;
    try {
      await this.#split({ ...this.#dialect, quote: undefined }, (bytes, fields) => {
        if (fields.count !== this.columns.length) fits = false;
        if (header) quotedHeader = hasQuote(bytes, fields);
        else evidence.add(bytes, fields, this.#dialect.delimiter[0]);
        header = false;
      });
    } catch (error) {
      if (!(error instanceof RowFault)) throw error;
      fits = false;
    }
    if (!fits) return false;
    if (!this.#quotesByRule && !quotedHeader && !evidence.forQuoting) return true;
    if (joined === undefined) return false;
    throw new UserError({
      place: `${this.file}:${joined.from}`,
      problem: `a quoted field begins here and ends in line ${joined.to}, but each of these lines is also a complete row`,
      remedy: `Pass ${this.#option("quote")} none if quotation marks are ordinary characters, or ${this.#option("quote")} '"' if the field contains line breaks`,
    });
  }

  #ragged(columns: number, line: number, quoted: boolean): UserError {
    const parts = {
      place: `${this.file}:${line}`,
      problem: `the row has ${columns} ${columns === 1 ? "column" : "columns"}`,
      expected: `${this.columns.length}, as in the first line`,
    };
    if (!quoted)
      return new UserError({ ...parts, remedy: `Correct the line, or set ${this.#option("delimiter")}` });
    return new QuoteError({
      ...parts,
      remedy: `Correct the line, or pass ${this.#option("quote")} none if quotation marks are ordinary characters`,
    });
  }

  #explained({ kind, line }: RowFault): UserError {
    const place = `${this.file}:${line}`;
    const quote = this.#option("quote");
    switch (kind) {
      case "unclosed":
        return new QuoteError({
          place,
          problem: "a quotation mark is never closed",
          remedy: `Correct the line, or pass ${quote} none if quotation marks are ordinary characters`,
        });
      case "after-quote":
        return new QuoteError({
          place,
          problem: "there is text between a closing quotation mark and the next delimiter",
          expected: "quotation marks within a field to be doubled",
          remedy: `Correct the line, or pass ${quote} none if quotation marks are ordinary characters, or ${this.#option("escape")} '\\' if they are escaped with a backslash`,
        });
      case "too-long":
        return new QuoteError({
          place,
          problem: `the row is longer than ${longestRow / 2 ** 20} MiB`,
          remedy: `Correct the line, or pass ${quote} none if quotation marks are ordinary characters`,
        });
      case "nul":
        return new UserError({
          place,
          problem: "the line contains a NUL byte",
          expected: "text",
          remedy: `Correct the line, or name the file's encoding with ${this.#option("encoding")}`,
        });
      default:
        return kind satisfies never;
    }
  }

  /** The first rows. If they cannot be read with quoting, quotation marks are treated as ordinary characters for now. */
  #headRows(head: Uint8Array, whole: boolean) {
    type Row = { fields: string[]; line: number; lines: number };
    const take = (dialect: Dialect): { rows: Row[]; fault?: RowFault } => {
      const rows: Row[] = [];
      let left = this.#preamble;
      const enough = new Error();
      const splitter = new RowSplitter(dialect, (bytes, fields, line, lines) => {
        const texts = Array.from({ length: fields.count }, (_, k) =>
          Buffer.from(fieldBytes(bytes, fields, k, dialect)).toString("utf8"),
        );
        if (left) left = false;
        else rows.push({ fields: texts, line, lines });
        if (rows.length > sampledRows) throw enough;
      });
      try {
        splitter.push(head);
        if (whole) splitter.end();
      } catch (error) {
        if (error instanceof RowFault) return { rows, fault: error };
        if (error !== enough) throw error;
      }
      return { rows };
    };
    const quoted = take(this.#dialect);
    if (quoted.rows.length > 0) return quoted.rows;
    const unquoted = this.#quoteGiven ? quoted : take({ ...this.#dialect, quote: undefined });
    if (unquoted.rows.length > 0) return unquoted.rows;
    if (quoted.fault !== undefined) throw this.#explained(quoted.fault);
    throw new UserError({
      place: `${this.file}:1`,
      problem: `the first line is longer than ${head.length.toLocaleString("en")} bytes`,
      expected: "column names, or the first row",
    });
  }

  #requireNames(
    given: readonly string[] | undefined,
    { fields, line }: { fields: string[]; line: number },
  ): void {
    const place = `${this.file}:${line}`;
    const seen = new Set<string>();
    for (const name of this.columns) {
      if (seen.has(name))
        throw new UserError({
          place,
          problem: `two columns have the name "${name}"`,
          remedy: "Rename one of them",
        });
      seen.add(name);
    }
    if (given !== undefined && !this.#header && given.length > fields.length)
      throw new UserError({
        place,
        problem: `the line has ${fields.length} columns`,
        expected: `${given.length} (${given.join(", ")})`,
      });
  }

  #option(name: string): string {
    return `--${this.#prefix}${name}`;
  }

  /** An option that is one character, or "none". */
  #single(value: string | undefined, name: "quote" | "escape"): string | undefined {
    if (value === undefined || value === "none" || /^[\x21-\x7e]$/.test(value)) return value;
    throw new UserError({
      place: this.#option(name),
      problem: `${JSON.stringify(value)} is not one character`,
      expected: `a character such as ${name === "quote" ? "'\"'" : "'\\'"}, or none`,
    });
  }

  #checked(delimiter: string, quote: string | undefined): string {
    if (delimiter !== "" && !/[\r\n\0]/.test(delimiter) && delimiter !== quote) return delimiter;
    throw new UserError({
      place: this.#option("delimiter"),
      problem: `${JSON.stringify(delimiter)} is not a valid delimiter`,
      expected: '"," ";" "|" "::" tab, or other text without line breaks and quotation marks',
    });
  }
}

/** An error that may not occur if quotation marks are ordinary characters. */
class QuoteError extends UserError {}

function hasQuote(bytes: Uint8Array, fields: Fields): boolean {
  for (let k = 0; k < fields.count; k++)
    if (bytes.subarray(fields.start[k], fields.end[k]).includes(quoteByte)) return true;
  return false;
}

/** Throws UserError if the text contains control characters; the message shows none of it. */
function requireText(file: string, lines: readonly string[], delimiter = ""): void {
  const isStrange = (letter: string) => {
    const code = letter.charCodeAt(0);
    return (code < 9 || (code > 13 && code < 32) || code === 127) && !delimiter.includes(letter);
  };
  if (!lines.slice(0, 10).some((line) => Array.from(line.slice(0, 4096)).some(isStrange))) return;
  throw new UserError({
    place: file,
    problem: "there are control characters at the beginning of the file, so it is not text",
    expected: "CSV, TSV or JSON lines, gzipped or not, or Parquet",
  });
}
