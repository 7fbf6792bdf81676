// Sums of sparse rows: applies a sparse item-item matrix to histories, reading only the rows of their items.

import type { Matrix, SparseMatrix } from "./matrix.js";

export function sumSparseRows(out: Matrix, input: SparseMatrix, rows: SparseMatrix): void {
  const sums = new Float64Array(rows.columns);
  for (let r = 0; r < input.rows; r++) {
    sums.fill(0);
    for (let k = input.offsets[r]; k < input.offsets[r + 1]; k++) {
      const factor = input.values?.[k] ?? 1;
      const row = input.indices[k];
      for (let e = rows.offsets[row]; e < rows.offsets[row + 1]; e++)
        sums[rows.indices[e]] += factor * (rows.values?.[e] ?? 1);
    }
    out.data.set(sums, out.offset + r * out.rowStride);
  }
}

export function sumChainedRows(
  out: Matrix,
  input: SparseMatrix,
  first: SparseMatrix,
  second: SparseMatrix,
): void {
  const middle = new Float64Array(first.columns);
  const sums = new Float64Array(second.columns);
  const add = (to: Float64Array, factor: number, rows: SparseMatrix, row: number) => {
    for (let e = rows.offsets[row]; e < rows.offsets[row + 1]; e++)
      to[rows.indices[e]] += factor * (rows.values?.[e] ?? 1);
  };
  for (let r = 0; r < input.rows; r++) {
    middle.fill(0);
    sums.fill(0);
    for (let k = input.offsets[r]; k < input.offsets[r + 1]; k++)
      add(middle, input.values?.[k] ?? 1, first, input.indices[k]);
    for (const [row, factor] of middle.entries()) if (factor !== 0) add(sums, factor, second, row);
    out.data.set(sums, out.offset + r * out.rowStride);
  }
}
