// Builds an ONNX graph: nodes in order of computation, and their constants. Weight matrices can be stored as float16, or as
// int8 with one scale per row; computations use float32.

import { type Attribute, type DataType, dataTypes, type NodeProto, type TensorProto } from "./schema.js";

/** The data types for stored weight matrices. */
const weightTypes = ["float32", "float16", "int8"] as const;
export type WeightType = (typeof weightTypes)[number];

/** Smaller matrices stay float32, because their size does not matter. */
const LEAST_NUMBERS = 4096;

/** A matrix [rows, columns] in the file; names refer to values in the graph. */
export interface StoredMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly numbers: string;
  /** For int8: the scales, float32 [rows, 1]. */
  readonly scales?: string;
  readonly type: WeightType;
}

export const attribute = {
  int: (name: string, i: number): Attribute => ({ name, type: 2, i }),
  ints: (name: string, ints: readonly number[]): Attribute => ({ name, type: 7, ints }),
  float: (name: string, f: number): Attribute => ({ name, type: 1, f }),
  text: (name: string, s: string): Attribute => ({ name, type: 3, s: new TextEncoder().encode(s) }),
  tensor: (name: string, t: TensorProto): Attribute => ({ name, type: 4, t }),
};

export class Graph {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly weights: WeightType;
  readonly #small = new Map<string, string>();
  #names = 0;

  constructor(weights: WeightType) {
    this.weights = weights;
  }

  /** Adds a node with one output and returns the name of the output. */
  node(opType: string, input: readonly string[], ...attributes: Attribute[]): string {
    return this.severalOutputs(opType, input, 1, ...attributes)[0];
  }

  /** Adds a node with several outputs and returns their names. */
  severalOutputs(opType: string, input: readonly string[], outputs: number, ...given: Attribute[]): string[] {
    const name = `${opType}_${this.#names++}`;
    const output = Array.from({ length: outputs }, (_, i) => (i === 0 ? name : `${name}_${i}`));
    this.nodes.push({ name, opType, input, output, attribute: given });
    return output;
  }

  constant(type: DataType, data: ArrayBufferView, dims: readonly number[]): string {
    const name = `constant_${this.initializers.length}`;
    this.initializers.push({ ...tensor(type, data, dims), name });
    return name;
  }

