// Determines the encoding of a text file: from its byte order mark, the caller's option, or the bytes.

import { isAscii } from "node:buffer";
import { UserError } from "../../core/errors.js";
import type { FileBytes } from "./bytes.js";
import {
  byteOrderMark,
  countLineBreaks,
  decoded,
  encodingNamed,
  looksLikeUtf16,
  Utf8Check,
  windows1252,
} from "./encoding.js";

/** The encoding of a text file, detected from its beginning. */
export class TextEncoding {
  /** The encoding of the beginning; unless `#settled`, the rest of the file may turn out to have another one. */
  readonly encoding: string;
  readonly #settled: boolean;
  readonly #bytes: FileBytes;
  readonly #option: string;
  readonly #note: (text: string) => void;
  readonly #skip: number;
  #found: Promise<string> | undefined;

  /** `option` is the CLI option that names the encoding, such as "--encoding"; `note` is called with assumptions. */
  constructor(bytes: FileBytes, given: string | undefined, option: string, note: (text: string) => void) {
    const { file, head, whole } = bytes;
    this.#bytes = bytes;
    this.#option = option;
    this.#note = note;
    const mark = byteOrderMark(head);
    this.#skip = mark?.length ?? 0;
    if (mark?.encoding === "utf-32")
      throw new UserError({
        place: file,
        problem: "the file is in UTF-32",
        expected: "UTF-8, UTF-16 or an encoding of one or two bytes",
        remedy: "Convert it with: iconv -f UTF-32 -t UTF-8 old > new",
      });
    const named = given === undefined ? undefined : encodingNamed(given, option);
    const isOther =
      named !== undefined &&
      mark !== undefined &&
      named !== mark.encoding &&
      !(named.startsWith("utf-16") && mark.encoding.startsWith("utf-16"));
    if (isOther)
      throw new UserError({
        place: file,
        problem: `the file begins with a byte order mark of ${mark.encoding.toUpperCase()}, but ${option} is ${named}`,
        remedy: `Omit ${option}`,
      });
    const unmarked = mark === undefined && named === undefined ? looksLikeUtf16(head) : undefined;
    if (unmarked !== undefined)
      note(
        `${file}: read as ${unmarked.toUpperCase()}, which it appears to be; set another encoding with ${option}`,
      );
    const known = mark?.encoding ?? named ?? unmarked;
    this.#settled = known !== undefined;
    this.encoding = known ?? (new Utf8Check().take(head, whole) === undefined ? "windows-1252" : "utf-8");
  }

  /** The beginning of the file as text. */
  head(): string {
    const bytes = this.#bytes.head.subarray(this.#skip);
    if (this.encoding === "utf-8") return bytes.toString("utf8");
    if (this.encoding === "windows-1252") return windows1252(bytes);
    return new TextDecoder(this.encoding, { ignoreBOM: true }).decode(bytes, { stream: !this.#bytes.whole });
  }

  /** The whole text as UTF-8. Throws UserError at the first line that is not valid in the encoding. */
  async *pieces(signal?: AbortSignal): AsyncGenerator<Buffer> {
    this.#found ??= this.#settled ? Promise.resolve(this.encoding) : this.#examined(signal);
    const encoding = await this.#found;
    yield* decoded(this.#bytes.pieces(signal), {
      file: this.#bytes.file,
      encoding,
      skip: this.#skip,
      checked: !this.#settled,
      option: this.#option,
    });
  }

  /** The text without conversion if the encoding is a superset of ASCII: enough for a reader of plain numbers. */
  async *unchecked(signal?: AbortSignal): AsyncGenerator<Buffer> {
    const isSuperset = /^(?:utf-8|windows-|iso-8859-|koi8|ibm866|macintosh|x-mac)/.test(this.encoding);
    if (!isSuperset) {
      yield* this.pieces(signal);
      return;
    }
    let skip = this.#skip;
    for await (const piece of this.#bytes.pieces(signal)) {
      const rest = piece.subarray(skip);
      skip -= piece.length - rest.length;
      yield rest;
    }
  }

  /** UTF-8 if all bytes are valid; otherwise windows-1252, in which nearly every byte is valid, and a note. */
  async #examined(signal: AbortSignal | undefined): Promise<string> {
    const check = new Utf8Check();
    let line = 1;
    let seenNonAscii = false;
    const { file } = this.#bytes;
    const step = (piece: Buffer, last: boolean): boolean => {
      const good = check.take(piece, last);
      if (good === undefined) {
        const faults = check.faults(piece);
        if (seenNonAscii || faults.hasNonAscii)
          throw new UserError({
            place: `${file}:${line + faults.lines}`,
            problem: "the line is not valid UTF-8, but other lines are",
            expected: "text in one encoding",
            remedy: `Correct the line, or name the file's encoding with ${this.#option}`,
          });
        return false;
      }
      if (!seenNonAscii) seenNonAscii = !isAscii(good);
      line += countLineBreaks(good);
      return true;
    };
    let isUtf8 = true;
    for await (const piece of this.#bytes.pieces(signal)) {
      isUtf8 = step(piece, false);
      if (!isUtf8) break;
    }
    if (isUtf8 && step(Buffer.alloc(0), true)) return "utf-8";
    this.#note(
      `${file}: not valid UTF-8, so it is read as windows-1252 (latin-1); set another encoding with ${this.#option}, such as windows-1251 or gbk`,
    );
    return "windows-1252";
  }
}
