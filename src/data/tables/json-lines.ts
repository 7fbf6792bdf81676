// A strict (RFC 8259), lossless reader of JSON lines: a value is represented by the position of its text, so integers of any size
// keep all digits. Every line is one object; only its top-level keys are read, nested values stay text.

import { UserError } from "../../core/errors.js";

export const jsonString = 0;
export const jsonNumber = 1;
const jsonLiteral = 2;
export const jsonNull = 3;
export const jsonNested = 4;

/** The values of a line as positions in bytes, strings without quotes. The arrays are reused for the next line. */
export interface JsonRow {
  count: number;
  /** Per value, the index of its key. */
  readonly key: number[];
  readonly kind: number[];
  readonly start: number[];
  readonly end: number[];
}

export type JsonSink = (bytes: Uint8Array, row: JsonRow, line: number) => void;

/** With more keys than this, keys are data and not columns. */
const mostKeys = 10_000;
const longestLine = 1 << 24;
const LF = 10;
const CR = 13;
const quote = 34;
const backslash = 92;

export class JsonLines {
  /** The keys of all lines so far, in order of appearance. */
  readonly keys: string[] = [];
  readonly #file: string;
  readonly #sink: JsonSink;
  readonly #indexOf = new Map<string, number>();
  readonly #row: JsonRow = { count: 0, key: [], kind: [], start: [], end: [] };
  /** The keys of the previous line, in order: nearly always the same as in the next line. */
  readonly #usual: { readonly bytes: Uint8Array; readonly index: number }[] = [];
  /** Per key, the last line that contains it. */
  readonly #seenIn: number[] = [];
  #line = 1;
  /** Whether an object has been read. */
  #started = false;
  #rest: Uint8Array[] = [];
  #restBytes = 0;
  /** Whether the previous byte was a carriage return: a line feed then belongs to the same line break. */
  #afterReturn = false;

  constructor(file: string, sink: JsonSink) {
    this.#file = file;
    this.#sink = sink;
  }

