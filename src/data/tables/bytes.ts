// Reads the bytes of an input file piece by piece and decompresses gzip. Only a few pieces are in memory at a time, whatever the
// size of the file or of its decompressed data.

import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { throwIfAborted, UserError } from "../../core/errors.js";

/** A file and its beginning. */
export interface FileBytes {
  readonly file: string;
  readonly gzipped: boolean;
  /** The first bytes, decompressed. */
  readonly head: Buffer;
  /** Whether the head is the whole file. */
  readonly whole: boolean;
  /** All bytes, decompressed. Throws UserError if the gzip data is damaged. */
  pieces(signal?: AbortSignal): AsyncGenerator<Buffer>;
}

const headBytes = 1 << 20;
const pieceBytes = 1 << 20;

/** Reads the beginning of a file. Throws UserError if it is missing, empty, unreadable or damaged. */
export async function openBytes(file: string, signal?: AbortSignal): Promise<FileBytes> {
  const size = await sizeOf(file);
  if (size === 0) throw new UserError({ place: file, problem: "the file is empty" });
  const start = await readStart(file);
  const gzipped = start[0] === 0x1f && start[1] === 0x8b;
  const pieces = (stop = signal) => piecesOf(file, size, gzipped, stop);
  const head: Buffer[] = [];
  let length = 0;
  let whole = true;
  for await (const piece of pieces()) {
    // One byte more than the head tells whether the file continues.
    if (length > headBytes) {
      whole = false;
      break;
    }
    head.push(piece);
    length += piece.length;
  }
  if (length > headBytes) whole = false;
  if (length === 0) throw new UserError({ place: file, problem: "the file is empty" });
  return { file, gzipped, head: Buffer.concat(head).subarray(0, headBytes), whole, pieces };
}

async function sizeOf(file: string): Promise<number> {
  const status = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR")
      throw new UserError({ place: file, problem: "there is no such file" });
    throw unreadable(file, error);
  });
  if (!status.isFile())
    throw new UserError({
      place: file,
      problem: "this is not a file",
      expected: "a file that contains a table",
    });
  return status.size;
}

function unreadable(file: string, error: NodeJS.ErrnoException): UserError {
  return new UserError({ place: file, problem: `the file cannot be read (${error.code})`, cause: error });
}

async function readStart(file: string): Promise<Buffer> {
  const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
    throw unreadable(file, error);
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function* piecesOf(
  file: string,
  size: number,
  gzipped: boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  const raw = createReadStream(file, { highWaterMark: gzipped ? 1 << 16 : pieceBytes });
  const gunzip = gzipped ? createGunzip({ chunkSize: pieceBytes }) : undefined;
  const stream = gunzip === undefined ? raw : raw.pipe(gunzip);
  raw.on("error", (error) => stream.destroy(error));
  try {
    for await (const piece of stream) {
      throwIfAborted(signal);
      yield piece as Buffer;
    }
    // zlib stops silently at zeros after the data, with which tapes are padded; anything after them would be lost.
    if (gunzip !== undefined && gunzip.bytesWritten < size) await requireZeros(file, gunzip.bytesWritten);
  } catch (error) {
    const ofZlib = error instanceof Error && "code" in error && String(error.code).startsWith("Z_");
    throw ofZlib ? damagedGzip(file, error) : error;
  } finally {
    raw.destroy();
    gunzip?.destroy();
  }
}

async function requireZeros(file: string, from: number): Promise<void> {
  for await (const piece of createReadStream(file, { start: from }))
    if ((piece as Buffer).some((byte) => byte !== 0)) throw damagedGzip(file);
}

function damagedGzip(file: string, cause?: unknown): UserError {
  return new UserError({
    place: file,
    problem: "the gzip data is damaged or the file is truncated",
    remedy: "Download or copy the file again",
    cause,
  });
}
