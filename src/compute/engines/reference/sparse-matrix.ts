// A sparse batch, with the transpose over its touched columns, which the gradient of the first layer needs.

import { type CsrMatrix, entryCount } from "../../../sparse/csr.js";
import type { PieceOfBatch } from "../../tensor.js";
import type { SparseMatrix } from "./matrix.js";

/** Copies a checked CSR matrix and prepares its transpose: O(entries + columns). */
export function sparseMatrix(
  matrix: CsrMatrix,
  { first, positions, squares }: PieceOfBatch = {},
): SparseMatrix {
  const { rows, columns } = matrix;
  const entries = entryCount(matrix);
  const offsets = matrix.offsets.slice();
  const indices = matrix.indices.slice();

  const slotOf = new Uint32Array(columns);
  for (let k = 0; k < entries; k++) slotOf[indices[k]]++;
  let count = 0;
  for (let c = 0; c < columns; c++) if (slotOf[c] > 0) count++;
  const touched = new Uint32Array(count);
  const columnOffsets = new Uint32Array(count + 1);
  for (let c = 0, slot = 0; c < columns; c++)
    if (slotOf[c] > 0) {
      touched[slot] = c;
      columnOffsets[slot + 1] = columnOffsets[slot] + slotOf[c];
      slotOf[c] = slot++;
    }

  const cursor = columnOffsets.slice(0, count);
  const rowOf = new Uint32Array(entries);
  const positionOf = new Uint32Array(entries);
  for (let r = 0; r < rows; r++)
    for (let k = offsets[r]; k < offsets[r + 1]; k++) {
      const place = cursor[slotOf[indices[k]]]++;
      rowOf[place] = r;
      positionOf[place] = k;
    }
  return {
    rows,
    columns,
    entries,
    offsets,
    indices,
    values: matrix.values?.slice(),
    touched,
    columnOffsets,
    rowOf,
    positionOf,
    piece: { first, positions: positions?.slice(), squares: squares?.slice() },
  };
}
