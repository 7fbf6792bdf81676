// The Netflix Prize files have one block per film, "123:" followed by lines "user,rating,date". They are rewritten as plain CSV,
// "user,item,rating,date", on the level of bytes: 100 million rows in bounded memory, without a string per row.

import { UserError } from "../../core/errors.js";
import { readPieces } from "../../core/input-file.js";

const newline = 10;
const carriageReturn = 13;
const comma = 44;
const colon = 58;

/** The first line of the rewritten file. */
const netflixHeader = "user,item,rating,date\n";

/** Yields the rewritten file in pieces. Throws UserError for a line that is neither a film's header nor three columns. */
export async function* netflixRows(files: readonly string[]): AsyncGenerator<Buffer> {
  yield Buffer.from(netflixHeader);
  for (const file of files) {
    const rewriter = new BlockRewriter(file);
    for await (const chunk of readPieces(file)) yield rewriter.rewrite(chunk);
    yield rewriter.end();
  }
}

/** The state of a file between chunks: the film of the current block, the line number, the incomplete last line. */
class BlockRewriter {
  readonly #file: string;
  #film = Buffer.alloc(0);
  #line = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: string) {
    this.#file = file;
  }

  rewrite(chunk: Buffer): Buffer {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const last = data.lastIndexOf(newline);
    this.#rest = Buffer.from(data.subarray(last + 1));
    // A row has at least 6 bytes and grows by the film's number, a comma and possibly a newline: by at most 12 bytes.
    const out = Buffer.allocUnsafe(3 * (last + 1) + 16);
    let used = 0;
    for (let start = 0; start <= last; ) {
      const end = data.indexOf(newline, start);
      used = this.#take(data, start, end, out, used);
      start = end + 1;
    }
    return out.subarray(0, used);
  }

  end(): Buffer {
    return this.#rest.length > 0 ? this.rewrite(Buffer.from("\n")) : Buffer.alloc(0);
  }

  #take(data: Buffer, start: number, lineEnd: number, out: Buffer, used: number): number {
    this.#line++;
    const end = lineEnd > start && data[lineEnd - 1] === carriageReturn ? lineEnd - 1 : lineEnd;
    if (end === start) return used;
    if (data[end - 1] === colon) {
      this.#film = Buffer.from(data.subarray(start, end - 1));
      if (!/^\d{1,9}$/.test(this.#film.toString("latin1"))) throw this.#refuse(data, start, end);
      return used;
    }
    const first = data.indexOf(comma, start);
    const second = data.indexOf(comma, first + 1);
    const third = data.indexOf(comma, second + 1);
    const threeColumns =
      first > start && second > first + 1 && second < end - 1 && (third < 0 || third > end);
    if (!threeColumns || this.#film.length === 0) throw this.#refuse(data, start, end);
    // user | film | ,rating,date
    used += data.copy(out, used, start, first + 1);
    used += this.#film.copy(out, used);
    used += data.copy(out, used, first, end);
    out[used++] = newline;
    return used;
  }

  #refuse(data: Buffer, start: number, end: number): UserError {
    return new UserError({
      place: `${this.#file}:${this.#line}`,
      problem: `cannot read the line "${data.toString("latin1", start, Math.min(end, start + 60))}"`,
      expected:
        this.#film.length === 0
          ? 'a film header such as "123:" before its ratings'
          : 'a film header such as "123:" or a rating such as "1488844,3,2005-09-06"',
    });
  }
}
