// A tensor here is a dense matrix in an engine's memory; everything in a recommender is one (a vector is a single row,
// a loss per user a single column). What lies behind `storage` is the engine's own affair: above compute/ nobody looks
// inside, and reading back is asynchronous, so that work may run elsewhere (a native thread, later a GPU).

export type Precision = "float32" | "float64";
/** What an engine computes in: a precision, or float32 whose dense products round their operands to bfloat16. */
export type EnginePrecision = Precision | "bf16";
export type FloatArray = Float32Array | Float64Array;

/**
 * What one number of a tensor is: the engine's precision; bfloat16, the upper half of a float32 (8 bits of precision, the
 * range of float32); or int8, an integer from -128 to 127.
 */
export type Element = Precision | "bfloat16" | "int8";

/** Whether an int8 can hold a number. */
export function isInt8(number: number): boolean {
  return (number << 24) >> 24 === number;
}

/** A named array on the host. */
export interface HostTensor {
  /** [rows, columns], or any other number of dimensions. */
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Uint32Array;
}

export type NamedTensors = Record<string, HostTensor>;

/** An engine's memory block. Opaque: only the engine that made it may look inside. */
export interface Storage {
  /** Number of elements. */
  readonly length: number;
  readonly element: Element;
}

/** A dense matrix [rows, columns]; element (r, c) is element `offset + r * rowStride + c` of its storage. */
export interface Tensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
}

/** A sparse batch [rows, columns] in an engine's memory, with what its kernels need prepared (its transpose). */
export interface SparseTensor {
  readonly rows: number;
  readonly columns: number;
  readonly entries: number;
  /** The distinct columns with at least one entry, ascending: the rows of a first layer that get a gradient. */
  readonly touched: Uint32Array;
}

/**
 * Which part of a larger batch a sparse batch is: dropout is named by an entry's position in the whole, so that the pieces of a
 * batch draw what the whole would.
 */
export interface PieceOfBatch {
  /** Of rows: the position of the first entry, which the others follow. Default 0. */
  readonly first?: number;
  /** Of columns: the position of every entry, [entries]. Replaces `first`. */
  readonly positions?: Uint32Array;
  /** Of columns: the sum of the squares of each whole row, [rows], for `rowScale`. Default: those of the rows as they are. */
  readonly squares?: Float64Array;
}

/** Columns [from, to) of a tensor as a view: no copy, same storage. Throws RangeError outside the tensor. */
export function viewColumns(tensor: Tensor, from: number, to: number): Tensor {
  if (!(0 <= from && from <= to && to <= tensor.columns))
    throw new RangeError(`viewColumns: [${from}, ${to}) is outside [0, ${tensor.columns})`);
  return { ...tensor, offset: tensor.offset + from, columns: to - from };
}

/** Rows [from, to) of a tensor as a view: no copy, same storage. Throws RangeError outside the tensor. */
export function viewRows(tensor: Tensor, from: number, to: number): Tensor {
  if (!(0 <= from && from <= to && to <= tensor.rows))
    throw new RangeError(`viewRows: [${from}, ${to}) is outside [0, ${tensor.rows})`);
  return { ...tensor, offset: tensor.offset + from * tensor.rowStride, rows: to - from };
}

/** Elements [from, to) of a tensor, row-major, as one row: a view, no copy. Throws RangeError outside it, and where there are gaps between its rows. */
export function viewElements(tensor: Tensor, from: number, to: number): Tensor {
  const { rows, columns, rowStride } = tensor;
  if (!(0 <= from && from <= to && to <= rows * columns) || (rows > 1 && rowStride !== columns))
    throw new RangeError(`viewElements: [${from}, ${to}) is no piece of [${rows}, ${columns}]`);
  return { ...tensor, offset: tensor.offset + from, rows: 1, columns: to - from, rowStride: to - from };
}

/** The numbers of a tensor, row-major, as [rows, columns]: a view, no copy. Throws RangeError where there are more or fewer, or gaps between rows. */
export function viewReshaped(tensor: Tensor, rows: number, columns: number): Tensor {
  if (
    tensor.rows * tensor.columns !== rows * columns ||
    (tensor.rows > 1 && tensor.rowStride !== tensor.columns)
  )
    throw new RangeError(
      `viewReshaped: [${tensor.rows}, ${tensor.columns}] is not [${rows}, ${columns}] in one piece`,
    );
  return { ...tensor, rows, columns, rowStride: columns };
}

/** The diagonal of a square tensor [n, n] as a column [n, 1]: a view, no copy. Throws RangeError where it is not square. */
export function viewDiagonal(tensor: Tensor): Tensor {
  if (tensor.rows !== tensor.columns)
    throw new RangeError(`viewDiagonal: [${tensor.rows}, ${tensor.columns}] is not square`);
  return { ...tensor, columns: Math.min(1, tensor.columns), rowStride: tensor.rowStride + 1 };
}
