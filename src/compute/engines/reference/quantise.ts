// TypeScript twin of native/src/kernels/quantise.rs.

import type { Matrix } from "./matrix.js";

/** Native kernels add in 16 lanes, which determines the rounding error of a product in float32, in units of the unit roundoff. */
const lanes = 16;
/** A generous allowance for the rounding of a bound to float32. */
const SLACK = 1e-6;
const EPSILON = 2 ** -23;
const LEAST_NORMAL = 2 ** -126;

/** An upper bound of the rounding error of a product of this width in float32, relative to the norms. */
export function rounding(width: number): number {
  return (width + lanes) * EPSILON;
}

/** Symmetric int8 quantisation of every row; the outputs are specified in kernels.ts. */
export function quantise(out: Matrix, statistics: Matrix, weights: Matrix): void {
  for (let r = 0; r < weights.rows; r++) {
    const row = weights.offset + r * weights.rowStride;
    const of = weights.data.subarray(row, row + weights.columns);
    let largest = 0;
    for (const weight of of) largest = Math.max(largest, Math.abs(weight));
    const scale = Math.fround(largest / 127);
    const inverse = largest > 0 ? Math.fround(1 / scale) : 0;
    let [errors, norms] = [0, 0];
    for (let c = 0; c < of.length; c++) {
      // The product of two float32 is exact in float64, so this rounds once.
      const exact = of[c] * inverse;
      const number = roundToEven(exact);
      out.data[out.offset + r * out.rowStride + c] = number;
      errors += (exact - number) ** 2;
      norms += number ** 2;
    }
    const [error, norm] = [Math.sqrt(errors) * scale, Math.sqrt(norms) * scale];
    const at = statistics.offset + r * statistics.rowStride;
    statistics.data[at] = scale;
    statistics.data[at + 1] = above(error + rounding(of.length) * (norm + error));
    statistics.data[at + 2] = above(norm + error);
  }
}

function roundToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** Rounded up to float32. */
export function above(x: number): number {
  return x > 0 ? Math.max(LEAST_NORMAL, x * (1 + SLACK)) : x;
}
