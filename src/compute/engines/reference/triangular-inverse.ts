// A sparse approximate inverse of a sparse unit lower triangle by steps of minimal residuals: the twin of
// native/src/kernels/triangular_inverse.rs. Diagonals, all ones, are not stored.

import { type CsrMatrix, fromRows } from "../../../sparse/csr.js";
import type { TriangularInversion } from "../../solvers/solvers.js";
import { keepLargestEntries, type SparseColumn } from "./largest-entries.js";
import type { SparseMatrix } from "./matrix.js";

class Inverse {
  readonly #l: SparseMatrix;
  readonly #entries: number;
  readonly columns: SparseColumn[];

  constructor(l: SparseMatrix, entries: number) {
    this.#l = l;
    this.#entries = entries;
    this.columns = Array.from({ length: l.rows }, (_, j) => {
      const [from, to] = [l.offsets[j], l.offsets[j + 1]];
      const values = Array.from({ length: to - from }, (_, e) => -(l.values?.[from + e] ?? 1));
      return { rows: [...l.indices.subarray(from, to)], values };
    });
    keepLargestEntries(this.columns, entries);
  }

  /** out += factor L e_row, the diagonal included. */
  #addColumn(out: Float64Array, row: number, factor: number): void {
    const { offsets, indices, values } = this.#l;
    out[row] += factor;
    for (let e = offsets[row]; e < offsets[row + 1]; e++) out[indices[e]] += factor * (values?.[e] ?? 1);
  }

  /** r = e - L m */
  #residual(column: number): Float64Array {
    const r = new Float64Array(this.#l.rows);
    this.#addColumn(r, column, -1);
    const { rows, values } = this.columns[column];
    for (const [at, row] of rows.entries()) this.#addColumn(r, row, -values[at]);
    r[column] = 0;
    return r;
  }

  /** |r| of every column. */
  norms(): number[] {
    return this.columns.map((_, column) => Math.hypot(...this.#residual(column)));
  }

  /** One step for each of the columns, then keeps the largest entries. */
  improve(chosen: readonly number[]): void {
    const improved = chosen.map((column) => this.#improved(column));
    for (const [at, column] of chosen.entries()) this.columns[column] = improved[at];
    keepLargestEntries(this.columns, this.#entries);
  }

  #improved(column: number): SparseColumn {
    const r = this.#residual(column);
    const product = new Float64Array(r.length);
    for (const [row, value] of r.entries()) if (value !== 0) this.#addColumn(product, row, value);
    const squares = product.reduce((sum, value) => sum + value * value, 0);
    const along = r.reduce((sum, value, row) => sum + value * product[row], 0);
    const alpha = squares > 0 ? along / squares : 0;
    const sums = r.map((value) => alpha * value);
    const { rows, values } = this.columns[column];
    for (const [at, row] of rows.entries()) sums[row] += values[at];
    const kept = [...sums.keys()].filter((row) => Math.fround(sums[row]) !== 0);
    return { rows: kept, values: kept.map((row) => sums[row]) };
  }
}

export function triangularInverse(
  l: SparseMatrix,
  { entries, scans, rounds, exact }: TriangularInversion,
): CsrMatrix {
  const n = l.rows;
  if (exact) {
    const columns = substituted(l);
    keepLargestEntries(columns, entries);
    return matrixOf(columns);
  }
  const inverse = new Inverse(l, entries);
  const all = Array.from({ length: n }, (_, column) => column);
  for (let scan = 1; scan <= scans; scan++) {
    const least = 10 ** -Math.min(scan + 1, 7);
    const norms = inverse.norms();
    inverse.improve(all.filter((column) => norms[column] / Math.sqrt(n) > least));
  }
  for (let round = 0; round < rounds; round++) {
    const norms = inverse.norms().map((norm, column) => norm ** 2 / (n - column));
    const worst = all.toSorted((a, b) => norms[b] - norms[a] || a - b);
    inverse.improve(worst.slice(0, Math.ceil((entries + n) / n)).sort((a, b) => a - b));
  }
  return matrixOf(inverse.columns);
}

/** The columns of the exact inverse. */
function substituted({ rows: n, offsets, indices, values }: SparseMatrix): SparseColumn[] {
  return Array.from({ length: n }, (_, column) => {
    const m = new Float64Array(n);
    m[column] = 1;
    for (let j = column; j < n; j++)
      for (let e = offsets[j]; m[j] !== 0 && e < offsets[j + 1]; e++)
        m[indices[e]] -= m[j] * (values?.[e] ?? 1);
    m[column] = 0;
    const rows = [...m.keys()].filter((row) => Math.fround(m[row]) !== 0);
    return { rows, values: rows.map((row) => m[row]) };
  });
}

/** The columns as rows. */
function matrixOf(columns: readonly SparseColumn[]): CsrMatrix {
  const indices = columns.map(({ rows }) => rows);
  const values = Float32Array.from(columns.flatMap((column) => column.values));
  return { ...fromRows(columns.length, indices), values };
}
