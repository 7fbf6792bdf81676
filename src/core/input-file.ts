// Opens input files, which may be untrusted. Only regular files of a limited size are accepted: a pipe, a device or a socket
// could block forever, and a sparse file can have any size without using disk space.

import { isUtf8 } from "node:buffer";
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats, statSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { UserError } from "./errors.js";
import { bytesText } from "./memory.js";

/** Requirements for an input file. */
export interface InputRules {
  /** What the file should be, for messages: "a recipe written by foldin search". */
  readonly expected?: string;
  /** What to do if it is not. */
  readonly remedy?: string;
  /** Maximum size in bytes. Default: no limit. */
  readonly most?: number;
}

export interface TextRules extends InputRules {
  /** A label of the Encoding Standard. Default: UTF-8, or UTF-16 if the file starts with its byte order mark. */
  readonly encoding?: string;
}

export interface OpenInput {
  readonly file: FileHandle;
  /** In bytes. */
  readonly size: number;
}

/** Larger texts do not fit into one JavaScript string. */
const MOST_TEXT_BYTES = 500e6;
const MOST_LINE_BYTES = 1 << 24;
/** Smaller files are not checked for being sparse. */
const LEAST_HOLES = 1 << 24;
/** Without O_NONBLOCK, opening a pipe for reading would wait for a writer. */
const READ_WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

