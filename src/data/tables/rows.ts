// Splits the bytes of a text file (UTF-8) into rows and fields. Line breaks are LF, CRLF or CR, even mixed; blank lines are
// skipped; a quoted field may contain delimiters and line breaks. Anything that does not follow the dialect is a `RowFault`.

/** The format of a file's rows. */
export interface Dialect {
  /** The delimiter between fields: one or more bytes. */
  readonly delimiter: Uint8Array;
  /** The byte that quotes a field, doubled within a field; undefined: fields are not quoted. */
  readonly quote: number | undefined;
  /** The byte that escapes a quote, a delimiter or itself; undefined: there is none. */
  readonly escape: number | undefined;
  /** Whether blanks around an unquoted field are part of the delimiters. */
  readonly trim: boolean;
}

/** A row that does not follow the dialect. */
export class RowFault extends Error {
  override readonly name = "RowFault";
  readonly kind: "unclosed" | "after-quote" | "too-long" | "nul";
  readonly line: number;

  constructor(kind: RowFault["kind"], line: number) {
    super(`${kind} in line ${line}`);
    this.kind = kind;
    this.line = line;
  }
}

/** The fields of a row as positions in bytes. The arrays are reused for the next row. */
export interface Fields {
  count: number;
  readonly start: number[];
  readonly end: number[];
  /** Per field, one of the constants below. */
  readonly kind: number[];
}

/** An unquoted field. */
const plainField = 0;
/** A quoted field; its positions exclude the quotes. */
export const quotedField = 1;
/** A flag: the field contains doubled quotes or escapes, which `fieldBytes` resolves. */
export const escapedField = 2;

/** Receives a row: its fields in `bytes`, its line (from 1), and the number of lines that it spans. */
export type RowSink = (bytes: Uint8Array, fields: Fields, line: number, lines: number) => void;

/** The longest row, in bytes. */
export const longestRow = 1 << 24;

const LF = 10;
const CR = 13;
const blank = 32;
const tab = 9;

