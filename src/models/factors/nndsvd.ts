// An initialisation of NMF: NNDSVDa (Boutsidis, Gallopoulos: "SVD based initialization", Pattern Recognition 2008), with the
// randomised truncated SVD that scikit-learn uses for it (Halko, Martinsson, Tropp 2011): the same random numbers and number of
// power iterations, hence the same subspace. Computed on the host, in float64, once per run.

import { symmetricEigen } from "../../core/eigen.js";
import { NumpyRandom } from "../../core/numpy-random.js";
import { Turns } from "../../core/turns.js";
import { type CsrMatrix, entryCount, transpose } from "../../sparse/csr.js";

/** Random directions in addition to the k requested (scikit-learn's n_oversamples). */
const OVERSAMPLES = 10;
/** Smaller numbers are set to 0, and then to the mean (scikit-learn's eps). */
const SMALLEST = 1e-6;

/** A tall matrix [rows, columns] as its columns. */
type Columns = Float64Array<ArrayBuffer>[];

/** W [users, k] and H' [items, k], row-major, of X [users, items]; k is at most the smaller dimension of X. */
export async function nndsvda(matrix: CsrMatrix, k: number, randomState: number, signal?: AbortSignal) {
  const turns = new Turns(signal);
  const { u, s, v } = await randomisedSvd(matrix, k, randomState, signal);
  const { rows, columns, values } = matrix;
  const mean = (values?.reduce((sum, value) => sum + value, 0) ?? entryCount(matrix)) / rows / columns;
  const users = new Float64Array(rows * k);
  const items = new Float64Array(columns * k);
  for (let t = 0; t < k; t++) {
    // Keep the positive or the negative parts of a singular pair, whichever have the larger norm; the first pair has a single sign.
    const side = (sign: 1 | -1) => {
      const take = (column: Float64Array) =>
        column.map((value) => (t === 0 ? Math.abs(value) : Math.max(0, sign * value)));
      const [left, right] = [take(u[t]), take(v[t])];
      const norms = [norm(left), norm(right)];
      return { left, right, norms, weight: norms[0] * norms[1] };
    };
    const [positive, negative] = [side(1), side(-1)];
    const { left, right, norms, weight } = positive.weight > negative.weight ? positive : negative;
    const scale = Math.sqrt(s[t] * weight);
    const put = (out: Float64Array, column: Float64Array, length: number) => {
      for (let r = 0; r < column.length; r++) {
        const value = length > 0 ? (scale * column[r]) / length : 0;
        out[r * k + t] = value < SMALLEST ? mean : value;
      }
    };
    put(users, left, norms[0]);
    put(items, right, norms[1]);
    if (turns.due) await turns.yield();
  }
  return { users, items };
}

/** The k largest singular values of a matrix, with their left vectors u [k][rows] and right ones v [k][columns], approximately. */
export async function randomisedSvd(matrix: CsrMatrix, k: number, randomState: number, signal?: AbortSignal) {
  const turns = new Turns(signal);
  const wide = matrix.rows < matrix.columns;
  const tall = wide ? transpose(matrix) : matrix;
  const across = transpose(tall);
  const iterations = k < 0.1 * Math.min(matrix.rows, matrix.columns) ? 7 : 4;
  const random = new NumpyRandom(randomState);
  const size = k + OVERSAMPLES;
  const start = Array.from({ length: size }, () => new Float64Array(tall.columns));
  for (let r = 0; r < tall.columns; r++) {
    for (let c = 0; c < size; c++) start[c][r] = random.normal();
    if (turns.due) await turns.yield();
  }
  // The choice of intermediate bases (LU in scikit-learn) does not change the subspace.
  let basis = start;
  for (let iteration = 0; iteration < iterations; iteration++)
    basis = await spanned(across, await spanned(tall, basis, turns), turns);
  const range = await spanned(tall, basis, turns);
  // B = range' tall = right' [size, columns]; B B' = rotation diag(s^2) rotation'.
  const right = await product(across, range, turns);
  const square: number[][] = [];
  for (const a of right) {
    square.push(right.map((b) => dot(a, b)));
    if (turns.due) await turns.yield();
  }
  const { values, vectors } = await symmetricEigen(square.flat(), size, turns);
  const order = [...values.keys()].sort((a, b) => values[b] - values[a]);
  const chosen = order.slice(0, k);
  const s = chosen.map((index) => Math.sqrt(Math.max(0, values[index])));
  const combine = (columns: Columns, index: number, scale: number) => {
    const out = new Float64Array(columns[0].length);
    columns.forEach((column, c) => {
      const factor = vectors[c * size + index] * scale;
      for (let r = 0; r < out.length; r++) out[r] += factor * column[r];
    });
    return out;
  };
  const left: Columns = [];
  const others: Columns = [];
  for (const [n, index] of chosen.entries()) {
    left.push(combine(range, index, 1));
    others.push(combine(right, index, s[n] > 0 ? 1 / s[n] : 0));
    if (turns.due) await turns.yield();
  }
  return wide ? { u: others, s, v: left } : { u: left, s, v: others };
}

/** Orthonormal columns that span matrix * columns. */
async function spanned(matrix: CsrMatrix, columns: Columns, turns: Turns): Promise<Columns> {
  return orthonormal(await product(matrix, columns, turns), turns);
}

/** matrix * columns */
async function product(matrix: CsrMatrix, columns: Columns, turns: Turns): Promise<Columns> {
  const { rows, offsets, indices, values } = matrix;
  const products: Columns = [];
  for (const column of columns) {
    const out = new Float64Array(rows);
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let e = offsets[r]; e < offsets[r + 1]; e++) sum += (values ? values[e] : 1) * column[indices[e]];
      out[r] = sum;
    }
    products.push(out);
    if (turns.due) await turns.yield();
  }
  return products;
}

/** Orthonormalises columns by Gram-Schmidt, applied twice; a linearly dependent column becomes 0. */
async function orthonormal(columns: Columns, turns: Turns): Promise<Columns> {
  const basis: Columns = [];
  for (const column of columns) {
    const before = norm(column);
    for (let pass = 0; pass < 2; pass++)
      for (const other of basis) {
        const along = dot(other, column);
        for (let r = 0; r < column.length; r++) column[r] -= along * other[r];
      }
    const length = norm(column);
    const scale = length > 1e-12 * before ? 1 / length : 0;
    for (let r = 0; r < column.length; r++) column[r] *= scale;
    basis.push(column);
    if (turns.due) await turns.yield();
  }
  return basis;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let r = 0; r < a.length; r++) sum += a[r] * b[r];
  return sum;
}

const norm = (a: Float64Array) => Math.sqrt(dot(a, a));