  /** Reads some bytes. Throws UserError, naming the line, if a line is not an object. */
  push(piece: Uint8Array): void {
    let start = 0;
    for (let place = 0; place < piece.length; place++) {
      if (piece[place] !== LF && piece[place] !== CR) continue;
      if (piece[place] === LF && place === start && this.#afterReturn) {
        start = place + 1;
        this.#afterReturn = false;
        continue;
      }
      this.#afterReturn = piece[place] === CR;
      if (this.#restBytes > 0) {
        const bytes = Buffer.concat([...this.#rest, piece.subarray(start, place)]);
        this.#rest = [];
        this.#restBytes = 0;
        this.#take(bytes, 0, bytes.length);
      } else this.#take(piece, start, place);
      start = place + 1;
      this.#line++;
    }
    if (start === piece.length) return;
    this.#rest.push(piece.slice(start));
    this.#restBytes += piece.length - start;
    this.#afterReturn = false;
    if (this.#restBytes > longestLine) throw this.#tooLong();
  }

  /** Reads the last line, which may have no line break. */
  end(): void {
    const bytes = Buffer.concat(this.#rest);
    this.#rest = [];
    this.#restBytes = 0;
    this.#take(bytes, 0, bytes.length);
  }

  #tooLong(): UserError {
    return this.#wrong("the line is longer than 16 MiB");
  }

  #wrong(problem: string, remedy?: string): UserError {
    return new UserError({
      place: `${this.#file}:${this.#line}`,
      problem,
      expected: "one JSON object per line",
      remedy,
    });
  }

  #notObject(bytes: Uint8Array, start: number, end: number): UserError {
    const text = Buffer.from(bytes.subarray(start, Math.min(end, start + 200)))
      .toString("utf8")
      .trim();
    if (!this.#started && text.startsWith("["))
      return new UserError({
        place: this.#file,
        problem: "this is a JSON array",
        expected: "one JSON object per line",
        remedy: "Convert it with: jq -c '.[]' old.json > new.jsonl",
      });
    if (!this.#started && text.startsWith("{") && !text.endsWith("}") && end - start < 200)
      return this.#wrong(
        "the line is not a complete JSON object; the file seems to be pretty-printed",
        "Convert it with: jq -c . old.json > new.jsonl",
      );
    if (/[:,[]\s*-?(?:NaN|Infinity)\b/.test(Buffer.from(bytes.subarray(start, end)).toString("latin1")))
      return this.#wrong("NaN and Infinity are not valid JSON", "Write null, or omit the key");
    return this.#wrong("the line is not a JSON object");
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > longestLine) throw this.#tooLong();
    const row = this.#row;
    row.count = 0;
    let place = skipBlanks(bytes, start, end);
    if (place === end) return;
    const fail = () => this.#notObject(bytes, start, end);
    if (bytes[place] !== 123) throw fail();
    place = skipBlanks(bytes, place + 1, end);
    if (bytes[place] === 125 && place < end) place++;
    else
      for (;;) {
        if (place >= end || bytes[place] !== quote) throw fail();
        const keyEnd = endOfString(bytes, place + 1, end);
        if (keyEnd < 0) throw fail();
        const key = this.#keyOf(bytes, place + 1, keyEnd);
        if (this.#seenIn[key] === this.#line)
          throw this.#wrong(`the object has the key ${JSON.stringify(this.keys[key])} twice`);
        this.#seenIn[key] = this.#line;
        place = skipBlanks(bytes, keyEnd + 1, end);
        if (place >= end || bytes[place] !== 58) throw fail();
        place = skipBlanks(bytes, place + 1, end);
        place = this.#value(bytes, place, end, key);
        if (place < 0) throw fail();
        place = skipBlanks(bytes, place, end);
        if (place >= end) throw fail();
        if (bytes[place] === 125) {
          place++;
          break;
        }
        if (bytes[place] !== 44) throw fail();
        place = skipBlanks(bytes, place + 1, end);
      }
    if (skipBlanks(bytes, place, end) !== end) throw this.#wrong("there is more text after the object");
    this.#started = true;
    this.#sink(bytes, row, this.#line);
  }

  /** Reads the value at `place`; returns its end, or -1 if it is not valid JSON. */
  #value(bytes: Uint8Array, place: number, end: number, key: number): number {
    const row = this.#row;
    const add = (kind: number, from: number, to: number) => {
      row.key[row.count] = key;
      row.kind[row.count] = kind;
      row.start[row.count] = from;
      row.end[row.count] = to;
      row.count++;
    };
    const byte = bytes[place];
    if (place >= end) return -1;
    if (byte === quote) {
      const stop = endOfString(bytes, place + 1, end);
      if (stop < 0) return -1;
      add(jsonString, place + 1, stop);
      return stop + 1;
    }
    if (byte === 123 || byte === 91) {
      const stop = endOfNested(bytes, place, end);
      if (stop < 0 || !isJson(bytes.subarray(place, stop))) return -1;
      add(jsonNested, place, stop);
      return stop;
    }
    let stop = place;
    while (stop < end && isWordByte(bytes[stop])) stop++;
    if (byte === 45 || (byte >= 48 && byte <= 57)) {
      if (!isJsonNumber(bytes, place, stop)) return -1;
      add(jsonNumber, place, stop);
      return stop;
    }
    const word = Buffer.from(bytes.subarray(place, Math.min(stop, place + 6))).toString("latin1");
    if (word === "null") add(jsonNull, place, stop);
    else if (word === "true" || word === "false") add(jsonLiteral, place, stop);
    else return -1;
    return stop;
  }

  #keyOf(bytes: Uint8Array, start: number, end: number): number {
    const usual = this.#usual[this.#row.count];
    if (usual !== undefined && isSame(bytes, start, end, usual.bytes)) return usual.index;
    const raw = bytes.slice(start, end);
    const name = stringOf(raw);
    if (name === undefined) throw this.#wrong("a key of the object is not a valid JSON string");
    let index = this.#indexOf.get(name);
    if (index === undefined) {
      index = this.keys.length;
      if (index === mostKeys) throw this.#wrong(`the objects have more than ${mostKeys} different keys`);
      this.keys.push(name);
      this.#indexOf.set(name, index);
    }
    this.#usual[this.#row.count] = { bytes: raw, index };
    return index;
  }
}

/** The text of a JSON string, from its bytes without quotes; undefined if an escape is not valid. */
export function stringOf(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  if (!text.includes("\\")) return text;
  try {
    const plain = JSON.parse(`"${text}"`) as string;
    // A lone surrogate is not a character and cannot be written.
    return /\p{Surrogate}/u.test(plain) ? undefined : plain;
  } catch {
    return undefined;
  }
}

function skipBlanks(bytes: Uint8Array, place: number, end: number): number {
  let at = place;
  while (at < end && (bytes[at] === 32 || bytes[at] === 9)) at++;
  return at;
}

/** The position of the closing quote, or -1. */
function endOfString(bytes: Uint8Array, place: number, end: number): number {
  for (let at = place; at < end; at++) {
    const byte = bytes[at];
    if (byte === quote) return at;
    if (byte === backslash) at++;
    else if (byte < 32) return -1;
  }
  return -1;
}

/** The position after the bracket that closes the one at `place`, or -1. */
function endOfNested(bytes: Uint8Array, place: number, end: number): number {
  let depth = 0;
  for (let at = place; at < end; at++) {
    const byte = bytes[at];
    if (byte === quote) {
      at = endOfString(bytes, at + 1, end);
      if (at < 0) return -1;
    } else if (byte === 123 || byte === 91) depth++;
    else if ((byte === 125 || byte === 93) && --depth === 0) return at + 1;
  }
  return -1;
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
    return true;
  } catch {
    return false;
  }
}

const isWordByte = (byte: number): boolean =>
  (byte >= 48 && byte <= 57) ||
  (byte >= 97 && byte <= 122) ||
  (byte >= 65 && byte <= 90) ||
  byte === 45 ||
  byte === 43 ||
  byte === 46;

function isJsonNumber(bytes: Uint8Array, start: number, end: number): boolean {
  // Nearly all numbers are integers without leading zeros, for which no regular expression is needed.
  let at = bytes[start] === 45 ? start + 1 : start;
  if (bytes[at] !== 48 || at + 1 === end) {
    const first = at;
    while (at < end && bytes[at] >= 48 && bytes[at] <= 57) at++;
    if (at === end && at > first) return true;
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/.test(text);
}

function isSame(bytes: Uint8Array, start: number, end: number, wanted: Uint8Array): boolean {
  if (end - start !== wanted.length) return false;
  for (let k = 0; k < wanted.length; k++) if (bytes[start + k] !== wanted[k]) return false;
  return true;
}