export class RowSplitter {
  readonly #dialect: Dialect;
  readonly #sink: RowSink;
  readonly #fields: Fields = { count: 0, start: [], end: [], kind: [] };
  #line = 1;
  /** Bytes of an incomplete row. */
  #rest: Uint8Array = new Uint8Array(0);
  /** Pieces after `rest` that are not scanned yet. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  constructor(dialect: Dialect, sink: RowSink) {
    this.#dialect = dialect;
    this.#sink = sink;
  }

  /** Reads some bytes. Throws RowFault. */
  push(piece: Uint8Array): void {
    if (this.#rest.length > 0) {
      // A row that spans pieces is scanned again from its start, but only after its bytes have doubled.
      this.#waiting.push(piece);
      this.#waitingBytes += piece.length;
      if (this.#waitingBytes < this.#rest.length && !piece.includes(LF) && !piece.includes(CR)) return;
    } else if (piece.length === 0) return;
    this.#split(this.#gathered(piece), false);
  }

  /** Reads the last row, which may have no line break. Throws RowFault. */
  end(): void {
    this.#split(this.#gathered(new Uint8Array(0)), true);
  }

  #gathered(piece: Uint8Array): Uint8Array {
    if (this.#rest.length === 0) return piece;
    const bytes = Buffer.concat([this.#rest, ...this.#waiting]);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return bytes;
  }

  #split(bytes: Uint8Array, last: boolean): void {
    let place = 0;
    while (place < bytes.length) {
      const next = this.#row(bytes, place, last);
      if (next < 0) break;
      place = next;
    }
    if (bytes.length - place > longestRow) throw new RowFault("too-long", this.#line);
    // The memory of the piece may be reused.
    this.#rest = bytes.slice(place);
  }

  /** Reads the row at `start`; returns the start of the next row, or -1 if the row is incomplete. */
  #row(bytes: Uint8Array, start: number, last: boolean): number {
    const { delimiter, quote, escape: escaping, trim } = this.#dialect;
    const fields = this.#fields;
    const first = delimiter[0];
    const width = delimiter.length;
    const length = bytes.length;
    let place = start;
    let lines = 0;
    fields.count = 0;
    for (;;) {
      // At the start of a field.
      let from = place;
      if (trim) while (place < length && isBlank(bytes[place], first)) place++;
      if (quote !== undefined && place < length && bytes[place] === quote) {
        const opened = this.#line + lines;
        from = ++place;
        let kind = quotedField;
        for (;;) {
          if (place >= length) {
            if (last) throw new RowFault("unclosed", opened);
            if (place - start > longestRow) throw new RowFault("too-long", this.#line);
            return -1;
          }
          const byte = bytes[place];
          if (byte === escaping && escaping !== quote) {
            if (place + 1 >= length && !last) return -1;
            kind |= escapedField;
            place += bytes[place + 1] === quote || bytes[place + 1] === escaping ? 2 : 1;
          } else if (byte === quote) {
            if (place + 1 >= length && !last) return -1;
            if (bytes[place + 1] !== quote) break;
            kind |= escapedField;
            place += 2;
          } else {
            if (byte === LF || (byte === CR && bytes[place + 1] !== LF)) lines++;
            else if (byte === 0) throw new RowFault("nul", this.#line + lines);
            place++;
          }
        }
        this.#add(from, place, kind);
        place++;
        if (trim) while (place < length && isBlank(bytes[place], first)) place++;
        if (place >= length && !last) return -1;
        if (place < length && bytes[place] !== LF && bytes[place] !== CR) {
          if (place + width > length && !last) return -1;
          if (!startsAt(bytes, place, delimiter)) throw new RowFault("after-quote", this.#line + lines);
        }
      } else {
        let kind = plainField;
        for (; place < length; place++) {
          const byte = bytes[place];
          if (byte > CR && byte !== first && byte !== escaping) continue;
          if (byte === LF || byte === CR) break;
          if (byte === first) {
            if (width === 1) break;
            if (place + width > length && !last) return -1;
            if (startsAt(bytes, place, delimiter)) break;
          } else if (byte === escaping) {
            if (place + 1 >= length && !last) return -1;
            const next = place + 1 < length ? bytes[place + 1] : -1;
            if (next === first || next === quote || next === escaping) {
              kind |= escapedField;
              place++;
            }
          } else if (byte === 0) throw new RowFault("nul", this.#line + lines);
        }
        if (place >= length && !last) {
          if (place - start > longestRow) throw new RowFault("too-long", this.#line);
          return -1;
        }
        let end = place;
        if (trim) {
          while (from < end && isBlank(bytes[from], first)) from++;
          while (end > from && isBlank(bytes[end - 1], first)) end--;
        }
        this.#add(from, end, kind);
      }
      if (place >= length || bytes[place] === LF || bytes[place] === CR) break;
      place += width;
    }
    const end = place;
    if (place < length) {
      if (bytes[place] === CR) {
        if (place + 1 >= length && !last) return -1;
        if (bytes[place + 1] === LF) place++;
      }
      place++;
    }
    if (end - start > longestRow) throw new RowFault("too-long", this.#line);
    if (!isBlankLine(bytes, start, end, first)) this.#sink(bytes, fields, this.#line, lines + 1);
    this.#line += lines + 1;
    return place;
  }

  #add(start: number, end: number, kind: number): void {
    const { count } = this.#fields;
    this.#fields.start[count] = start;
    this.#fields.end[count] = end;
    this.#fields.kind[count] = kind;
    this.#fields.count++;
  }
}

const isBlank = (byte: number, delimiter: number): boolean =>
  (byte === blank || byte === tab) && byte !== delimiter;

function isBlankLine(bytes: Uint8Array, start: number, end: number, delimiter: number): boolean {
  for (let place = start; place < end; place++) if (!isBlank(bytes[place], delimiter)) return false;
  return true;
}

function startsAt(bytes: Uint8Array, place: number, wanted: Uint8Array): boolean {
  for (let k = 0; k < wanted.length; k++) if (bytes[place + k] !== wanted[k]) return false;
  return true;
}

/** The bytes of field `k` with doubled quotes and escapes resolved. */
export function fieldBytes(bytes: Uint8Array, fields: Fields, k: number, dialect: Dialect): Uint8Array {
  const field = bytes.subarray(fields.start[k], fields.end[k]);
  const kind = fields.kind[k];
  if ((kind & escapedField) === 0) return field;
  const { quote, escape: escaping, delimiter } = dialect;
  const quoted = (kind & quotedField) !== 0;
  const plain = new Uint8Array(field.length);
  let length = 0;
  for (let place = 0; place < field.length; place++) {
    const next = field[place + 1];
    const isEscape =
      field[place] === escaping &&
      (next === escaping || next === quote || (!quoted && next === delimiter[0]));
    if ((isEscape || (quoted && field[place] === quote)) && place + 1 < field.length) place++;
    plain[length++] = field[place];
  }
  return plain.subarray(0, length);
}

/** Splits all pieces of a file. Throws RowFault. */
export async function splitRows(
  pieces: AsyncIterable<Uint8Array>,
  dialect: Dialect,
  sink: RowSink,
  afterPiece?: () => Promise<void>,
): Promise<void> {
  const splitter = new RowSplitter(dialect, sink);
  for await (const piece of pieces) {
    splitter.push(piece);
    await afterPiece?.();
  }
  splitter.end();
  await afterPiece?.();
}