  /** A short constant; equal ones are stored once. */
  ints(...numbers: number[]): string {
    return this.#once(`int64 ${numbers}`, () =>
      this.constant("int64", BigInt64Array.from(numbers, BigInt), [numbers.length]),
    );
  }

  /** An int32 scalar. */
  int32(number: number): string {
    return this.#once(`int32 ${number}`, () => this.constant("int32", Int32Array.of(number), []));
  }

  /** A float32 scalar. */
  float(number: number): string {
    return this.#once(`float ${number}`, () => this.constant("float32", Float32Array.of(number), []));
  }

  /** Stores a row-major matrix in the weight type of the graph. */
  matrix(data: Float32Array, rows: number, columns: number): StoredMatrix {
    const shape = [rows, columns];
    if (this.weights === "float32" || rows * columns < LEAST_NUMBERS)
      return { rows, columns, type: "float32", numbers: this.constant("float32", data, shape) };
    if (this.weights === "float16")
      return { rows, columns, type: "float16", numbers: this.constant("float16", halves(data), shape) };
    const { numbers, scales } = quantised(data, rows, columns);
    return {
      ...{ rows, columns, type: "int8" },
      numbers: this.constant("int8", numbers, shape),
      scales: this.constant("float32", scales, [rows, 1]),
    };
  }

  /** Stores the entries of a sparse matrix whose rows start at `offsets`; int8 has one scale per row of the matrix. */
  entries(data: Float32Array, offsets: Uint32Array): StoredMatrix {
    const rows = offsets.length - 1;
    const shape = [data.length];
    const matrix = { rows, columns: 1 };
    if (this.weights === "float32" || data.length < LEAST_NUMBERS)
      return { ...matrix, type: "float32", numbers: this.constant("float32", data, shape) };
    if (this.weights === "float16")
      return { ...matrix, type: "float16", numbers: this.constant("float16", halves(data), shape) };
    const all = new Int8Array(data.length);
    const allScales = new Float32Array(rows);
    for (let r = 0; r < rows; r++) {
      const row = data.subarray(offsets[r], offsets[r + 1]);
      const { numbers, scales } = quantised(row, 1, row.length);
      all.set(numbers, offsets[r]);
      allScales[r] = scales[0];
    }
    return {
      ...{ ...matrix, type: "int8" },
      numbers: this.constant("int8", all, shape),
      scales: this.constant("float32", allScales, [rows]),
    };
  }

  /** The entries at positions `at` [batch, length, n], which belong to the rows `index` [batch, length], as float32. */
  entriesAt({ type, numbers, scales }: StoredMatrix, at: string, index: string): string {
    const axis = attribute.int("axis", 0);
    const scale =
      scales && this.node("Unsqueeze", [this.node("Gather", [scales, index], axis), this.ints(2)]);
    return this.#floats(type, this.node("Gather", [numbers, at], axis), scale);
  }

  /** A complete matrix as float32. Runtimes compute this once, when they load the model. */
  whole({ type, numbers, scales }: StoredMatrix): string {
    return this.#once(`whole ${numbers}`, () => this.#floats(type, numbers, scales));
  }

  /** Rows of a matrix as float32: [...indices, columns]. */
  rows({ type, numbers, scales }: StoredMatrix, indices: string): string {
    const axis = attribute.int("axis", 0);
    const some = this.node("Gather", [numbers, indices], axis);
    return this.#floats(type, some, scales && this.node("Gather", [scales, indices], axis));
  }

  #floats(type: WeightType, numbers: string, scales: string | undefined): string {
    if (type === "float32") return numbers;
    const floats = this.node("Cast", [numbers], attribute.int("to", dataTypes.float32));
    return scales === undefined ? floats : this.node("Mul", [floats, scales]);
  }

  #once(key: string, make: () => string): string {
    const known = this.#small.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#small.set(key, made);
    return made;
  }
}

export function tensor(type: DataType, data: ArrayBufferView, dims: readonly number[]): TensorProto {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { dims, dataType: dataTypes[type], rawData };
}

/** Symmetric int8 quantisation with one scale per row: q = round(x / scale), |q| <= 127. */
export function quantised(data: Float32Array, rows: number, columns: number) {
  const numbers = new Int8Array(rows * columns);
  const scales = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    const row = data.subarray(r * columns, (r + 1) * columns);
    let most = 0;
    for (const x of row) most = Math.max(most, Math.abs(x));
    scales[r] = most / 127;
    if (most > 0) for (let c = 0; c < columns; c++) numbers[r * columns + c] = Math.round(row[c] / scales[r]);
  }
  return { numbers, scales };
}

/** IEEE 754 binary16, rounded to nearest, ties to even; values that are too large become the largest finite number. */
export function halves(data: Float32Array): Uint16Array {
  const out = new Uint16Array(data.length);
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  for (let i = 0; i < data.length; i++) {
    const sign = (bits[i] >>> 16) & 0x8000;
    const magnitude = bits[i] & 0x7fffffff;
    const exponent = (magnitude >>> 23) - 112;
    let half: number;
    if (magnitude > 0x7f800000) half = 0x7e00;
    else if (exponent >= 31) half = 0x7bff;
    else if (exponent <= 0) {
      // Below the normal numbers: multiples of 2^-24.
      const scaled = Math.abs(data[i]) * 2 ** 24;
      const floor = Math.floor(scaled);
      const rest = scaled - floor;
      half = floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0);
    } else {
      const kept = (exponent << 10) | ((magnitude >>> 13) & 0x3ff);
      const rest = magnitude & 0x1fff;
      half = Math.min(0x7bff, kept + (rest > 0x1000 || (rest === 0x1000 && kept % 2 === 1) ? 1 : 0));
    }
    out[i] = sign | half;
  }
  return out;
}
