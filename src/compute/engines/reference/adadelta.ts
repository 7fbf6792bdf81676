// AdaDelta (Zeiler 2012, algorithm 1) in one pass over a parameter.

import type { AdaDeltaStep } from "../../engine.js";
import type { Matrix } from "./matrix.js";

export function adadelta(
  value: Matrix,
  squares: Matrix,
  deltas: Matrix,
  gradient: Matrix,
  { rho, epsilon, decay }: AdaDeltaStep,
): void {
  for (let r = 0; r < value.rows; r++) {
    const i = value.offset + r * value.rowStride;
    const j = squares.offset + r * squares.rowStride;
    const k = deltas.offset + r * deltas.rowStride;
    const at = gradient.offset + r * gradient.rowStride;
    for (let c = 0; c < value.columns; c++) {
      const g = gradient.data[at + c] + decay * value.data[i + c];
      const square = rho * squares.data[j + c] + (1 - rho) * g * g;
      const change = Math.sqrt((deltas.data[k + c] + epsilon) / (square + epsilon)) * g;
      squares.data[j + c] = square;
      deltas.data[k + c] = rho * deltas.data[k + c] + (1 - rho) * change * change;
      value.data[i + c] -= change;
    }
  }
}
