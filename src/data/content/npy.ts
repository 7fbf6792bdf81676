// NumPy's .npy files (numpy.org/doc/stable/reference/generated/numpy.lib.format.html): a header and the numbers, row by row, so
// that any block of rows can be read on its own. Written files are float32 or uint8, little endian.

import { type FileHandle, open } from "node:fs/promises";
import { UserError } from "../../core/errors.js";
import { openInput } from "../../core/input-file.js";

/** An array on disk. */
export interface NpyFile {
  readonly path: string;
  /** [rows, ...]. */
  readonly shape: readonly number[];
  /** Numbers in a row. */
  readonly rowSize: number;
  readonly type: NpyType;
  /** The position of the first number. */
  readonly offset: number;
}

/** A type of numbers as NumPy names it: "<f4" is a float32, little endian. */
type NpyType = string;

interface Decoder {
  readonly bytes: number;
  readonly at: (view: DataView, k: number) => number;
}

const readers: Readonly<Record<string, (view: DataView, byte: number, little: boolean) => number>> = {
  f2: (view, byte, little) => half(view.getUint16(byte, little)),
  f4: (view, byte, little) => view.getFloat32(byte, little),
  f8: (view, byte, little) => view.getFloat64(byte, little),
  i1: (view, byte) => view.getInt8(byte),
  i2: (view, byte, little) => view.getInt16(byte, little),
  i4: (view, byte, little) => view.getInt32(byte, little),
  i8: (view, byte, little) => Number(view.getBigInt64(byte, little)),
  u1: (view, byte) => view.getUint8(byte),
  u2: (view, byte, little) => view.getUint16(byte, little),
  u4: (view, byte, little) => view.getUint32(byte, little),
  u8: (view, byte, little) => Number(view.getBigUint64(byte, little)),
  b1: (view, byte) => view.getUint8(byte),
};

function decoderOf(type: NpyType): Decoder | undefined {
  const [order, kind] = [type[0], type.slice(1)];
  if (!"<>|=".includes(order) || !Object.hasOwn(readers, kind)) return undefined;
  const [bytes, read] = [Number(kind[1]), readers[kind]];
  const little = order === "=" ? littleEndian : order !== ">";
  return { bytes, at: (view, k) => read(view, bytes * k, little) };
}

const littleEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
/** The maximum number of bytes per read. */
const pieceBytes = 1 << 26;
/** The maximum size of a header, which is one line of text. */
const mostHeaderBytes = 1 << 20;

/** Reads the header. Throws UserError, naming the file, if it is missing, damaged or not supported. */
export async function openNpy(path: string): Promise<NpyFile> {
  const wrong = (problem: string, expected?: string, remedy?: string) =>
    new UserError({ place: path, problem, expected, remedy });
  const { file, size } = await openInput(path, { expected: "an array written by numpy.save" });
  try {
    const head = Buffer.alloc(Math.min(size, mostHeaderBytes));
    await file.read(head, 0, head.length, 0);
    if (head.length < 12 || head.subarray(0, 6).toString("latin1") !== "\x93NUMPY")
      throw wrong("this is not an .npy file", "an array written by numpy.save");
    if (head[6] < 1 || head[6] > 3) throw wrong(`it has format version ${head[6]}`, "1, 2 or 3");
    const begin = head[6] > 1 ? 12 : 10;
    const offset = begin + (head[6] > 1 ? head.readUInt32LE(8) : head.readUInt16LE(8));
    if (offset > head.length) throw wrong("the header is damaged or the file is truncated");
    const { type, fortran, shape } = parseHeader(head.subarray(begin, offset).toString("latin1"));
    if (shape === undefined || fortran === undefined) throw wrong("the header is damaged");
    const decoder = type === undefined ? undefined : decoderOf(type);
    if (type === undefined || decoder === undefined)
      throw wrong(
        type === undefined
          ? "the array is structured (several fields per element)"
          : type.endsWith("O")
            ? "the array contains Python objects, which are not loaded because they could run code"
            : `the numbers have type ${type}`,
        "floats, integers or booleans",
        "Save it with numpy.save(file, array.astype('float32'))",
      );
    if (shape.length > 1 && fortran)
      throw wrong(
        "the array is stored in column-major order",
        "row-major order",
        "Save it with numpy.save(file, numpy.ascontiguousarray(array))",
      );
    const rowSize = shape.slice(1).reduce((product, length) => product * length, 1);
    const bytes = (shape[0] ?? 1) * rowSize * decoder.bytes;
    if (size < offset + bytes)
      throw wrong(
        `the file is truncated: it has ${size} bytes`,
        `${offset + bytes} bytes for shape (${shape.join(", ")})`,
      );
    return { path, shape, rowSize, type, offset };
  } finally {
    await file.close();
  }
}

/** The three entries of a header; each is undefined if it is missing or invalid, `type` also for a structured array. */
function parseHeader(text: string): { type?: string; fortran?: boolean; shape?: number[] } {
  const after = (name: string): string => {
    const [, rest] = text.split(`'${name}':`);
    return rest?.trimStart() ?? "";
  };
  const type = after("descr");
  const order = after("fortran_order");
  const shape = after("shape");
  const lengths = shape
    .slice(1, Math.max(1, shape.indexOf(")")))
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const isShape =
    shape.startsWith("(") && shape.includes(")") && lengths.every((part) => /^\d{1,15}$/.test(part));
  return {
    ...(type.startsWith("'") && { type: type.slice(1, Math.max(1, type.indexOf("'", 1))) }),
    ...(/^(True|False)\b/.test(order) && { fortran: order.startsWith("True") }),
    ...(isShape && { shape: lengths.map(Number) }),
  };
}

/** Reads the given rows: [chosen.length, rowSize]; consecutive rows are read at once. Throws UserError if the file became shorter. */
export async function readNpyRows(
  npy: NpyFile,
  chosen: ArrayLike<number>,
  mostBytes = pieceBytes,
): Promise<Float32Array> {
  const { rowSize, type, offset, path } = npy;
  const { bytes, at } = decoderOf(type) as Decoder;
  const rowBytes = rowSize * bytes;
  const numbers = new Float32Array(chosen.length * rowSize);
  if (rowBytes === 0) return numbers;
  const most = Math.max(1, Math.floor(mostBytes / rowBytes));
  const { file } = await openInput(path);
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

/** The rows of an array in blocks of a few megabytes. */
export async function* npyBlocks(
  npy: NpyFile,
): AsyncGenerator<{ from: number; rows: number; numbers: Float32Array }> {
  const all = npy.shape[0] ?? 0;
  const blockRows = Math.max(1, Math.min(1024, Math.floor((1 << 22) / Math.max(1, npy.rowSize))));
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

/** Writes rows of the same shape to a new file and returns their number. The header contains it, so it is written last. */
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
      throw new UserError({ place: path, problem: "the file became shorter while it was being read" });
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
