// The loss of ELSA, per row, from products of width k: the twin of native/src/kernels/linear_cosine.rs.

import type { Matrix } from "./matrix.js";

/** A prediction whose square is at most this share of that of its target counts as 0: it is rounding error. */
const LEAST_SHARE = 1e-6;

/** The loss of a row and its slopes from a = z.z, z.products and s = x.x; see the kernel table. */
function lossOf(a: number, product: number, s: number): readonly [value: number, byA: number, byQ: number] {
  const q = product - 2 * a + s;
  if (s === 0) return [0, 0, 0];
  if (q <= LEAST_SHARE * s) return [1, 0, 0];
  const lengths = Math.sqrt(q * s);
  const cosine = (a - s) / lengths;
  return [2 - 2 * cosine, -4 * (1 / lengths + cosine / q), (2 * cosine) / q];
}

export function linearCosine(
  loss: Matrix,
  slopes: Matrix,
  z: Matrix,
  products: Matrix,
  squares: Matrix,
): void {
  for (let r = 0; r < z.rows; r++) {
    const [i, j] = [z.offset + r * z.rowStride, products.offset + r * products.rowStride];
    let [a, product] = [0, 0];
    for (let c = 0; c < z.columns; c++) {
      a += z.data[i + c] ** 2;
      product += z.data[i + c] * products.data[j + c];
    }
    const [value, ...both] = lossOf(a, product, squares.data[squares.offset + r * squares.rowStride]);
    loss.data[loss.offset + r * loss.rowStride] = value;
    slopes.data.set(both, slopes.offset + r * slopes.rowStride);
  }
}

export function linearCosineGradient(
  zGradient: Matrix,
  weighted: Matrix,
  z: Matrix,
  products: Matrix,
  slopes: Matrix,
  g: Matrix,
): void {
  for (let r = 0; r < z.rows; r++) {
    const [to, w] = [zGradient.offset + r * zGradient.rowStride, weighted.offset + r * weighted.rowStride];
    const [i, j] = [z.offset + r * z.rowStride, products.offset + r * products.rowStride];
    const at = slopes.offset + r * slopes.rowStride;
    const scale = g.data[g.offset + r * g.rowStride];
    const [byA, byQ] = [scale * slopes.data[at], scale * slopes.data[at + 1]];
    for (let c = 0; c < z.columns; c++) {
      zGradient.data[to + c] += byA * z.data[i + c] + byQ * products.data[j + c];
      weighted.data[w + c] = byQ * z.data[i + c];
    }
  }
}
