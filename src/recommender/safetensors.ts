// The safetensors format (github.com/huggingface/safetensors): 8 bytes header length (little endian), a JSON header
// { name: { dtype, shape, data_offsets } }, the tensors' bytes. Model files are not trusted: every number is checked against the
// size of the file before anything is allocated. Three dtypes: F32, F64, U32.

import { isUtf8 } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { dataOf, type PendingTensor, type StoredTensors } from "../compute/named-tensors.js";
import type { StoredNumbers } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import { openInput } from "../core/input-file.js";
import { parseJson } from "../core/json-file.js";
import { requireMemory } from "../core/memory.js";
import type { HostTensor, NamedTensors } from "./recommender.js";

/** The maximum size of a header (the format's own limit). */
const MAX_HEADER_BYTES = 100_000_000;
/** The maximum number of tensors. A checkpoint of a hundred layers has about two thousand, a blend the tensors of all its parts. */
const MOST_TENSORS = 10_000;
const REMEDY = "Copy the file again, or train again";
/** The maximum number of bytes per read or write call. */
const CHUNK_BYTES = 1 << 28;

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The contents of a safetensors file: tensors and named text. */
export interface TensorFile {
  tensors: NamedTensors;
  metadata: Record<string, string>;
}

/** Writes all tensors to an open file, sorted by name, so that equal tensors give equal files; pending ones are read one at a time. */
export async function writeSafetensors(
  file: FileHandle,
  tensors: StoredTensors,
  metadata: Record<string, string> = {},
  chunkBytes = CHUNK_BYTES,
): Promise<void> {
  requireLittleEndian();
  const names = Object.keys(tensors).sort();
  const header: [string, unknown][] = [["__metadata__", { format: "foldin", ...metadata }]];
  let end = 0;
  for (const name of names) {
    const { shape } = tensors[name];
    const dtype = dtypeOf(tensors[name]);
    const bytes = lengthOf(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT;
    header.push([name, { dtype, shape, data_offsets: [end, end + bytes] }]);
    end += bytes;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  // Padded with spaces so that the tensors start at a multiple of 8.
  const prefix = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(prefix.length - 8), true);
  prefix.set(json, 8);
  await writeAll(file, prefix, chunkBytes);
  for (const name of names) {
    const data = await dataOf(tensors[name]);
    const { shape } = tensors[name];
    if (lengthOf(shape) !== data.length)
      throw new RangeError(`safetensors: "${name}" has shape [${shape}] but ${data.length} elements`);
    await writeAll(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), chunkBytes);
  }
}

export interface ReadOptions {
  readonly chunkBytes?: number;
  /** Tensors of at least this number of bytes stay in the file until their numbers are used. Default: none. */
  readonly storedFrom?: number;
}

/**
 * Reads a file; large tensors stay in it if requested. Throws UserError, naming the file, if it is not a valid safetensors file.
 */
export async function readSafetensors(
  path: string,
  { chunkBytes = CHUNK_BYTES, storedFrom = Infinity }: ReadOptions = {},
): Promise<TensorFile> {
  requireLittleEndian();
  const damaged = (problem: string) =>
    new UserError({
      place: path,
      problem: `is not a valid safetensors file: ${problem}`,
      remedy: REMEDY,
    });
  const { file, size } = await openInput(path, { expected: "tensors written by foldin" });
  try {
    requireMemory({
      ...{ place: path, bytes: size, what: "the file" },
      alternatives: "Close other programs, or use a machine with more memory",
    });
    if (size < 8) throw damaged(`it has only ${size} bytes`);
    const lengthBytes = new Uint8Array(8);
    await readAll(file, lengthBytes, 0, chunkBytes);
    const headerLength = Number(new DataView(lengthBytes.buffer).getBigUint64(0, true));
    if (headerLength > MAX_HEADER_BYTES || headerLength > size - 8)
      throw damaged(`its header should have ${headerLength} bytes, but the file has ${size}`);
    const headerBytes = new Uint8Array(headerLength);
    await readAll(file, headerBytes, 8, chunkBytes);
    if (!isUtf8(headerBytes)) throw damaged("its header is not JSON");
    let header: unknown;
    try {
      header = parseJson(new TextDecoder().decode(headerBytes), path, { containers: 10 * MOST_TENSORS });
    } catch (error) {
      throw error instanceof UserError ? damaged(`its header ${error.problem}`) : error;
    }
    if (!isObject(header)) throw damaged("its header is not a JSON object");
    const { __metadata__: metadata = {}, ...entries } = header;
    if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === "string"))
      throw damaged("its metadata is not text");

    const count = Object.keys(entries).length;
    if (count > MOST_TENSORS) throw damaged(`it has ${count} tensors, more than ${MOST_TENSORS}`);

    const start = 8 + headerLength;
    const described = Object.entries(entries).map(([name, entry]) => {
      const checked = checkEntry(entry);
      if (!checked) throw damaged(`the header's entry for tensor "${name}" is not valid`);
      return { name, ...checked };
    });
    described.sort((a, b) => a.from - b.from || a.to - b.to);
    let end = 0;
    for (const { name, from, to } of described) {
      if (from !== end) throw damaged(`tensor "${name}" does not start at the end of the previous one`);
      end = to;
    }
    if (start + end !== size)
      throw damaged(`its tensors need ${start + end} bytes, but the file has ${size}`);

    // Several at a time, because most of the time is spent copying, which threads can do in parallel.
    const tensors = await Promise.all(
      described.map(async ({ name, dtype, shape, from, to }): Promise<[string, HostTensor]> => {
        if (to - from >= storedFrom) {
          const { ino, mtimeMs } = await file.stat();
          return [name, new StoredTensor({ path, size, ino, mtimeMs }, { dtype, shape, from: start + from })];
        }
        const bytes = new Uint8Array(to - from);
        await readAll(file, bytes, start + from, chunkBytes);
        return [name, { shape, data: new ARRAYS[dtype](bytes.buffer) }];
      }),
    );
    return { tensors: Object.fromEntries(tensors), metadata: metadata as Record<string, string> };
  } finally {
    await file.close();
  }
}

