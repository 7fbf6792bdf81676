// Converts the bytes of a text file from any encoding of the Encoding Standard to UTF-8.

import { isAscii, isUtf8 } from "node:buffer";
import { UserError } from "../../core/errors.js";

/** Encodings by their names in the Encoding Standard, UTF-8 first; this version of Node may not support all of them. */
const candidates = [
  ...["utf-8", "utf-16le", "utf-16be", "windows-1252", "windows-1250", "windows-1251", "windows-1253"],
  ...["windows-1254", "windows-1255", "windows-1256", "windows-1257", "windows-1258", "windows-874"],
  ...["iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8"],
  ...["iso-8859-10", "iso-8859-13", "iso-8859-14", "iso-8859-15", "koi8-r", "koi8-u", "ibm866"],
  ...[
    "macintosh",
    "x-mac-cyrillic",
    "gbk",
    "gb18030",
    "big5",
    "euc-jp",
    "iso-2022-jp",
    "shift_jis",
    "euc-kr",
  ],
];

/** Names that other programs use. */
const aliases: Readonly<Record<string, string>> = {
  "latin-1": "windows-1252",
  "utf-16-le": "utf-16le",
  "utf-16-be": "utf-16be",
  "utf-8-sig": "utf-8",
  cp932: "shift_jis",
  cp936: "gbk",
  cp949: "euc-kr",
  cp950: "big5",
  "windows-932": "shift_jis",
  "windows-936": "gbk",
  "windows-950": "big5",
  sjis: "shift_jis",
  "mac-roman": "macintosh",
  "mac-cyrillic": "x-mac-cyrillic",
};

/** The encoding of this name. Throws UserError, listing the known names, if it is unknown. */
export function encodingNamed(name: string, place: string): string {
  const plain = name.trim().toLowerCase().replaceAll("_", "-");
  for (const label of [plain, name.trim().toLowerCase(), aliases[plain]])
    if (label !== undefined) {
      const known = canonical(label);
      if (known !== undefined) return known;
    }
  throw new UserError({
    place,
    problem: `unknown encoding "${name}"`,
    expected: `one of ${candidates.filter((label) => canonical(label) !== undefined).join(", ")}`,
  });
}

function canonical(label: string): string | undefined {
  try {
    const { encoding } = new TextDecoder(label);
    return candidates.includes(encoding) ? encoding : undefined;
  } catch {
    return undefined;
  }
}

/** The encoding that a byte order mark indicates, and the length of the mark; undefined if there is none. */
export function byteOrderMark(
  bytes: Uint8Array,
): { encoding: "utf-8" | "utf-16le" | "utf-16be" | "utf-32"; length: number } | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return { encoding: "utf-8", length: 3 };
  if (a === 0xff && b === 0xfe && c === 0 && d === 0) return { encoding: "utf-32", length: 4 };
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return { encoding: "utf-32", length: 4 };
  if (a === 0xff && b === 0xfe) return { encoding: "utf-16le", length: 2 };
  if (a === 0xfe && b === 0xff) return { encoding: "utf-16be", length: 2 };
  return undefined;
}

/** Whether text without a byte order mark looks like UTF-16: mostly ASCII characters, whose other byte is 0. */
export function looksLikeUtf16(head: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  const length = Math.min(head.length & ~1, 4096);
  if (length < 4) return undefined;
  const zeros = [0, 0];
  for (let place = 0; place < length; place++) if (head[place] === 0) zeros[place & 1]++;
  const pairs = length / 2;
  if (zeros[1] > 0.4 * pairs && zeros[0] < 0.05 * pairs) return "utf-16le";
  if (zeros[0] > 0.4 * pairs && zeros[1] < 0.05 * pairs) return "utf-16be";
  return undefined;
}

/**
 * Converts the pieces of a file to UTF-8, without the first `skip` bytes (a byte order mark). Throws UserError, naming the line,
 * at the first byte that is not valid in the encoding. With `checked`, the bytes are known to be valid and are not checked.
 */
export async function* decoded(
  pieces: AsyncIterable<Buffer>,
  { file, encoding, skip, checked, option }: Decoding,
): AsyncGenerator<Buffer> {
  const decoder = encoding === "utf-8" ? new Utf8Check(checked) : new Decoder(encoding);
  let left = skip;
  let line = 1;
  const step = (piece: Buffer, last: boolean): Buffer => {
    const good = decoder.take(piece, last);
    if (good !== undefined) {
      if (!checked) line += countLineBreaks(good);
      return good;
    }
    throw new UserError({
      place: `${file}:${line + decoder.linesBeforeFault(piece)}`,
      problem: `the line is not valid ${encoding === "utf-8" ? "UTF-8" : encoding}`,
      expected: "text in one encoding",
      remedy: `Name the file's encoding with ${option}, or correct the line`,
    });
  };
  for await (const piece of pieces) {
    const rest = left > 0 ? piece.subarray(left) : piece;
    left -= piece.length - rest.length;
    // Text in another encoding may become several times as long.
    for (let from = 0; from < rest.length; from += pieceBytes)
      yield step(rest.subarray(from, from + pieceBytes), false);
  }
  const end = step(Buffer.alloc(0), true);
  if (end.length > 0) yield end;
}

