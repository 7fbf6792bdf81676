// The inverse of a symmetric positive definite matrix, in place: blocks of pivots are inverted one after the other (`invertPivots`),
// so that progress can be reported, the work can be aborted, and the engine can do other work in between.

import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../../core/errors.js";
import type { Solvers } from "../kernels.js";
import type { Tensor } from "../tensor.js";

/** The matrix is not positive definite, or numerically singular. */
export class NotPositiveDefiniteError extends Error {
  override readonly name = "NotPositiveDefiniteError";
  /** The row at which this was detected. */
  readonly pivot: number;
  constructor(pivot: number) {
    super(`the matrix is not positive definite (at row ${pivot})`);
    this.pivot = pivot;
  }
}

/**
 * Replaces the lower triangle of a [n, n] by that of -a^-1; n^3 operations, n x 512 additional memory. `onPivots` is called with
 * the number of finished pivots. Throws NotPositiveDefiniteError, and AbortedError when the signal aborts; a is then invalid.
 */
export async function invertAllPivots(
  solvers: Solvers,
  a: Tensor,
  { signal, onPivots }: { signal?: AbortSignal; onPivots?: (done: number) => void } = {},
): Promise<void> {
  for (let first = 0; first < a.rows; first += solvers.pivots) {
    // Yield to timers and signals, also with an engine that computes synchronously.
    if (first > 0) await setImmediate();
    throwIfAborted(signal);
    const count = Math.min(solvers.pivots, a.rows - first);
    const pivot = await solvers.invertPivots(a, first, count);
    if (pivot >= 0) throw new NotPositiveDefiniteError(pivot);
    onPivots?.(first + count);
  }
}