interface Place {
  readonly path: string;
  readonly size: number;
  readonly ino: number;
  readonly mtimeMs: number;
}

/** Bytes of a stored tensor that are read at a time; a multiple of the size of every number. */
const PIECE_BYTES = 4 << 20;

/** A tensor in a file. No file stays open between two uses, so the file must not change. */
class StoredTensor implements HostTensor {
  readonly shape: readonly number[];
  readonly stored: StoredNumbers;
  #data: HostTensor["data"] | undefined;
  readonly #place: Place;
  readonly #from: number;

  constructor(
    place: Place,
    { dtype, shape, from }: { dtype: Dtype; shape: readonly number[]; from: number },
  ) {
    this.#place = place;
    this.#from = from;
    this.shape = shape;
    const length = shape.reduce((product, size) => product * size, 1);
    this.stored = { none: new ARRAYS[dtype](), length, pieces: () => this.#pieces(ARRAYS[dtype], length) };
  }

  /** Read at once, without yielding to the event loop; `stored.pieces` is for what only needs to pass over the numbers. */
  get data(): HostTensor["data"] {
    if (this.#data) return this.#data;
    const { none, length } = this.stored;
    const bytes = new Uint8Array(length * none.BYTES_PER_ELEMENT);
    const descriptor = openSync(this.#place.path, "r");
    try {
      this.#requireSame(fstatSync(descriptor));
      for (let at = 0; at < bytes.length; ) {
        const count = readSync(
          descriptor,
          bytes,
          at,
          Math.min(CHUNK_BYTES, bytes.length - at),
          this.#from + at,
        );
        if (count === 0) throw this.#changed();
        at += count;
      }
    } finally {
      closeSync(descriptor);
    }
    this.#data = new (none.constructor as new (buffer: ArrayBuffer) => HostTensor["data"])(bytes.buffer);
    return this.#data;
  }

  async *#pieces(Numbers: (typeof ARRAYS)[Dtype], length: number): AsyncGenerator<HostTensor["data"]> {
    const { file } = await openInput(this.#place.path);
    try {
      this.#requireSame(await file.stat());
      const all = length * Numbers.BYTES_PER_ELEMENT;
      // Two buffers in turn: a piece is read while the caller uses the one before.
      const buffers = [0, 1].map(() => new Uint8Array(Math.min(all, PIECE_BYTES)));
      const read = async (at: number) => {
        const piece = buffers[(at / PIECE_BYTES) % 2].subarray(0, Math.min(PIECE_BYTES, all - at));
        await readAll(file, piece, this.#from + at, PIECE_BYTES);
        return new Numbers(piece.buffer, 0, piece.length / Numbers.BYTES_PER_ELEMENT);
      };
      let next = all > 0 ? read(0) : undefined;
      try {
        for (let at = PIECE_BYTES; next; at += PIECE_BYTES) {
          const piece: HostTensor["data"] = await next;
          next = at < all ? read(at) : undefined;
          yield piece;
        }
      } finally {
        // The file is closed after the last read.
        await next?.catch(() => {});
      }
    } finally {
      await file.close();
    }
  }

  #requireSame({ size, ino, mtimeMs }: Omit<Place, "path">): void {
    const { size: before, ino: sameIno, mtimeMs: sameTime } = this.#place;
    if (size !== before || ino !== sameIno || mtimeMs !== sameTime) throw this.#changed();
  }

  #changed(): UserError {
    return new UserError({
      place: this.#place.path,
      problem: "the file has changed while it was being read",
      remedy: "Read it again",
    });
  }
}

const ARRAYS = { F32: Float32Array, F64: Float64Array, U32: Uint32Array } as const;
type Dtype = keyof typeof ARRAYS;

const lengthOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

function dtypeOf(tensor: HostTensor | PendingTensor): Dtype {
  if (!("data" in tensor)) return tensor.element === "float32" ? "F32" : "F64";
  const { data } = tensor;
  return data instanceof Float32Array ? "F32" : data instanceof Float64Array ? "F64" : "U32";
}

/** A header entry with consistent shape, type and offsets, or undefined. */
function checkEntry(entry: unknown): { dtype: Dtype; shape: number[]; from: number; to: number } | undefined {
  if (!isObject(entry)) return undefined;
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(ARRAYS, dtype)) return undefined;
  if (!isSizes(shape) || shape.length > 8 || !isSizes(offsets) || offsets.length !== 2) return undefined;
  const bytes = shape.reduce((product, size) => product * size, ARRAYS[dtype as Dtype].BYTES_PER_ELEMENT);
  if (!Number.isSafeInteger(bytes) || offsets[1] - offsets[0] !== bytes) return undefined;
  return { dtype: dtype as Dtype, shape, from: offsets[0], to: offsets[1] };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function requireLittleEndian(): void {
  if (!littleEndian) throw new Error("safetensors files are read and written on little-endian machines only");
}

async function writeAll(file: FileHandle, bytes: Uint8Array, chunkBytes: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(chunkBytes, bytes.length - at), null);
    at += bytesWritten;
  }
}

async function readAll(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
  chunkBytes: number,
): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(chunkBytes, bytes.length - at);
    const { bytesRead } = await file.read(bytes, at, length, position + at);
    if (bytesRead === 0) throw new Error("the file became shorter while it was being read");
    at += bytesRead;
  }
}
