// Sparse matrices cut in pieces, with what says where a piece lies in the whole.

import type { PieceOfBatch } from "../../src/compute/tensor.js";
import type { CsrMatrix } from "../../src/sparse/csr.js";

export interface Piece {
  readonly matrix: CsrMatrix;
  readonly piece: PieceOfBatch;
}

/** Rows [from, to). */
export function rowPiece(matrix: CsrMatrix, from: number, to: number): Piece {
  const [first, end] = [matrix.offsets[from], matrix.offsets[to]];
  return {
    matrix: {
      rows: to - from,
      columns: matrix.columns,
      offsets: matrix.offsets.slice(from, to + 1).map((offset) => offset - first),
      indices: matrix.indices.slice(first, end),
      values: matrix.values?.slice(first, end),
    },
    piece: { first },
  };
}

/** Columns [from, to), numbered from 0. */
export function columnPiece(matrix: CsrMatrix, from: number, to: number): Piece {
  const offsets = new Uint32Array(matrix.rows + 1);
  const positions: number[] = [];
  const squares = new Float64Array(matrix.rows);
  for (let r = 0; r < matrix.rows; r++) {
    for (let k = matrix.offsets[r]; k < matrix.offsets[r + 1]; k++) {
      squares[r] += matrix.values ? matrix.values[k] ** 2 : 1;
      if (from <= matrix.indices[k] && matrix.indices[k] < to) positions.push(k);
    }
    offsets[r + 1] = positions.length;
  }
  const { values } = matrix;
  return {
    matrix: {
      rows: matrix.rows,
      columns: to - from,
      offsets,
      indices: Uint32Array.from(positions, (k) => matrix.indices[k] - from),
      values: values && Float32Array.from(positions, (k) => values[k]),
    },
    piece: { positions: Uint32Array.from(positions), squares },
  };
}
