// The operands of the reference engine's kernels: tensors with access to their storage.

import type { FloatArray, PieceOfBatch } from "../../tensor.js";

/** Element (r, c) is data[offset + r * rowStride + c]. */
export interface Matrix {
  readonly data: FloatArray;
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
}

/** A sparse batch with its transpose over the touched columns. */
export interface SparseMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly entries: number;
  readonly offsets: Uint32Array;
  readonly indices: Uint32Array;
  readonly values: Float32Array | undefined;
  readonly touched: Uint32Array;
  /** [touched.length + 1]: the start of each touched column in `rowOf` and `positionOf`. */
  readonly columnOffsets: Uint32Array;
  /** The row of each entry, column by column. */
  readonly rowOf: Uint32Array;
  /** The position in `indices` of each entry, column by column. */
  readonly positionOf: Uint32Array;
  /** The positions of its entries in a larger batch. */
  readonly piece: PieceOfBatch;
}
