// The inverse of a symmetric positive definite matrix, in place: block after block of pivots is inverted (`invertPivots`), so that
// the work can be watched and stopped between them, and other work of the engine comes in between.

import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../../core/errors.js";
import type { Solvers } from "../kernels.js";
import type { Tensor } from "../tensor.js";

/** The matrix is not positive definite, or so nearly singular that its numbers cannot tell. */
export class NotPositiveDefiniteError extends Error {
  override readonly name = "NotPositiveDefiniteError";
  /** The row at which it showed. */
  readonly pivot: number;
  constructor(pivot: number) {
    super(`the matrix is not positive definite: it shows at row ${pivot}`);
    this.pivot = pivot;
  }
}

/**
 * Leaves -a^-1 in the lower triangle of a [n, n]; n^3 operations, memory n x 512 beside a. `onPivots` hears how many of
 * the n pivots are done. Throws NotPositiveDefiniteError, and AbortedError on the signal; a is spoilt then.
 */
export async function invertAllPivots(
  solvers: Solvers,
  a: Tensor,
  { signal, onPivots }: { signal?: AbortSignal; onPivots?: (done: number) => void } = {},
): Promise<void> {
  for (let first = 0; first < a.rows; first += solvers.pivots) {
    // A turn for timers and signals, also on an engine that computes on the spot.
    if (first > 0) await setImmediate();
    throwIfAborted(signal);
    const count = Math.min(solvers.pivots, a.rows - first);
    const pivot = await solvers.invertPivots(a, first, count);
    if (pivot >= 0) throw new NotPositiveDefiniteError(pivot);
    onPivots?.(first + count);
  }
}