export interface Decoding {
  readonly file: string;
  readonly encoding: string;
  readonly skip: number;
  readonly checked: boolean;
  /** The CLI option that names the encoding. */
  readonly option: string;
}

const pieceBytes = 1 << 20;

export function countLineBreaks(bytes: Uint8Array): number {
  let count = 0;
  for (let place = bytes.indexOf(10); place >= 0; place = bytes.indexOf(10, place + 1)) count++;
  return count;
}

/** Converts pieces to UTF-8; undefined if a piece is not valid. */
interface PieceDecoder {
  take(piece: Buffer, last: boolean): Buffer | undefined;
  /** Line breaks before the first invalid byte of a piece. */
  linesBeforeFault(piece: Buffer): number;
}

/** Passes UTF-8 through and checks each piece up to its last complete character. */
export class Utf8Check implements PieceDecoder {
  readonly #trusted: boolean;
  #rest: Buffer = Buffer.alloc(0);

  constructor(trusted = false) {
    this.#trusted = trusted;
  }

  take(piece: Buffer, last: boolean): Buffer | undefined {
    if (this.#trusted) return piece;
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : piece;
    const cut = last ? bytes.length : lastWholeCharacter(bytes);
    const whole = bytes.subarray(0, cut);
    if (!isUtf8(whole)) return undefined;
    this.#rest = Buffer.from(bytes.subarray(cut));
    return whole;
  }

  linesBeforeFault(piece: Buffer): number {
    return this.faults(piece).lines;
  }

  /** For an invalid piece: the number of lines before the first fault, and whether a line is valid UTF-8 but not ASCII. */
  faults(piece: Buffer): { lines: number; hasNonAscii: boolean } {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : piece;
    let lines: number | undefined;
    let hasNonAscii = false;
    let count = 0;
    // The byte of a line break is not part of any other character.
    for (let from = 0; from < bytes.length; count++) {
      const found = bytes.indexOf(10, from);
      const end = found < 0 ? bytes.length : found;
      const line = bytes.subarray(from, end);
      if (isUtf8(line)) hasNonAscii ||= !isAscii(line);
      // The end of a piece may be incomplete.
      else if (found >= 0 || lines === undefined) lines ??= count;
      from = end + 1;
    }
    return { lines: lines ?? 0, hasNonAscii };
  }
}

class Decoder implements PieceDecoder {
  readonly #encoding: string;
  readonly #decoder: { decode(bytes: Uint8Array, options: { stream: boolean }): string };

  constructor(encoding: string) {
    this.#encoding = encoding;
    this.#decoder =
      encoding === "windows-1252"
        ? { decode: windows1252 }
        : new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  }

  take(piece: Buffer, last: boolean): Buffer | undefined {
    try {
      return Buffer.from(this.#decoder.decode(piece, { stream: !last }), "utf8");
    } catch (error) {
      if (error instanceof TypeError) return undefined;
      throw error;
    }
  }

  linesBeforeFault(piece: Buffer): number {
    // Decodes line by line to count the lines before the fault; exact if a line break is a single byte 10.
    const decoder = new TextDecoder(this.#encoding, { fatal: true, ignoreBOM: true });
    const step = this.#encoding.startsWith("utf-16") ? 2 : 1;
    let lines = 0;
    let from = 0;
    try {
      for (let place = piece.indexOf(10); place >= 0; place = piece.indexOf(10, place + 1)) {
        if (step === 2 && piece[this.#encoding === "utf-16le" ? place + 1 : place - 1] !== 0) continue;
        const end = step === 2 && this.#encoding === "utf-16le" ? place + 2 : place + 1;
        decoder.decode(piece.subarray(from, end), { stream: true });
        from = end;
        lines++;
      }
    } catch {
      // The fault is in this line.
    }
    return lines;
  }
}

/** Decodes windows-1252. Some versions of Node decode the bytes 0x80 to 0x9f as control characters. */
export function windows1252(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return text.replace(/[\x80-\x9f]/g, (letter) => upper1252[letter.charCodeAt(0) - 0x80]);
}

/** The bytes 0x80 to 0x9f of windows-1252; undefined ones are control characters, as in the Encoding Standard. */
const upper1252 = [
  ..."\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f",
  ..."\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178",
];

/** Where an incomplete last character begins; the length if there is none. */
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
