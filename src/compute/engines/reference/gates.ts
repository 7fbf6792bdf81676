// Gates, clamps, and rows that are added or scaled: what gated layers, pseudo-inputs and mixtures need.

import type { Matrix } from "./matrix.js";

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
