// Symmetric positive definite systems in float64, for k x k matrices of embeddings whose numbers span too many orders of magnitude for
// float32: Gram matrices, and Cholesky's factorisation (Golub and Van Loan, Matrix Computations, section 4.2). All matrices are
// row-major.

import type { Turns } from "./turns.js";

/** Rows that are added up at a time, so that they stay in the cache. */
const ROWS = 64;

/** a'a [k, k] of a matrix [rows, k]; rows k^2 operations. Yields to the event loop; throws AbortedError. */
export async function gramMatrix(a: ArrayLike<number>, k: number, turns: Turns): Promise<Float64Array> {
  const gram = new Float64Array(k * k);
  const columns = new Float64Array(ROWS * k);
  const rows = k === 0 ? 0 : a.length / k;
  for (let first = 0; first < rows; first += ROWS) {
    const count = Math.min(ROWS, rows - first);
    for (let r = 0; r < count; r++)
      for (let i = 0; i < k; i++) columns[i * ROWS + r] = a[(first + r) * k + i];
    for (let i = 0; i < k; i++) {
      if (turns.due) await turns.yield();
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let r = 0, p = i * ROWS, q = j * ROWS; r < count; r++) sum += columns[p + r] * columns[q + r];
        gram[i * k + j] += sum;
      }
    }
  }
  for (let i = 0; i < k; i++) for (let j = 0; j < i; j++) gram[j * k + i] = gram[i * k + j];
  return gram;
}

/**
 * Replaces b [k, columns] by a^-1 b, with a [k, k] symmetric, of which only the lower triangle is used; a becomes invalid. Returns the first
 * pivot that is not positive, or -1. Yields to the event loop; throws AbortedError.
 */
export async function solvePositiveDefinite(
  a: Float64Array,
  b: Float64Array,
  k: number,
  turns: Turns,
): Promise<number> {
  for (let i = 0; i < k; i++) {
    if (turns.due) await turns.yield();
    for (let j = 0; j <= i; j++) {
      let sum = a[i * k + j];
      for (let m = 0; m < j; m++) sum -= a[i * k + m] * a[j * k + m];
      if (j < i) a[i * k + j] = sum / a[j * k + j];
      else if (sum > 0 && sum < Number.POSITIVE_INFINITY) a[i * k + i] = Math.sqrt(sum);
      else return i;
    }
  }
  const columns = k === 0 ? 0 : b.length / k;
  /** b[row] -= factor b[other] */
  const subtract = (row: number, other: number, factor: number) => {
    for (let c = 0, p = row * columns, q = other * columns; c < columns; c++) b[p + c] -= factor * b[q + c];
  };
  const divide = (row: number) => {
    for (let c = 0, p = row * columns; c < columns; c++) b[p + c] /= a[row * k + row];
  };
  for (let i = 0; i < k; i++) {
    if (turns.due) await turns.yield();
    for (let j = 0; j < i; j++) subtract(i, j, a[i * k + j]);
    divide(i);
  }
  for (let i = k - 1; i >= 0; i--) {
    if (turns.due) await turns.yield();
    for (let j = i + 1; j < k; j++) subtract(i, j, a[j * k + i]);
    divide(i);
  }
  return -1;
}
