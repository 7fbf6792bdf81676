// The focal cross-entropy of a product of three sigmoids: the twin of native/src/kernels/focal_loss.rs.

import type { FocalLoss } from "../../kernels.js";
import type { Matrix, SparseMatrix } from "./matrix.js";

/** A probability below this counts as this in a logarithm or a quotient. */
const TINY = 1e-37;

/** sigmoid(x) and sigmoid(-x), without cancellation. */
function sides(x: number): readonly [there: number, back: number] {
  const e = Math.exp(-Math.abs(x));
  const larger = 1 / (1 + e);
  return x < 0 ? [e * larger, larger] : [larger, e * larger];
}

interface Point {
  /** p = sigmoid(a) sigmoid(b) sigmoid(c), and 1 - p. */
  readonly p: number;
  readonly rest: number;
  /** d log p / d logit, for each of the logits. */
  readonly slopes: readonly [number, number, number];
}

function pointOf(a: number, b: number, c: number): Point {
  const [[sa, na], [sb, nb], [sc, nc]] = [sides(a), sides(b), sides(c)];
  return { p: sa * sb * sc, rest: Math.max(TINY, na + sa * (nb + sb * nc)), slopes: [na, nb, nc] };
}

/** log p, accurate where p underflows. */
function logOf(logits: readonly number[]): number {
  return -logits.reduce((sum, x) => sum + Math.max(-x, 0) + Math.log1p(Math.exp(-Math.abs(x))), 0);
}

const power = (base: number, gamma: number) => (gamma === 2 ? base * base : base ** gamma);

/** The loss of an item outside the target. */
const negative = ({ p, rest }: Point, { alpha, gamma }: FocalLoss) =>
  (1 - alpha) * power(p, gamma) * -Math.log(rest);
/** Its derivative with respect to log p. */
const negativeSlope = ({ p, rest }: Point, { alpha, gamma }: FocalLoss) =>
  (1 - alpha) * power(p, gamma) * (p / rest - gamma * Math.log(rest));
/** The loss of an item of the target, and its derivative with respect to log p. */
const positive = ({ rest }: Point, log: number, { alpha, gamma }: FocalLoss) =>
  alpha * power(rest, gamma) * -log;
const positiveSlope = ({ p, rest }: Point, log: number, { alpha, gamma }: FocalLoss) =>
  alpha * power(rest, gamma) * ((gamma * p * log) / rest - 1);

const rowOf = ({ data, offset, rowStride, columns }: Matrix, r: number) =>
  data.subarray(offset + r * rowStride, offset + r * rowStride + columns);

/** Whether each item is in row r of the target. */
function membersOf({ offsets, indices, columns }: SparseMatrix, r: number): Uint8Array {
  const members = new Uint8Array(columns);
  for (let k = offsets[r]; k < offsets[r + 1]; k++) members[indices[k]] = 1;
  return members;
}

export function focalLoss(
  loss: Matrix,
  a: Matrix,
  b: Matrix,
  c: Matrix,
  target: SparseMatrix,
  focal: FocalLoss,
): void {
  for (let r = 0; r < a.rows; r++) {
    const [x, y, z] = [rowOf(a, r), rowOf(b, r), rowOf(c, r)];
    const members = membersOf(target, r);
    let sum = 0;
    for (let i = 0; i < a.columns; i++) {
      const point = pointOf(x[i], y[i], z[i]);
      sum += members[i] ? positive(point, logOf([x[i], y[i], z[i]]), focal) : negative(point, focal);
    }
    rowOf(loss, r)[0] = sum;
  }
}

export function focalLossGradient(
  aGradient: Matrix,
  bGradient: Matrix,
  cGradient: Matrix,
  a: Matrix,
  b: Matrix,
  c: Matrix,
  target: SparseMatrix,
  focal: FocalLoss,
  g: Matrix,
): void {
  for (let r = 0; r < a.rows; r++) {
    const [x, y, z] = [rowOf(a, r), rowOf(b, r), rowOf(c, r)];
    const gradients = [rowOf(aGradient, r), rowOf(bGradient, r), rowOf(cGradient, r)];
    const members = membersOf(target, r);
    const [upstream] = rowOf(g, r);
    for (let i = 0; i < a.columns; i++) {
      const point = pointOf(x[i], y[i], z[i]);
      const slope = members[i]
        ? positiveSlope(point, logOf([x[i], y[i], z[i]]), focal)
        : negativeSlope(point, focal);
      for (let k = 0; k < 3; k++) gradients[k][i] += upstream * slope * point.slopes[k];
    }
  }
}
