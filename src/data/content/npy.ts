// NumPy's .npy files (numpy.org/doc/stable/reference/generated/numpy.lib.format.html): a header and the numbers, row after
// row, so that any block of rows can be read from its place. What is written is float32 or uint8, little endian.

import { type FileHandle, open } from "node:fs/promises";
import { UserError } from "../../core/errors.js";

/** An array on disk. */
export interface NpyFile {
  readonly path: string;
  /** [rows, ...]. */
  readonly shape: readonly number[];
  /** Numbers in a row. */
  readonly rowSize: number;
  readonly type: NpyType;
  /** Where the numbers begin. */
  readonly offset: number;
}

const decoders = {
  "<f4": { bytes: 4, at: (view: DataView, k: number) => view.getFloat32(4 * k, true) },
  "<f8": { bytes: 8, at: (view: DataView, k: number) => view.getFloat64(8 * k, true) },
  "<f2": { bytes: 2, at: (view: DataView, k: number) => half(view.getUint16(2 * k, true)) },
  "|u1": { bytes: 1, at: (view: DataView, k: number) => view.getUint8(k) },
  "|i1": { bytes: 1, at: (view: DataView, k: number) => view.getInt8(k) },
  "<i4": { bytes: 4, at: (view: DataView, k: number) => view.getInt32(4 * k, true) },
  "<i8": { bytes: 8, at: (view: DataView, k: number) => Number(view.getBigInt64(8 * k, true)) },
} as const;
export type NpyType = keyof typeof decoders;

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
/** One read moves at most this much. */
const pieceBytes = 1 << 26;

/** Reads the header. Throws UserError, naming the file, where it is missing, damaged, or of a kind that is not read. */
export async function openNpy(path: string): Promise<NpyFile> {
  const wrong = (problem: string, expected?: string, remedy?: string) =>
    new UserError({ place: path, problem, expected, remedy });
  const file = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    throw wrong(
      cause.code === "ENOENT" ? "there is no such file" : `the file cannot be read (${cause.code})`,
    );
  });
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(Math.min(size, 1 << 16));
    await file.read(head, 0, head.length, 0);
    if (head.length < 12 || head.subarray(0, 6).toString("latin1") !== "\x93NUMPY")
      throw wrong("this is no .npy file", "an array written by numpy.save");
    const long = head[6] > 1;
    const begin = long ? 12 : 10;
    const offset = begin + (long ? head.readUInt32LE(8) : head.readUInt16LE(8));
    const text = head.subarray(begin, Math.min(offset, head.length)).toString("latin1");
    const type = /'descr': *'([^']+)'/.exec(text)?.[1];
    const shape = /'shape': *\(([^)]*)\)/
      .exec(text)?.[1]
      .split(",")
      .filter((part) => part.trim() !== "")
      .map(Number);
    if (shape === undefined || !shape.every(Number.isSafeInteger)) throw wrong("the header is damaged");
    if (type === undefined || !Object.hasOwn(decoders, type))
      throw wrong(
        type === undefined ? "the array is a table of several columns" : `the numbers are of type ${type}`,
        Object.keys(decoders).join(", "),
        "Write it with numpy.save(file, array.astype('float32'))",
      );
    if (shape.length > 1 && /'fortran_order': *True/.test(text))
      throw wrong(
        "the array is stored column by column",
        "row by row",
        "Write it with numpy.save(file, numpy.ascontiguousarray(array))",
      );
    const rowSize = shape.slice(1).reduce((product, length) => product * length, 1);
    const bytes = (shape[0] ?? 1) * rowSize * decoders[type as NpyType].bytes;
    if (size < offset + bytes)
      throw wrong(
        `the file is cut short: it has ${size} bytes`,
        `${offset + bytes} for shape (${shape.join(", ")})`,
      );
    return { path, shape, rowSize, type: type as NpyType, offset };
  } finally {
    await file.close();
  }
}

/** Reads the given rows: [chosen.length, rowSize]; runs of neighbours are read at once. Throws UserError where the file became shorter. */
export async function readNpyRows(
  npy: NpyFile,
  chosen: ArrayLike<number>,
  mostBytes = pieceBytes,
): Promise<Float32Array> {
  const { rowSize, type, offset, path } = npy;
  const { bytes, at } = decoders[type];
  const rowBytes = rowSize * bytes;
  const numbers = new Float32Array(chosen.length * rowSize);
  if (rowBytes === 0) return numbers;
  const most = Math.max(1, Math.floor(mostBytes / rowBytes));
  const file = await open(path, "r").catch((cause: unknown) => {
    throw new UserError({ place: path, problem: "the file cannot be read", cause });
  });
  try {
    for (let k = 0; k < chosen.length; ) {
      let run = 1;
      while (run < most && k + run < chosen.length && chosen[k + run] === chosen[k] + run) run++;
      const piece = Buffer.alloc(run * rowBytes);
      await readAll(file, piece, offset + chosen[k] * rowBytes, path);
      if (type === "<f4" && littleEndian)
        new Uint8Array(numbers.buffer, k * rowSize * 4, piece.length).set(piece);
      else {
        const view = new DataView(piece.buffer, piece.byteOffset, piece.length);
        for (let n = 0; n < run * rowSize; n++) numbers[k * rowSize + n] = at(view, n);
      }
      k += run;
    }
  } finally {
    await file.close();
  }
  return numbers;
}

/** The rows of an array in blocks of at most `blockRows`. */
export async function* npyBlocks(
  npy: NpyFile,
  blockRows = 1024,
): AsyncGenerator<{ from: number; rows: number; numbers: Float32Array }> {
  const all = npy.shape[0] ?? 0;
  for (let from = 0; from < all; from += blockRows) {
    const rows = Math.min(blockRows, all - from);
    yield {
      from,
      rows,
      numbers: await readNpyRows(
        npy,
        Uint32Array.from({ length: rows }, (_, k) => from + k),
      ),
    };
  }
}

/** Writes rows of one shape to a new file; the header, which has their number, is written at the end. Returns that number. */
export async function writeNpy(
  path: string,
  type: "<f4" | "|u1",
  rowShape: readonly number[],
  rows: AsyncIterable<Float32Array | Uint8Array>,
): Promise<number> {
  const headerBytes = 128;
  const file = await open(path, "wx");
  let count = 0;
  let end = headerBytes;
  try {
    let pieces: Uint8Array[] = [];
    let held = 0;
    const flush = async () => {
      const all = Buffer.concat(pieces);
      for (let at = 0; at < all.length; ) {
        const { bytesWritten } = await file.write(all, at, all.length - at, end);
        at += bytesWritten;
        end += bytesWritten;
      }
      pieces = [];
      held = 0;
    };
    for await (const row of rows) {
      const bytes = new Uint8Array(row.buffer, row.byteOffset, row.byteLength).slice();
      pieces.push(bytes);
      held += bytes.length;
      count++;
      if (held > 1 << 22) await flush();
    }
    await flush();
    const shape = [count, ...rowShape];
    const dict = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
    const header = Buffer.alloc(headerBytes, " ");
    header.write("\x93NUMPY\x01\x00", 0, "latin1");
    header.writeUInt16LE(headerBytes - 10, 8);
    header.write(dict, 10, "latin1");
    header.write("\n", headerBytes - 1);
    await file.write(header, 0, headerBytes, 0);
  } finally {
    await file.close();
  }
  return count;
}

async function readAll(file: FileHandle, bytes: Buffer, position: number, path: string): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0)
      throw new UserError({ place: path, problem: "the file became shorter while it was read" });
    at += bytesRead;
  }
}

/** A number in half precision (IEEE 754 binary16). */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
