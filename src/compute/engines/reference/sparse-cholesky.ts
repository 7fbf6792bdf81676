// Sparse Cholesky factors of X'X + shift I, exact or incomplete: the twin of native/src/kernels/sparse_cholesky.rs. Columns from left to
// right, each from its column of the Gram matrix and the former columns with an entry in its row.

import { fromRows } from "../../../sparse/csr.js";
import type { SparseFactor, SparseFactorisation } from "../../solvers/solvers.js";
import { keepLargestEntries, type SparseColumn } from "./largest-entries.js";
import type { SparseMatrix } from "./matrix.js";

/** Calls `use` with every column of x'x, dense. */
function forEachGramColumn(x: SparseMatrix, use: (column: Float64Array, j: number) => void): void {
  const sums = new Float64Array(x.columns);
  const slotOf = new Map([...x.touched].map((column, slot) => [column, slot]));
  for (let j = 0; j < x.columns; j++) {
    sums.fill(0);
    const slot = slotOf.get(j);
    if (slot !== undefined)
      for (let at = x.columnOffsets[slot]; at < x.columnOffsets[slot + 1]; at++) {
        const row = x.rowOf[at];
        const weight = x.values?.[x.positionOf[at]] ?? 1;
        for (let e = x.offsets[row]; e < x.offsets[row + 1]; e++)
          sums[x.indices[e]] += weight * (x.values?.[e] ?? 1);
      }
    use(sums, j);
  }
}

export function gramShape(x: SparseMatrix): { squares: Float32Array; others: Uint32Array } {
  const squares = new Float32Array(x.columns);
  const others = new Uint32Array(x.columns);
  forEachGramColumn(x, (column, j) => {
    squares[j] = column.reduce((sum, value) => sum + value * value, 0);
    others[j] = column.reduce((count, value, i) => count + Number(value !== 0 && i !== j), 0);
  });
  return { squares, others };
}

export function sparseCholesky(
  x: SparseMatrix,
  { shift, entries, exact }: SparseFactorisation,
): SparseFactor | { failed: number } {
  const n = x.columns;
  const columns: SparseColumn[] = [];
  const pivots = new Float64Array(n);
  /** What the columns so far have taken from the diagonal. */
  const taken = new Float64Array(n);
  /** The columns with an entry in each row, and its place. */
  const inRow: { column: number; at: number }[][] = Array.from({ length: n }, () => []);
  let stored = 0;
  let failed = -1;
  forEachGramColumn(x, (gram, j) => {
    if (failed >= 0) return;
    const sums = gram.slice();
    for (const { column, at } of inRow[j]) {
      const { rows, values } = columns[column];
      for (let e = at + 1; e < rows.length; e++) sums[rows[e]] -= values[at] * values[e];
    }
    const diagonal = gram[j] + shift - taken[j];
    if (!(diagonal > 0 && diagonal < Infinity)) {
      failed = j;
      return;
    }
    pivots[j] = Math.sqrt(diagonal);
    const column: SparseColumn = { rows: [], values: [] };
    for (let i = j + 1; i < n; i++) {
      const value = sums[i] / pivots[j];
      if (value === 0) continue;
      // Dropped entries reduce the diagonal too.
      taken[i] += value * value;
      column.rows.push(i);
      column.values.push(value);
    }
    if (!exact) keepLargestEntries([column], Math.floor((entries - stored) / (n - j)));
    stored += column.rows.length;
    columns.push(column);
    for (const [at, row] of column.rows.entries()) inRow[row].push({ column: j, at });
  });
  if (failed >= 0) return { failed };
  keepLargestEntries(columns, entries);
  const unit = columns.flatMap(({ values }, j) => values.map((value) => value / pivots[j]));
  return {
    lower: {
      ...fromRows(
        n,
        columns.map(({ rows }) => rows),
      ),
      values: Float32Array.from(unit),
    },
    pivots: Float32Array.from(pivots, (pivot) => pivot * pivot),
  };
}
