// Adam (Kingma and Ba 2015, algorithm 1) in one pass over a parameter. Dense semantics: a row without a gradient is still
// updated by its momentum, and its moments decay.

import type { AdamStep, NadamStep, SparseAdamStep } from "../../engine.js";
import type { Matrix } from "./matrix.js";

/**
 * Updates row `rowOf(r)` for every r below `rows`. `gradientRow(r)` is the position of the gradient of row r in `gradient`, or -1
 * if it is zero; the gradient is multiplied by `scale`.
 */
function step(
  value: Matrix,
  m: Matrix,
  v: Matrix,
  gradient: Matrix,
  rows: number,
  rowOf: (r: number) => number,
  gradientRow: (row: number) => number,
  scale: number,
  { learningRate, beta1, beta2, epsilon, update, decay, weightDecay = 0 }: AdamStep,
): void {
  const w = value.data;
  const first = m.data;
  const second = v.data;
  const from = gradient.data;
  const columns = value.columns;
  const rate = learningRate / (1 - beta1 ** update);
  const secondScale = 1 / (1 - beta2 ** update);
  const kept = 1 - learningRate * weightDecay;
  const fresh1 = 1 - beta1;
  const fresh2 = 1 - beta2;
  for (let n = 0; n < rows; n++) {
    const r = rowOf(n);
    const i = value.offset + r * value.rowStride;
    const j = m.offset + r * m.rowStride;
    const k = v.offset + r * v.rowStride;
    const at = gradientRow(r);
    for (let c = 0; c < columns; c++) {
      const weight = w[i + c];
      const g = (at < 0 ? 0 : scale * from[at + c]) + decay * weight;
      const newFirst = beta1 * first[j + c] + fresh1 * g;
      const newSecond = beta2 * second[k + c] + fresh2 * g * g;
      first[j + c] = newFirst;
      second[k + c] = newSecond;
      w[i + c] = kept * weight - (rate * newFirst) / (Math.sqrt(newSecond * secondScale) + epsilon);
    }
  }
}

/** `gradient`: of all rows, or of the rows `touched` (ascending); the gradient of every other row is zero. */
export function adam(
  value: Matrix,
  m: Matrix,
  v: Matrix,
  gradient: { readonly tensor: Matrix; readonly touched?: Uint32Array },
  options: AdamStep,
  norm?: { readonly squares: Matrix; readonly epsilon: number },
): void {
  const { tensor, touched } = gradient;
  const scale = norm ? 1 / (Math.sqrt(norm.squares.data[norm.squares.offset]) + norm.epsilon) : 1;
  let next = 0;
  const touchedRow = (rows: Uint32Array, row: number) =>
    rows[next] === row ? tensor.offset + next++ * tensor.rowStride : -1;
  const rowOf = (row: number) =>
    touched ? touchedRow(touched, row) : tensor.offset + row * tensor.rowStride;
  step(value, m, v, tensor, value.rows, (r) => r, rowOf, scale, options);
}

/** Updates only the rows `touched`, whose gradient is `gradient` [touched.length, columns]. */
export function sparseAdam(
  value: Matrix,
  m: Matrix,
  v: Matrix,
  gradient: Matrix,
  touched: Uint32Array,
  options: SparseAdamStep,
): void {
  let next = 0;
  const rowOf = (r: number) => touched[r];
  const gradientRow = () => gradient.offset + next++ * gradient.rowStride;
  step(value, m, v, gradient, touched.length, rowOf, gradientRow, 1, { ...options, decay: 0 });
}

/** NAdam (Dozat 2016) with its schedule applied, on all rows or only on the rows `touched`. */
export function nadam(
  value: Matrix,
  m: Matrix,
  v: Matrix,
  { tensor, touched }: { readonly tensor: Matrix; readonly touched?: Uint32Array },
  { gradientRate, momentumRate, beta1, beta2, epsilon, update }: NadamStep,
): void {
  const secondScale = 1 / (1 - beta2 ** update);
  for (let t = 0; t < tensor.rows; t++) {
    const r = touched ? touched[t] : t;
    const i = value.offset + r * value.rowStride;
    const j = m.offset + r * m.rowStride;
    const k = v.offset + r * v.rowStride;
    const at = tensor.offset + t * tensor.rowStride;
    for (let c = 0; c < value.columns; c++) {
      const g = tensor.data[at + c];
      const first = beta1 * m.data[j + c] + (1 - beta1) * g;
      const second = beta2 * v.data[k + c] + (1 - beta2) * g * g;
      m.data[j + c] = first;
      v.data[k + c] = second;
      value.data[i + c] -=
        (gradientRate * g + momentumRate * first) / (Math.sqrt(second * secondScale) + epsilon);
    }
  }
}
