// Which encoding a text file is in: what its byte order mark, the person, or the bytes themselves say.

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

/** A text file's encoding as far as its beginning tells it. */
export class TextEncoding {
  /** The encoding to show the beginning in; undefined `settled` means that the rest may refute it. */
  readonly encoding: string;
  readonly #settled: boolean;
  readonly #bytes: FileBytes;
  readonly #option: string;
  readonly #note: (text: string) => void;
  readonly #skip: number;
  #found: Promise<string> | undefined;

  /** `option` is the one that names the encoding, such as "--encoding"; `note` hears of what is assumed. */
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
        problem: `the file begins with a byte order mark of ${mark.encoding.toUpperCase()}, and ${option} says ${named}`,
        remedy: `Leave ${option} out`,
      });
    const unmarked = mark === undefined && named === undefined ? looksLikeUtf16(head) : undefined;
    if (unmarked !== undefined)
      note(`${file}: read as ${unmarked.toUpperCase()}, as it looks; ${option} names another encoding`);
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

  /** All of the text as UTF-8. Throws UserError at the first line that is not in the encoding. */
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

  /** The text as it stands where every letter of ASCII is one byte that means itself: for a reader of digits alone. */
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

  /** UTF-8 where all bytes are; otherwise windows-1252, which has a letter for nearly every byte, and a note. */
  async #examined(signal: AbortSignal | undefined): Promise<string> {
    const check = new Utf8Check();
    let line = 1;
    let firstLetters = false;
    const { file } = this.#bytes;
    const step = (piece: Buffer, last: boolean): boolean => {
      const good = check.take(piece, last);
      if (good === undefined) {
        const faults = check.faults(piece);
        if (firstLetters || faults.hasLetters)
          throw new UserError({
            place: `${file}:${line + faults.lines}`,
            problem: "the line is not valid UTF-8, though other lines are",
            expected: "text in one encoding",
            remedy: `Mend the line, or name the file's encoding with ${this.#option}`,
          });
        return false;
      }
      if (!firstLetters) firstLetters = !isAscii(good);
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
      `${file}: not UTF-8: read as windows-1252 (latin-1); ${this.#option} names another encoding, such as windows-1251 or gbk`,
    );
    return "windows-1252";
  }
}
