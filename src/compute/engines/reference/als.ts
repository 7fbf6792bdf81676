// The half-sweep of alternating least squares in plain TypeScript, row by row in float64: the twin of native/src/kernels/als.rs.

import type { AlsHalfSweep, EntryWeight } from "../../solvers/solvers.js";
import type { Matrix, SparseMatrix } from "./matrix.js";

/** The half-sweep with its tensors opened. */
export type OpenAlsHalfSweep = Omit<
  AlsHalfSweep,
  "fixed" | "gram" | "prior" | "objective" | "covariances" | "posterior"
> & {
  readonly fixed: Matrix;
  readonly gram: Matrix;
  readonly prior?: Matrix;
  readonly objective?: Matrix;
  readonly covariances?: Matrix;
  readonly posterior?: Matrix;
};

/** A pivot of at most this share of its diagonal is rounding error: that coordinate is undetermined (the same constant is in native/src/kernels/als.rs). */
const NEGLIGIBLE = 2 ** -22;
/** Conjugate gradients stop when the squared residual is below this (benfred/implicit). */
const SOLVED = 1e-20;

export function alsHalfSweep(factors: Matrix, interactions: SparseMatrix, sweep: OpenAlsHalfSweep): void {
  const row = new Row(factors.columns, interactions, sweep);
  const x = new Float64Array(factors.columns);
  for (const r of sweep.rows ?? Array(factors.rows).keys()) {
    const at = factors.offset + r * factors.rowStride;
    row.take(r);
    x.set(factors.data.subarray(at, at + x.length));
    const value = sweep.steps === undefined ? row.solve(x) : row.descend(x, sweep.steps);
    factors.data.set(x, at);
    if (sweep.posterior) row.invert(sweep.posterior, r);
    if (sweep.objective) sweep.objective.data[sweep.objective.offset + r * sweep.objective.rowStride] = value;
  }
}

/** The system A x = b of one row at a time; conjugate gradients never form A. */
class Row {
  readonly #k: number;
  readonly #interactions: SparseMatrix;
  readonly #sweep: OpenAlsHalfSweep;
  readonly #b: Float64Array;
  #row = 0;
  #ridge = 0;
  /** ridge ||prior||^2 */
  #constant = 0;

  constructor(k: number, interactions: SparseMatrix, sweep: OpenAlsHalfSweep) {
    this.#k = k;
    this.#interactions = interactions;
    this.#sweep = sweep;
    this.#b = new Float64Array(k);
  }

