// A fast reader for the form that nearly every large ratings file has: text, one row per line, nothing quoted, plain integer
// ids, numbers in plain decimal notation. Rows are read byte by byte into typed arrays, several times faster than by a general
// reader. At the first byte of any other form this reader stops, and DuckDB reads the file from the beginning.
// (docs/decisions/reading-plain-rows.md)

import type { Buffer } from "node:buffer";
import type { CollectedRows } from "./collected-rows.js";

/** The meaning of a column. */
export type PlainColumn = "user" | "item" | "rating" | "time" | "skip";

const newline = 10;
const carriageReturn = 13;
const quote = 34;
const minus = 45;
const point = 46;
const zero = 48;
const nine = 57;
const largestId = 0xffffffff;

/** Reads the rows of one file after another; a row with a rating below `minRating` is only counted. */
export class PlainRows {
  /** Rows read so far, in all files. */
  seen = 0;
  readonly #minRating: number;
  readonly #kept: CollectedRows;

  /** Kept rows are added to `kept`. */
  constructor(minRating: number | undefined, kept: CollectedRows) {
    this.#minRating = minRating ?? Number.NEGATIVE_INFINITY;
    this.#kept = kept;
  }

  /** Reads the bytes of a file; false if they are not plain. `advance` is called now and then with the rows of this file. */
  async read(
    pieces: AsyncIterable<Buffer>,
    columns: readonly PlainColumn[],
    delimiter: string,
    header: boolean,
    advance: (rows: number) => void,
  ): Promise<boolean> {
    const before = this.seen;
    let rest: Uint8Array = new Uint8Array(0);
    let headerLeft = header;
    for await (const piece of pieces) {
      const bytes = rest.length > 0 ? joined(rest, piece) : piece;
      let start = 0;
      const end = bytes.lastIndexOf(newline) + 1;
      if (headerLeft && end > 0) {
        start = bytes.indexOf(newline) + 1;
        headerLeft = false;
        // A carriage return ends the header, so what follows it is a row.
        const back = bytes.indexOf(carriageReturn);
        if (back >= 0 && back < start - 2) return false;
      }
      if (end > start && !this.#take(bytes, start, end, columns, delimiter)) return false;
      // A very long line is not a row of ratings. The bytes of the piece may be reused.
      rest = bytes.slice(end);
      if (rest.length > 1 << 20) return false;
      advance(this.seen - before);
    }
    if (rest.length === 0) return true;
    // The last line may have no line break. If that is the header, there are no rows.
    if (headerLeft) return !rest.subarray(0, -1).includes(carriageReturn);
    const line = joined(rest, Uint8Array.of(newline));
    return this.#take(line, 0, line.length, columns, delimiter);
  }

  /** Reads the lines in bytes [start, end), which end with a line break; false if one is not plain. */
  #take(
    bytes: Uint8Array,
    start: number,
    end: number,
    columns: readonly PlainColumn[],
    delimiter: string,
  ): boolean {
    const first = delimiter.charCodeAt(0);
    const width = delimiter.length;
    const second = width === 2 ? delimiter.charCodeAt(1) : first;
    const last = columns.length - 1;
    const rated = columns.includes("rating");
    const timed = columns.includes("time");
    let user = 0;
    let item = 0;
    let rating = 0;
    let time = 0;
    let place = start;
    while (place < end) {
      for (let column = 0; column <= last; column++) {
        const role = columns[column];
        if (role === "user" || role === "item") {
          const from = place;
          let id = 0;
          for (let byte = bytes[place]; byte >= zero && byte <= nine; byte = bytes[++place])
            id = id * 10 + (byte - zero);
          const digits = place - from;
          if (digits === 0 || digits > 10 || id > largestId || (digits > 1 && bytes[from] === zero))
            return false;
          if (role === "user") user = id;
          else item = id;
        } else if (role === "skip") {
          for (let byte = bytes[place]; byte !== first && byte !== newline; byte = bytes[++place])
            if (byte === quote || (byte === carriageReturn && bytes[place + 1] !== newline)) return false;
          // A carriage return at the end of the line is part of the line break.
          if (bytes[place] === newline && place > start && bytes[place - 1] === carriageReturn) place--;
        } else {
          const negative = bytes[place] === minus;
          if (negative) place++;
          let digits = 0;
          let number = 0;
          let scale = 1;
          for (let byte = bytes[place]; byte >= zero && byte <= nine; byte = bytes[++place], digits++)
            number = number * 10 + (byte - zero);
          if (digits === 0) return false;
          if (bytes[place] === point) {
            place++;
            const whole = digits;
            for (let byte = bytes[place]; byte >= zero && byte <= nine; byte = bytes[++place], digits++) {
              number = number * 10 + (byte - zero);
              scale *= 10;
            }
            if (digits === whole) return false;
          }
          // Up to 15 digits both are exact, so the quotient is the nearest float64, as in any correct parser.
          if (digits > 15) return false;
          const value = negative ? -number / scale : number / scale;
          if (role === "rating") rating = value;
          else time = value;
        }
        if (column < last) {
          if (bytes[place] !== first || (width === 2 && bytes[place + 1] !== second)) return false;
          place += width;
        }
      }
      if (bytes[place] === carriageReturn) place++;
      if (bytes[place] !== newline) return false;
      place++;
      this.seen++;
      if (rated && !(rating >= this.#minRating)) continue;
      this.#kept.push(user, item, rated ? rating : undefined, timed ? time : undefined);
    }
    return true;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
