// Checks of the memory that engines allocate and release. (The checks of kernels are in kernels.ts.)

import type { CsrMatrix } from "../sparse/csr.js";
import { fail, shape } from "./kernel.js";
import { type Element, isInt8, type PieceOfBatch, type Precision, type Tensor } from "./tensor.js";

/** Maximum number of rows or columns: kernels and the arrays of a sparse batch use 32-bit indices. */
export const MOST_ROWS = 2 ** 32 - 1;
/** Maximum number of elements of a dense tensor: the longest typed array of every supported version of Node. */
export const MOST_NUMBERS = 2 ** 32;

export const shapes = {
  /** The shape for zeros, empty, tensor and sparse. */
  size(kernel: string, rows: number, columns: number): void {
    for (const n of [rows, columns])
      if (!(Number.isInteger(n) && n >= 0 && n <= MOST_ROWS))
        fail(
          kernel,
          `[${rows}, ${columns}] is not a valid shape: both must be integers from 0 to ${MOST_ROWS}`,
        );
  },
  /** The number of elements of a dense tensor, and their type: the engine's precision, bfloat16 or int8. */
  dense(kernel: string, rows: number, columns: number, element: Element, precision: Precision): void {
    shapes.size(kernel, rows, columns);
    if (element !== precision && element !== "bfloat16" && element !== "int8")
      fail(kernel, `an engine of ${precision} supports ${precision}, bfloat16 and int8, not ${element}`);
    if (rows * columns > MOST_NUMBERS)
      fail(kernel, `[${rows}, ${columns}] is too large: an array holds at most ${MOST_NUMBERS} numbers`);
  },
  /** The data that fills a tensor; for int8, integers in its range. */
  data(
    kernel: string,
    tensor: { rows: number; columns: number },
    data: ArrayLike<number>,
    element: Element,
  ): void {
    if (data.length !== tensor.rows * tensor.columns)
      fail(kernel, `${data.length} numbers for a tensor ${shape(tensor)}`);
    if (element !== "int8") return;
    for (let i = 0; i < data.length; i++)
      if (!isInt8(data[i])) fail(kernel, `${data[i]} is not an integer from -128 to 127`);
  },
  /** The consistency of the arrays of a CSR matrix. */
  sparse(matrix: CsrMatrix, { first = 0, positions, squares }: PieceOfBatch = {}): void {
    const { rows, columns, offsets, indices, values } = matrix;
    shapes.size("sparse", rows, columns);
    if (offsets.length !== rows + 1) fail("sparse", `${offsets.length} offsets for ${rows} rows`);
    if (offsets[0] !== 0) fail("sparse", `the first offset is ${offsets[0]}, not 0`);
    for (let r = 0; r < rows; r++)
      if (offsets[r] > offsets[r + 1]) fail("sparse", `the offsets of row ${r} descend`);
    if (indices.length !== offsets[rows])
      fail("sparse", `${indices.length} indices, but the last offset is ${offsets[rows]}`);
    if (values && values.length !== indices.length)
      fail("sparse", `${values.length} values for ${indices.length} indices`);
    for (const index of indices)
      if (index >= columns) fail("sparse", `column ${index} is outside [0, ${columns})`);
    if (!(Number.isSafeInteger(first) && first >= 0))
      fail("sparse", `first ${first} is not a non-negative integer`);
    if (positions && positions.length !== indices.length)
      fail("sparse", `${positions.length} positions for ${indices.length} entries`);
    if (squares && squares.length !== rows)
      fail("sparse", `${squares.length} sums of squares for ${rows} rows`);
  },
  /** Only a tensor allocated by the engine may be released, not a view. */
  release(tensor: Tensor): void {
    const { storage, offset, rows, columns, rowStride } = tensor;
    if (offset !== 0 || rowStride !== columns || rows * columns !== storage.length)
      throw new Error(`release: ${shape(tensor)} is a view; release the original tensor`);
  },
};

/** The error for using or releasing a tensor or sparse batch after its release. */
export function releasedError(kernel: string): Error {
  return new Error(`${kernel}: the tensor was released`);
}

/** The error for using a closed engine. */
export function closedError(): Error {
  return new Error("the engine is closed");
}

/** The error for a tensor or sparse batch of another engine. */
export function foreignError(): Error {
  return new Error("the tensor belongs to another engine");
}

/**
 * The number of elements to allocate for a block of `length`: four sizes per power of two, so that batches of varying size share
 * a few reusable blocks (at most a quarter is wasted) instead of one block for every size.
 */
export function sizeClass(length: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, length))) - 2);
  return Math.ceil(length / step) * step;
}