  take(row: number): void {
    const { ridge, prior, target } = this.#sweep;
    const b = this.#b.fill(0);
    this.#row = row;
    this.#ridge = typeof ridge === "number" ? ridge : ridge[row];
    this.#constant = 0;
    this.#eachEntry(target, (weight, data, at) => {
      for (let c = 0; c < b.length; c++) b[c] += weight * data[at + c];
    });
    for (let c = 0; prior && c < b.length; c++) {
      const mean = prior.data[prior.offset + row * prior.rowStride + c];
      b[c] += this.#ridge * mean;
      this.#constant += this.#ridge * mean * mean;
    }
  }

  #eachEntry(
    { constant, slope }: EntryWeight,
    use: (weight: number, data: Matrix["data"], at: number) => void,
  ): void {
    const { offsets, indices, values } = this.#interactions;
    const { data, offset, rowStride } = this.#sweep.fixed;
    for (let e = offsets[this.#row]; e < offsets[this.#row + 1]; e++)
      use(constant + slope * (values ? values[e] : 1), data, offset + indices[e] * rowStride);
  }

  /** x = A^-1 b; returns the minimum of the objective. */
  solve(x: Float64Array): number {
    x.set(this.#b);
    solveSymmetric(this.#system(), x);
    // A x = b, so x'Ax - 2 b'x = -b'x.
    return this.#constant - dot(this.#b, x);
  }

  /** Row `row` of out = A^-1, packed: row p of it is the solution for the p-th unit vector. */
  invert(out: Matrix, row: number): void {
    const k = this.#k;
    const system = this.#system();
    let at = out.offset + row * out.rowStride;
    for (let p = 0; p < k; p++) {
      const x = new Float64Array(k);
      x[p] = 1;
      solveSymmetric(system.slice(), x);
      for (let j = p; j < k; j++) out.data[at++] = x[j];
    }
  }

  /** A [k, k]; only the upper triangle is written. */
  #system(): Float64Array {
    const k = this.#k;
    const { gram, gramWeight, outer, covariances } = this.#sweep;
    const { offsets, indices } = this.#interactions;
    const a = new Float64Array(k * k);
    for (let i = 0; i < k; i++) {
      for (let j = i; j < k; j++) a[i * k + j] = gramWeight * gram.data[gram.offset + i * gram.rowStride + j];
      a[i * k + i] += this.#ridge;
    }
    this.#eachEntry(outer, (weight, data, at) => {
      for (let i = 0; i < k; i++)
        for (let j = i; j < k; j++) a[i * k + j] += weight * data[at + i] * data[at + j];
    });
    for (let e = offsets[this.#row]; covariances && e < offsets[this.#row + 1]; e++) {
      const weight = outer.constant + outer.slope * (this.#interactions.values?.[e] ?? 1);
      let at = covariances.offset + indices[e] * covariances.rowStride;
      for (let i = 0; i < k; i++) for (let j = i; j < k; j++) a[i * k + j] += weight * covariances.data[at++];
    }
    return a;
  }

  /** Steps of conjugate gradients on A x = b, starting from x; returns the value of the objective at the end. */
  descend(x: Float64Array, steps: number): number {
    const k = this.#k;
    const residual = new Float64Array(k);
    const image = new Float64Array(k);
    this.#multiply(x, image);
    for (let c = 0; c < k; c++) residual[c] = this.#b[c] - image[c];
    const direction = residual.slice();
    let square = dot(residual, residual);
    for (let step = 0; step < steps && !(square < SOLVED); step++) {
      this.#multiply(direction, image);
      const length = square / dot(direction, image);
      for (let c = 0; c < k; c++) {
        x[c] += length * direction[c];
        residual[c] -= length * image[c];
      }
      const former = square;
      square = dot(residual, residual);
      for (let c = 0; c < k; c++) direction[c] = residual[c] + (square / former) * direction[c];
    }
    // A x = b - residual, so x'Ax - 2 b'x = -(b + residual)'x.
    return this.#constant - dot(this.#b, x) - dot(residual, x);
  }

  /** out = A x */
  #multiply(x: Float64Array, out: Float64Array): void {
    const { gram, gramWeight, outer } = this.#sweep;
    for (let i = 0; i < x.length; i++) {
      let sum = 0;
      for (let j = 0; j < x.length; j++) sum += gram.data[gram.offset + i * gram.rowStride + j] * x[j];
      out[i] = gramWeight * sum + this.#ridge * x[i];
    }
    this.#eachEntry(outer, (weight, data, at) => {
      let sum = 0;
      for (let c = 0; c < x.length; c++) sum += data[at + c] * x[c];
      for (let c = 0; c < x.length; c++) out[c] += weight * sum * data[at + c];
    });
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += a[c] * b[c];
  return sum;
}

/** x = a^-1 x by a = R'R, where R overwrites the upper triangle of a [k, k]; a coordinate without a pivot becomes 0. */
function solveSymmetric(a: Float64Array, x: Float64Array): void {
  const k = x.length;
  for (let p = 0; p < k; p++) {
    const diagonal = a[p * k + p];
    let pivot = diagonal;
    for (let q = 0; q < p; q++) pivot -= a[q * k + p] ** 2;
    // Not pivot > NEGLIGIBLE * diagonal: a NaN must remain NaN.
    const inverse = pivot <= NEGLIGIBLE * diagonal ? 0 : 1 / Math.sqrt(pivot);
    a[p * k + p] = inverse;
    for (let j = p + 1; j < k; j++) {
      let sum = a[p * k + j];
      for (let q = 0; q < p; q++) sum -= a[q * k + p] * a[q * k + j];
      a[p * k + j] = sum * inverse;
    }
  }
  for (let p = 0; p < k; p++) {
    x[p] *= a[p * k + p];
    for (let j = p + 1; j < k; j++) x[j] -= x[p] * a[p * k + j];
  }
  for (let p = k - 1; p >= 0; p--) {
    for (let j = p + 1; j < k; j++) x[p] -= a[p * k + j] * x[j];
    x[p] *= a[p * k + p];
  }
}
