// The element types of the reference engine's memory. bfloat16 is stored in 16 bits; kernels only compute on floats.

import type { Element, FloatArray, Precision } from "../../tensor.js";
import type { Matrix } from "./matrix.js";

/** Numbers as stored in memory: bfloat16 as the bits of a Uint16Array. */
export type ElementArray = FloatArray | Uint16Array | Int8Array;

/** A tensor with access to its storage; a `Matrix` if its elements are floats. */
export interface Stored extends Omit<Matrix, "data"> {
  readonly data: ElementArray;
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
} as const satisfies Record<Element, unknown>;

export function elementArray(element: Element, length: number): ElementArray {
  return new arrays[element](length);
}

export function isOfFloats(stored: Stored): stored is Matrix {
  return stored.data instanceof Float32Array || stored.data instanceof Float64Array;
}

/** The elements of a tensor, dense, as floats of the given precision, without rounding. */
export function widened(stored: Stored, precision: Precision): Matrix {
  const { data: from, offset, rows, columns, rowStride } = stored;
  const data = new arrays[precision](rows * columns);
  for (let r = 0, k = 0; r < rows; r++) {
    const o = offset + r * rowStride;
    if (from instanceof Uint16Array) for (let c = 0; c < columns; c++) data[k++] = fromBfloat16(from[o + c]);
    else for (let c = 0; c < columns; c++) data[k++] = from[o + c];
  }
  return { data, offset: 0, rows, columns, rowStride: columns };
}

/** Replaces the contents of a tensor by a dense row-major array, rounded to its element type. */
export function store({ data, offset, rows, columns, rowStride }: Stored, source: ArrayLike<number>): void {
  for (let r = 0, k = 0; r < rows; r++) {
    const o = offset + r * rowStride;
    if (data instanceof Uint16Array) for (let c = 0; c < columns; c++) data[o + c] = toBfloat16(source[k++]);
    else for (let c = 0; c < columns; c++) data[o + c] = source[k++];
  }
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function fromBfloat16(upper: number): number {
  bits[0] = upper << 16;
  return float[0];
}

/** Rounds the first numbers of an array to bfloat16. */
export function roundToBfloat16(numbers: FloatArray, count: number): void {
  for (let i = 0; i < count; i++) numbers[i] = roundedToBfloat16(numbers[i]);
}

export function roundedToBfloat16(number: number): number {
  return fromBfloat16(toBfloat16(number));
}

/** The nearest bfloat16 of a float32 number, ties to even; a NaN becomes a quiet NaN. */
function toBfloat16(number: number): number {
  float[0] = number;
  const upper = bits[0] >>> 16;
  return Number.isNaN(number) ? upper | 0x40 : (bits[0] + 0x7fff + (upper & 1)) >>> 16;
}
