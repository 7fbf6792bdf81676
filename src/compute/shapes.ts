// What engines demand of the memory that they hand out and take back. (What kernels demand is in kernels.ts.)

import type { CsrMatrix } from "../sparse/csr.js";
import { fail, shape } from "./kernel.js";
import { type Element, isInt8, type PieceOfBatch, type Precision, type Tensor } from "./tensor.js";

/** Rows, or columns, of a tensor or a sparse batch: the kernels, and the arrays of a sparse batch, name them by 32 bits. */
export const MOST_ROWS = 2 ** 32 - 1;
/** Numbers in a dense tensor: what the longest typed array of every supported Node can hold, so that it can be read. */
export const MOST_NUMBERS = 2 ** 32;

export const shapes = {
  /** A size for zeros, empty, tensor and sparse. */
  size(kernel: string, rows: number, columns: number): void {
    for (const n of [rows, columns])
      if (!(Number.isInteger(n) && n >= 0 && n <= MOST_ROWS))
        fail(kernel, `[${rows}, ${columns}] is not a shape: both are integers from 0 to ${MOST_ROWS}`);
  },
  /** The numbers of a dense tensor, and their type: the engine's precision, bfloat16 or int8. */
  dense(kernel: string, rows: number, columns: number, element: Element, precision: Precision): void {
    shapes.size(kernel, rows, columns);
    if (element !== precision && element !== "bfloat16" && element !== "int8")
      fail(kernel, `an engine of ${precision} holds ${precision}, bfloat16 and int8, not ${element}`);
    if (rows * columns > MOST_NUMBERS)
      fail(kernel, `[${rows}, ${columns}] is too large: an array holds at most ${MOST_NUMBERS} numbers`);
  },
  /** What fills a tensor: of int8, integers that it can hold. */
  data(
    kernel: string,
    tensor: { rows: number; columns: number },
    data: ArrayLike<number>,
    element: Element,
  ): void {
    if (data.length !== tensor.rows * tensor.columns)
      fail(kernel, `${data.length} numbers do not fill ${shape(tensor)}`);
    if (element !== "int8") return;
    for (let i = 0; i < data.length; i++)
      if (!isInt8(data[i])) fail(kernel, `${data[i]} is not an integer from -128 to 127`);
  },
  /** The arrays of a CSR matrix fit together. */
  sparse(matrix: CsrMatrix, { first = 0, positions, squares }: PieceOfBatch = {}): void {
    const { rows, columns, offsets, indices, values } = matrix;
    shapes.size("sparse", rows, columns);
    if (offsets.length !== rows + 1) fail("sparse", `${offsets.length} offsets for ${rows} rows`);
    if (offsets[0] !== 0) fail("sparse", `the first offset is ${offsets[0]}, not 0`);
    for (let r = 0; r < rows; r++)
      if (offsets[r] > offsets[r + 1]) fail("sparse", `the offsets of row ${r} descend`);
    if (indices.length !== offsets[rows])
      fail("sparse", `${indices.length} indices where the offsets say ${offsets[rows]}`);
    if (values && values.length !== indices.length)
      fail("sparse", `${values.length} values for ${indices.length} indices`);
    for (const index of indices)
      if (index >= columns) fail("sparse", `column ${index} is outside [0, ${columns})`);
    if (!(Number.isSafeInteger(first) && first >= 0))
      fail("sparse", `first ${first} is not an integer from 0`);
    if (positions && positions.length !== indices.length)
      fail("sparse", `${positions.length} positions for ${indices.length} entries`);
    if (squares && squares.length !== rows)
      fail("sparse", `${squares.length} sums of squares for ${rows} rows`);
  },
  /** Only a tensor that the engine handed out may be released, never a view of one. */
  release(tensor: Tensor): void {
    const { storage, offset, rows, columns, rowStride } = tensor;
    if (offset !== 0 || rowStride !== columns || rows * columns !== storage.length)
      throw new Error(`release: ${shape(tensor)} is a view; release the tensor that it was made of`);
  },
};

/** What using a tensor or sparse batch after its release throws, and releasing it twice. */
export function releasedError(kernel: string): Error {
  return new Error(`${kernel}: the tensor was released`);
}

/** What using a closed engine throws. */
export function closedError(): Error {
  return new Error("the engine is closed");
}

/** What a tensor or sparse batch of another engine throws. */
export function foreignError(): Error {
  return new Error("the tensor belongs to another engine");
}

/**
 * The number of elements to allocate for a block of `length`: four sizes per power of two, so that batches of ever
 * changing size share a few reusable blocks (at most a quarter is wasted) instead of leaving one behind for every size.
 */
export function sizeClass(length: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, length))) - 2);
  return Math.ceil(length / step) * step;
}
