// Gates, clamps, and adding or scaling of rows, for gated layers, pseudo-inputs and mixtures.

import type { Accumulate, DenseDropout } from "../../engine.js";
import type { Matrix } from "./matrix.js";
import { wordsOf } from "./positions.js";

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Calls `body` with the start of row r in each matrix. */
function forEachRow<const M extends readonly Matrix[]>(
  matrices: M,
  body: (starts: { [I in keyof M]: number }, row: number) => void,
): void {
  for (let r = 0; r < matrices[0].rows; r++) {
    const starts = matrices.map(({ offset, rowStride }) => offset + r * rowStride);
    body(starts as { [I in keyof M]: number }, r);
  }
}

export function gate(out: Matrix, a: Matrix, b: Matrix): void {
  forEachRow([out, a, b], ([o, i, j]) => {
    for (let c = 0; c < out.columns; c++) out.data[o + c] = a.data[i + c] * sigmoid(b.data[j + c]);
  });
}

export function gateGradient(aGradient: Matrix, bGradient: Matrix, a: Matrix, b: Matrix, g: Matrix): void {
  forEachRow([aGradient, bGradient, a, b, g], ([p, q, i, j, k]) => {
    for (let c = 0; c < a.columns; c++) {
      const open = sigmoid(b.data[j + c]);
      const upstream = g.data[k + c] * open;
      aGradient.data[p + c] += upstream;
      bGradient.data[q + c] += upstream * a.data[i + c] * (1 - open);
    }
  });
}

export function clamp(out: Matrix, a: Matrix, low: number, high: number): void {
  forEachRow([out, a], ([o, i]) => {
    for (let c = 0; c < out.columns; c++) {
      out.data[o + c] = Math.min(high, Math.max(low, a.data[i + c]));
    }
  });
}

export function clampGradient(out: Matrix, a: Matrix, g: Matrix, low: number, high: number): void {
  forEachRow([out, a, g], ([o, i, j]) => {
    for (let c = 0; c < out.columns; c++)
      if (a.data[i + c] > low && a.data[i + c] < high) out.data[o + c] += g.data[j + c];
  });
}

export function dropClamped(out: Matrix, a: Matrix, { rate, key, ...position }: DenseDropout): void {
  const threshold = Math.floor(rate * 2 ** 32);
  const scale = 1 / (1 - rate);
  const words = wordsOf(out.rows, out.columns, key, position);
  forEachRow([out, a], ([o, i], r) => {
    for (let c = 0; c < out.columns; c++) {
      const kept = words[r * out.columns + c] >= threshold;
      out.data[o + c] = kept ? scale * Math.min(1, Math.max(0, a.data[i + c])) : 0;
    }
  });
}

export function dropClampedGradient(
  out: Matrix,
  a: Matrix,
  y: Matrix,
  g: Matrix,
  { rate, accumulate }: Accumulate & { readonly rate: number },
): void {
  const scale = 1 / (1 - rate);
  forEachRow([out, a, y, g], ([o, i, j, k]) => {
    for (let c = 0; c < out.columns; c++) {
      const gradient = a.data[i + c] < 1 && y.data[j + c] > 0 ? scale * g.data[k + c] : 0;
      out.data[o + c] = accumulate ? out.data[o + c] + gradient : gradient;
    }
  });
}

const LEAST_NORM = 1e-12;

function norm(a: Matrix, start: number): number {
  let squares = 0;
  for (let c = 0; c < a.columns; c++) squares += a.data[start + c] ** 2;
  return Math.sqrt(squares);
}

export function unitRows(out: Matrix, a: Matrix): void {
  forEachRow([out, a], ([o, i]) => {
    const divisor = Math.max(norm(a, i), LEAST_NORM);
    for (let c = 0; c < out.columns; c++) out.data[o + c] = a.data[i + c] / divisor;
  });
}

export function unitRowsGradient(out: Matrix, a: Matrix, g: Matrix): void {
  forEachRow([out, a, g], ([o, i, k]) => {
    const length = norm(a, i);
    const divisor = Math.max(length, LEAST_NORM);
    let along = 0;
    if (length >= LEAST_NORM) for (let c = 0; c < a.columns; c++) along += a.data[i + c] * g.data[k + c];
    for (let c = 0; c < a.columns; c++)
      out.data[o + c] += (g.data[k + c] - (a.data[i + c] * along) / divisor ** 2) / divisor;
  });
}

export function addRows(out: Matrix, a: Matrix, rows: Uint32Array): void {
  forEachRow([a], ([i], r) => {
    const o = out.offset + rows[r] * out.rowStride;
    for (let c = 0; c < a.columns; c++) out.data[o + c] += a.data[i + c];
  });
}

export function scaleRows(out: Matrix, a: Matrix, factor: Matrix): void {
  forEachRow([out, a, factor], ([o, i, f]) => {
    for (let c = 0; c < out.columns; c++) out.data[o + c] = factor.data[f] * a.data[i + c];
  });
}