/** Opens a regular file, which the caller closes. Throws UserError for anything else, without blocking. */
export async function openInput(path: string, rules: InputRules = {}): Promise<OpenInput> {
  const refuse = (cause: NodeJS.ErrnoException) => {
    throw unreadable(path, rules, cause);
  };
  requireRegular(path, await stat(path).catch(refuse), rules);
  const file = await open(path, READ_WITHOUT_WAITING).catch(refuse);
  try {
    // The file may have been replaced since it was checked.
    const status = await file.stat();
    requireRegular(path, status, rules);
    const head = Buffer.alloc(Math.min(status.size, 4096));
    if (status.size >= LEAST_HOLES) await file.read(head, 0, head.length, 0);
    requireBytes(path, status, head);
    return { file, size: status.size };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The bytes of a regular file. Throws UserError like `openInput`. */
export async function readBytes(path: string, rules: InputRules = {}): Promise<Buffer> {
  const { file } = await openInput(path, rules);
  try {
    return await file.readFile();
  } catch (cause) {
    throw unreadable(path, rules, cause as NodeJS.ErrnoException);
  } finally {
    await file.close();
  }
}

/** The text of a regular file, without byte order mark. Throws UserError like `openInput`, and if it is not text. */
export async function readText(path: string, rules: TextRules = {}): Promise<string> {
  const most = Math.min(rules.most ?? MOST_TEXT_BYTES, MOST_TEXT_BYTES);
  return decode(path, await readBytes(path, { ...rules, most }), rules);
}

/** Synchronous version of `readText`. */
export function readTextSync(path: string, rules: TextRules = {}): string {
  const most = Math.min(rules.most ?? MOST_TEXT_BYTES, MOST_TEXT_BYTES);
  let descriptor: number | undefined;
  try {
    requireRegular(path, statSync(path), { ...rules, most });
    descriptor = openSync(path, READ_WITHOUT_WAITING);
    requireRegular(path, fstatSync(descriptor), { ...rules, most });
    return decode(path, readFileSync(descriptor), rules);
  } catch (cause) {
    throw cause instanceof UserError ? cause : unreadable(path, rules, cause as NodeJS.ErrnoException);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** The bytes of a regular file in pieces. Throws UserError like `openInput`. */
export async function* readPieces(path: string, rules: InputRules = {}): AsyncGenerator<Buffer> {
  const { file } = await openInput(path, rules);
  const stream = file.createReadStream({ highWaterMark: 1 << 20 });
  try {
    for await (const piece of stream) yield piece as Buffer;
  } catch (cause) {
    throw unreadable(path, rules, cause as NodeJS.ErrnoException);
  } finally {
    stream.destroy();
  }
}

/**
 * The lines of a text file in a one-byte encoding or UTF-8, which end with LF or CR LF. The file does not need to fit into
 * memory. Throws UserError like `readText`, and for a line of more than 16 MiB.
 */
export async function* readLines(path: string, rules: InputRules = {}): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let held = 0;
  let isFirst = true;
  const text = (bytes: Buffer) => {
    const line = bytes.toString("utf8");
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  };
  for await (const piece of readPieces(path, rules)) {
    let start = 0;
    if (isFirst) {
      requireText(path, piece, rules);
      if (piece.subarray(0, 3).toString("hex") === "efbbbf") start = 3;
      isFirst = false;
    }
    for (let end = piece.indexOf(10, start); end >= 0; end = piece.indexOf(10, start)) {
      parts.push(piece.subarray(start, end));
      yield text(Buffer.concat(parts));
      [parts, held, start] = [[], 0, end + 1];
    }
    parts.push(piece.subarray(start));
    held += piece.length - start;
    if (held > MOST_LINE_BYTES)
      throw new UserError({
        place: path,
        problem: `a line is longer than ${bytesText(MOST_LINE_BYTES)}`,
        expected: rules.expected,
      });
  }
  if (held > 0) yield text(Buffer.concat(parts));
}

/** Throws UserError if a path is not a regular file. */
export async function requireFile(path: string, rules: InputRules = {}): Promise<Stats> {
  const status = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(path, rules, cause);
  });
  requireRegular(path, status, rules);
  return status;
}

/** The lines of a text, which end with LF or CR LF, or with CR if the text has no LF. The last line may have no line end. */
export function linesOf(text: string): string[] {
  const lines = text.includes("\n") ? text.split("\n") : text.split("\r");
  if (lines[lines.length - 1] === "") lines.pop();
  return lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
}

function requireRegular(
  path: string,
  status: Stats,
  { expected, remedy, most = Infinity }: InputRules,
): void {
  if (!status.isFile())
    throw new UserError({
      place: path,
      problem: `this is ${kindOf(status)}, not a file`,
      expected,
      remedy: status.isFIFO() ? "Save its contents to a file and use that file" : remedy,
    });
  if (status.size > most)
    throw new UserError({
      place: path,
      problem: `the file is too large: ${bytesText(status.size)}`,
      expected: `at most ${bytesText(most)}${expected === undefined ? "" : `: ${expected}`}`,
      remedy,
    });
}

function kindOf(status: Stats): string {
  if (status.isDirectory()) return "a folder";
  if (status.isFIFO()) return "a pipe";
  return status.isSocket() ? "a socket" : "a device";
}

/** Throws UserError for a large sparse file that uses almost no disk space. */
function requireBytes(path: string, { size, blocks }: Stats, head: Uint8Array): void {
  if (size < LEAST_HOLES) return;
  // Some file systems do not report the number of blocks.
  const isHollow = blocks > 0 ? blocks * 512 < size / 64 : head.every((byte) => byte === 0);
  if (isHollow)
    throw new UserError({
      place: path,
      problem: `the file is ${bytesText(size)} long, but almost all of it is sparse`,
      remedy: "Download or copy the file again. If it is meant to be sparse, copy it with cp --sparse=never",
    });
}

function unreadable(path: string, { expected, remedy }: InputRules, cause: NodeJS.ErrnoException): UserError {
  const { code } = cause;
  const missing = code === "ENOENT" || code === "ENOTDIR";
  const problem = missing
    ? "there is no such file"
    : code === "ENXIO"
      ? "this is a socket, not a file"
      : `the file cannot be read (${code ?? cause.message})`;
  return new UserError({ place: path, problem, expected, remedy, cause });
}

function decode(path: string, bytes: Buffer, rules: TextRules): string {
  const isWide = wideMarks[bytes.subarray(0, 2).toString("hex")];
  if (isWide !== undefined && rules.encoding === undefined) return new TextDecoder(isWide).decode(bytes);
  const encoding = rules.encoding ?? "utf-8";
  if (encoding.startsWith("utf-16")) return new TextDecoder(encoding).decode(bytes);
  requireText(path, bytes, rules);
  if (encoding !== "utf-8") return new TextDecoder(encoding).decode(bytes);
  if (!isUtf8(bytes))
    throw new UserError({
      place: path,
      problem: "the file is not UTF-8 text",
      expected: rules.expected,
      remedy: "Convert it, for example: iconv -f WINDOWS-1252 -t UTF-8",
    });
  return new TextDecoder("utf-8").decode(bytes);
}

/** The byte order marks of UTF-16. */
const wideMarks: Readonly<Record<string, string>> = { fffe: "utf-16le", feff: "utf-16be" };

/** Throws UserError for compressed or binary data. */
function requireText(path: string, bytes: Buffer, { expected }: InputRules): void {
  const wrong = (problem: string, remedy: string) =>
    new UserError({ place: path, problem, expected, remedy });
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    throw wrong("the file is compressed with gzip", "Decompress it first with gunzip");
  if (bytes.includes(0))
    throw wrong("the file contains NUL bytes: it is binary or UTF-16", "Use a text file in UTF-8");
}
