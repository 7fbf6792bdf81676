// TypeScript twins of native/src/kernels/gram.rs, inverse.rs and tangent_kernel.rs. Sums are accumulated in float64 and rounded when stored.

import type { TangentNetwork } from "../../solvers/solvers.js";
import type { Matrix, SparseMatrix } from "./matrix.js";

const at = ({ offset, rowStride }: Matrix, row: number, column: number) => offset + row * rowStride + column;

export function gram(out: Matrix, x: SparseMatrix, weights: Matrix | undefined): void {
  const { columns, indices, offsets, values } = x;
  const { touched, columnOffsets, rowOf, positionOf } = x;
  const sums = new Float64Array(columns);
  for (let c = 0; c < columns; c++) out.data.fill(0, at(out, c, 0), at(out, c, columns));
  for (let t = 0; t < touched.length; t++) {
    sums.fill(0);
    for (let k = columnOffsets[t]; k < columnOffsets[t + 1]; k++) {
      const r = rowOf[k];
      const weight = (weights ? weights.data[at(weights, 0, r)] : 1) * (values ? values[positionOf[k]] : 1);
      for (let j = offsets[r]; j < offsets[r + 1]; j++) sums[indices[j]] += weight * (values ? values[j] : 1);
    }
    out.data.set(sums, at(out, touched[t], 0));
  }
}

export function sparseProduct(out: Matrix, a: SparseMatrix, b: SparseMatrix): void {
  const slotOf = new Int32Array(b.columns).fill(-1);
  for (let t = 0; t < b.touched.length; t++) slotOf[b.touched[t]] = t;
  const sums = new Float64Array(b.rows);
  for (let r = 0; r < a.rows; r++) {
    sums.fill(0);
    for (let j = a.offsets[r]; j < a.offsets[r + 1]; j++) {
      const t = slotOf[a.indices[j]];
      if (t < 0) continue;
      const value = a.values ? a.values[j] : 1;
      for (let k = b.columnOffsets[t]; k < b.columnOffsets[t + 1]; k++)
        sums[b.rowOf[k]] += value * (b.values ? b.values[b.positionOf[k]] : 1);
    }
    out.data.set(sums, at(out, r, 0));
  }
}

/** One pivot after the other: with d = a[k, k] and the column c of a at k, a -= c c' / d, then the column is c / d and the pivot -1 / d. */
export function invertPivots(a: Matrix, first: number, count: number): number {
  const { data } = a;
  const n = a.rows;
  const column = new Float64Array(n);
  for (let k = first; k < first + count; k++) {
    const pivot = data[at(a, k, k)];
    if (!(pivot > 0 && pivot < Infinity)) return k;
    for (let i = 0; i < n; i++) column[i] = data[i < k ? at(a, k, i) : at(a, i, k)];
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const factor = column[i] / pivot;
      const row = at(a, i, 0);
      for (let j = 0; j <= i; j++) data[row + j] -= factor * column[j];
      data[i < k ? at(a, k, i) : at(a, i, k)] = factor;
    }
    data[at(a, k, k)] = -1 / pivot;
  }
  return -1;
}

export function expandLower(a: Matrix, rows: Matrix, columns: Matrix): void {
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j <= i; j++) {
      const x = a.data[at(a, i, j)];
      a.data[at(a, j, i)] = rows.data[at(rows, 0, j)] * columns.data[at(columns, 0, i)] * x;
      a.data[at(a, i, j)] = rows.data[at(rows, 0, i)] * columns.data[at(columns, 0, j)] * x;
    }
}

export function tangentKernel(
  a: Matrix,
  rows: Matrix,
  columns: Matrix,
  { scale, bias, depth }: TangentNetwork,
): void {
  for (let r = 0; r < a.rows; r++)
    for (let c = 0; c < a.columns; c++) {
      let own = scale * rows.data[at(rows, 0, r)] + bias;
      let other = scale * columns.data[at(columns, 0, c)] + bias;
      let covariance = scale * a.data[at(a, r, c)] + bias;
      let kernel = covariance;
      for (let layer = 0; layer < depth; layer++) {
        const root = Math.sqrt(own * other);
        const cos = root > 0 ? Math.min(1, Math.max(-1, covariance / root)) : 0;
        const angle = Math.acos(cos);
        const sin = Math.sqrt((1 - cos) * (1 + cos));
        covariance = (root * (sin + (Math.PI - angle) * cos)) / Math.PI + bias;
        kernel = covariance + (kernel * (Math.PI - angle)) / Math.PI;
        // On the diagonal the angle is 0.
        own += bias;
        other += bias;
      }
      a.data[at(a, r, c)] = kernel;
    }
}
