// A tensor is a dense matrix in an engine's memory (a vector is a single row, a loss per user a single column). `storage` is
// private to the engine: code outside compute/ does not access it, and reading is asynchronous, so that work may run elsewhere
// (a native thread, later a GPU).

export type Precision = "float32" | "float64";
/** What an engine computes in: a precision, or float32 whose dense products round their operands to bfloat16. */
export type EnginePrecision = Precision | "bf16";
export type FloatArray = Float32Array | Float64Array;

/**
 * The element type of a tensor: the engine's precision; bfloat16, the upper half of a float32 (8 bits of precision, the range of
 * float32); or int8, an integer from -128 to 127.
 */
export type Element = Precision | "bfloat16" | "int8";

/** Whether a number can be stored as int8. */
export function isInt8(number: number): boolean {
  return (number << 24) >> 24 === number;
}

/** The axis of a matrix that begins with one row (or column) per item of the catalogue. */
export type ItemAxis = "rows" | "columns";

/** The division of a tensor that has only the items of this member; what follows the items is the same on every member. */
export interface DividedAxis {
  readonly axis: ItemAxis;
  /** The items of the catalogue, and those that the tensor has. */
  readonly division: { readonly items: number; readonly own: { readonly from: number; readonly to: number } };
}

/** A named array on the host. */
export interface HostTensor {
  /** [rows, columns], or any other number of dimensions. */
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Uint32Array;
  /** Present if the tensor has only the items of this member. */
  readonly divided?: DividedAxis;
  /** Present if the numbers are in a file and are only read when `data` is used. */
  readonly stored?: StoredNumbers;
}

/** The numbers of a tensor in a file. */
export interface StoredNumbers {
  /** An empty array of their type. */
  readonly none: HostTensor["data"];
  readonly length: number;
  /** The numbers in order, in pieces. Throws UserError if the file has changed. */
  pieces(): AsyncIterable<HostTensor["data"]>;
}

/** The size of a tensor in bytes. */
export function bytesOf(tensor: HostTensor): number {
  const { stored } = tensor;
  return stored ? stored.length * stored.none.BYTES_PER_ELEMENT : tensor.data.byteLength;
}

export type NamedTensors = Record<string, HostTensor>;

/** An engine's memory block. Opaque: only the engine that created it may access it. */
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

/** A sparse batch [rows, columns] in an engine's memory, with data prepared for its kernels (its transpose). */
export interface SparseTensor {
  readonly rows: number;
  readonly columns: number;
  readonly entries: number;
  /** The distinct columns with at least one entry, ascending: the rows of a first layer that get a gradient. */
  readonly touched: Uint32Array;
}

/**
 * The part of a larger batch that a sparse batch is: dropout depends on the position of an entry in the whole batch, so that pieces
 * draw the same bits as the whole.
 */
export interface PieceOfBatch {
  /** For a piece of rows: the position of the first entry; the others are consecutive. Default 0. */
  readonly first?: number;
  /** For a piece of columns: the position of every entry, [entries]. Replaces `first`. */
  readonly positions?: Uint32Array;
  /** For a piece of columns: the sum of squares of each whole row, [rows], for `rowScale`. Default: those of the given rows. */
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

/** Elements [from, to) of a tensor, row-major, as one row: a view, no copy. Throws RangeError outside the tensor, and if it is not contiguous. */
export function viewElements(tensor: Tensor, from: number, to: number): Tensor {
  const { rows, columns, rowStride } = tensor;
  if (!(0 <= from && from <= to && to <= rows * columns) || (rows > 1 && rowStride !== columns))
    throw new RangeError(`viewElements: [${from}, ${to}) is not a contiguous part of [${rows}, ${columns}]`);
  return { ...tensor, offset: tensor.offset + from, rows: 1, columns: to - from, rowStride: to - from };
}

/** The elements of a tensor, row-major, as [rows, columns]: a view, no copy. Throws RangeError if the number of elements differs or the tensor is not contiguous. */
export function viewReshaped(tensor: Tensor, rows: number, columns: number): Tensor {
  if (
    tensor.rows * tensor.columns !== rows * columns ||
    (tensor.rows > 1 && tensor.rowStride !== tensor.columns)
  )
    throw new RangeError(
      `viewReshaped: [${tensor.rows}, ${tensor.columns}] cannot be viewed as [${rows}, ${columns}]`,
    );
  return { ...tensor, rows, columns, rowStride: columns };
}

/** The diagonal of a square tensor [n, n] as a column [n, 1]: a view, no copy. Throws RangeError if it is not square. */
export function viewDiagonal(tensor: Tensor): Tensor {
  if (tensor.rows !== tensor.columns)
    throw new RangeError(`viewDiagonal: [${tensor.rows}, ${tensor.columns}] is not square`);
  return { ...tensor, columns: Math.min(1, tensor.columns), rowStride: tensor.rowStride + 1 };
}
