// Decides whether quotation marks in a file quote fields or are ordinary characters. Files separated by commas or semicolons
// quote (RFC 4180). Files separated by tabs, pipes or "::" often do not: IMDb and Last.fm have titles such as `"Heroes`. For
// these, the rows are examined.

import { escapedField, type Fields, quotedField } from "./rows.js";

const LF = 10;
const CR = 13;
const quoteByte = 34;

/** Evidence from the rows of a file, collected while the file is read with or without quoting. */
export class QuotingEvidence {
  /** The first and last line of the first row that spans several lines. */
  joined: { from: number; to: number } | undefined;
  /** Whether any field was quoted. */
  quoted = false;
  /** Per column: fields that are quoted without need, and other fields that are text. */
  readonly #needless: number[] = [];
  readonly #texts: number[] = [];

  /** Adds a row. */
  add(bytes: Uint8Array, fields: Fields, delimiter: number): void {
    for (let k = 0; k < fields.count; k++) {
      const start = fields.start[k];
      const end = fields.end[k];
      if ((fields.kind[k] & quotedField) !== 0) {
        this.quoted = true;
        if ((fields.kind[k] & escapedField) !== 0 || needsQuotes(bytes, start, end, delimiter)) continue;
        this.#needless[k] = (this.#needless[k] ?? 0) + 1;
      } else if (end - start >= 2 && bytes[start] === quoteByte && bytes[end - 1] === quoteByte) {
        this.#needless[k] = (this.#needless[k] ?? 0) + 1;
      } else if (isText(bytes, start, end)) this.#texts[k] = (this.#texts[k] ?? 0) + 1;
    }
  }

  /** Whether some column has a few needlessly quoted texts among more unquoted ones, which no program writes. */
  get againstQuoting(): boolean {
    return this.#needless.some((needless, k) => needless > 0 && needless < (this.#texts[k] ?? 0));
  }

  /** Whether most texts of some column are quoted. */
  get forQuoting(): boolean {
    return this.#needless.some((needless, k) => needless > 0 && needless >= (this.#texts[k] ?? 0));
  }
}

function needsQuotes(bytes: Uint8Array, start: number, end: number, delimiter: number): boolean {
  for (let place = start; place < end; place++) {
    const byte = bytes[place];
    if (byte === delimiter || byte === LF || byte === CR) return true;
  }
  return false;
}

/** Whether a field is neither empty, nor a number, nor a marker of a missing value (NA, NULL, \N), which is not quoted. */
function isText(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (length === 0) return false;
  const first = bytes[start];
  if (first >= 43 && first <= 57) return false;
  // N, n or a backslash.
  if (length > 4 || (first !== 78 && first !== 110 && first !== 92)) return true;
  return !/^(?:NA|N\/A|NaN|NULL|null|None|\\N)$/.test(
    Buffer.from(bytes.subarray(start, end)).toString("latin1"),
  );
}
