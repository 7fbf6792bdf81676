// Whether quotation marks in a file quote or are letters. Comma- and semicolon-separated files quote (RFC 4180). Dumps with tabs,
// pipes or "::" often do not: IMDb and Last.fm have titles such as `"Heroes`. There the file is evidence.

import { escapedField, type Fields, quotedField } from "./rows.js";

const LF = 10;
const CR = 13;
const quoteByte = 34;

/** What the rows of a file say about its quotation marks; collected while it is read in one way or the other. */
export class QuotingEvidence {
  /** The first row that spans several lines: the first and the last of them. */
  joined: { from: number; to: number } | undefined;
  /** Whether any field was quoted. */
  quoted = false;
  /** Per column: fields in quotation marks that need none, and other fields that are text. */
  readonly #needless: number[] = [];
  readonly #texts: number[] = [];

  /** Takes a row. */
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

  /** Whether some column's few fields in quotation marks stand among more that do without: nobody quotes like that. */
  get againstQuoting(): boolean {
    return this.#needless.some((needless, k) => needless > 0 && needless < (this.#texts[k] ?? 0));
  }

  /** Whether most texts of some column are in quotation marks. */
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

/** Neither empty, nor a number, nor one of the words for "nothing" (NA, NULL, \N), which are not quoted by those who quote. */
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
