// Eigenvalues and eigenvectors of a symmetric matrix by Jacobi rotations (Golub and Van Loan, Matrix Computations, section
// 8.5), in float64, for the k x k matrices of factor models.

import type { Turns } from "./turns.js";

export interface Eigen {
  /** [n], unordered. */
  readonly values: Float64Array;
  /** [n, n], row-major; column j belongs to value j. */
  readonly vectors: Float64Array;
}

/** Maximum passes over all pairs; usually a few passes reduce the off-diagonal elements to rounding errors. */
const MOST_PASSES = 50;

/** Decomposes a symmetric row-major matrix [n, n] with n^3 operations per pass. Yields to the event loop; throws AbortedError. */
export async function symmetricEigen(matrix: ArrayLike<number>, n: number, turns: Turns): Promise<Eigen> {
  const a = Float64Array.from(matrix);
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  const size = Math.sqrt(a.reduce((sum, x) => sum + x * x, 0));
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    let outside = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) outside += a[p * n + q] ** 2;
    if (Math.sqrt(outside) <= 1e-15 * size) break;
    for (let p = 0; p < n; p++) {
      if (turns.due) await turns.yield();
      for (let q = p + 1; q < n; q++) rotate(a, vectors, n, p, q);
    }
  }
  return { values: Float64Array.from({ length: n }, (_, i) => a[i * n + i]), vectors };
}

/** Rotates in the plane of p and q so that a[p, q] becomes 0. */
function rotate(a: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q];
  if (apq === 0) return;
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (const matrix of [a, vectors])
    for (let i = 0; i < n; i++) {
      const [x, y] = [matrix[i * n + p], matrix[i * n + q]];
      matrix[i * n + p] = c * x - s * y;
      matrix[i * n + q] = s * x + c * y;
    }
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[p * n + i], a[q * n + i]];
    a[p * n + i] = c * x - s * y;
    a[q * n + i] = s * x + c * y;
  }
}
