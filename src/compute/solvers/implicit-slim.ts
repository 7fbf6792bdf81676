// ImplicitSLIM (Shenbin and Nikolenko: "ImplicitSLIM and how it improves embedding-based collaborative filtering", ICLR 2024), after the
// authors' program (ilya-shenbin/ImplicitSLIM, implicit_slim.py): new embeddings of items from given ones, W [items, k], by a closed
// form that draws the embedding of an item to those of the items that SLIM would weight for it, without SLIM's matrix. With 0/1 histories
// X [users, items], G = X'X, item counts c, A = W with zeros for the items with fewer than `threshold` interactions, D = 1 / (c + lambda):
//
//   M = D^2 (G + lambda) A,   C = (G + lambda) M,   S = A'C = A'(G + lambda) D^2 (G + lambda) A                    [items, k], [k, k]
//   W <- C (I / alpha + S)^-1 A'A
//
// This is the program's formula with its terms collected: C - C (I / alpha + S)^-1 S = C (I / alpha + S)^-1 / alpha, and A'W = A'A. Products
// with G are two products with X, for some users at a time, so nothing has more numbers than W or the activations of a batch. S has
// eigenvalues up to 10^6 next to 1 / alpha, too many orders of magnitude for a system in float32: what is [k, k] is float64, on the host, as
// in the program. The program rounds A to float16 first; here A keeps the engine's precision.

import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../../core/errors.js";
import { gramMatrix, solvePositiveDefinite } from "../../core/positive-definite.js";
import { Turns } from "../../core/turns.js";
import { userCounts } from "../../data/item-popularity.js";
import { type CsrMatrix, sliceRows } from "../../sparse/csr.js";
import type { Division } from "../division.js";
import type { Engine } from "../engine.js";
import { ownOf, sumOfRows } from "../ops/sparse-linear.js";
import { Tape } from "../tape.js";
import type { Tensor } from "../tensor.js";
import { NotPositiveDefiniteError } from "./inverse.js";

/** The constants of the closed form. */
export interface ImplicitSlim {
  /** Above 0. */
  readonly lambda: number;
  /** Above 0. */
  readonly alpha: number;
  /** The number of interactions below which an item does not contribute. */
  readonly threshold: number;
}

/** Where the closed form is computed. */
export interface ImplicitSlimRun {
  readonly engine: Engine;
  /** The division of the items among the members of the run, if they are divided: `weights` are then those of the own items. */
  readonly division?: Division;
  /** The number of users in a product with X. */
  readonly batchSize: number;
  readonly signal?: AbortSignal;
}

/**
 * Replaces item embeddings [items, k] by those of the closed form; the values of the histories do not count. Throws
 * NotPositiveDefiniteError if alpha is so large that I / alpha + S is numerically singular, and AbortedError; the embeddings are
 * unchanged then.
 */
export async function implicitSlim(
  weights: Tensor,
  histories: CsrMatrix,
  { lambda, alpha, threshold }: ImplicitSlim,
  run: ImplicitSlimRun,
): Promise<void> {
  const { engine, division, signal } = run;
  const { rows: items, columns: k } = weights;
  const x = { ...histories, values: undefined };
  const counts = userCounts(x).subarray(division?.own.from, division?.own.to);
  const turns = new Turns(signal);
  const tape = new Tape(engine, { gradients: false });
  const perItem = (of: (count: number) => number) => {
    const column = tape.empty(items, 1);
    engine.write(column, Float64Array.from(counts, of));
    return column;
  };
  try {
    const d = perItem((count) => 1 / (count + lambda));
    const a = tape.empty(items, k);
    engine.scaleRows(
      a,
      weights,
      perItem((count) => (count < threshold ? 0 : 1)),
    );
    const product = await gramOf(a, run, turns);
    const c = tape.empty(items, k);
    await shiftedProduct(c, a, x, lambda, run);
    // a: D (G + lambda) A, then M
    engine.scaleRows(a, c, d);
    const system = await gramOf(a, run, turns);
    engine.scaleRows(a, a, d);
    await shiftedProduct(c, a, x, lambda, run);
    for (let i = 0; i < k; i++) system[i * (k + 1)] += 1 / alpha;
    const pivot = await solvePositiveDefinite(system, product, k, turns);
    if (pivot >= 0) throw new NotPositiveDefiniteError(pivot);
    const solution = tape.empty(k, k);
    engine.write(solution, product);
    engine.matmul(weights, c, solution);
  } finally {
    tape.dispose();
  }
}

/** out = (G + shift) a, both [own items, k]. */
async function shiftedProduct(
  out: Tensor,
  a: Tensor,
  histories: CsrMatrix,
  shift: number,
  { engine, division, batchSize, signal }: ImplicitSlimRun,
): Promise<void> {
  engine.fill(out, 0);
  engine.addScaled(out, a, shift);
  for (let from = 0; from < histories.rows; from += batchSize) {
    throwIfAborted(signal);
    const tape = new Tape(engine, { gradients: false });
    try {
      const x = tape.histories(
        sliceRows(histories, from, Math.min(from + batchSize, histories.rows)),
        division,
      );
      const sums = tape.empty(x.rows, a.columns);
      sumOfRows(tape, sums, x, a, {});
      const own = ownOf(x);
      const part = tape.empty(own.touched.length, a.columns);
      engine.sparseRowSumGradient(part, own, sums, {});
      engine.addRows(out, part, own.touched);
    } finally {
      tape.dispose();
    }
    // Batches are queued faster than they are multiplied.
    await engine.finished();
    await setImmediate();
  }
}

/** a'a [k, k] in float64, of all items if they are divided: the sum over their blocks, in order. */
async function gramOf(a: Tensor, { engine, division }: ImplicitSlimRun, turns: Turns): Promise<Float64Array> {
  const { columns: k } = a;
  const data = await engine.read(a);
  if (!division) return gramMatrix(data, k, turns);
  const { own, ownBlocks, connection } = division;
  const parts = new Float64Array(ownBlocks.length * k * k);
  for (const [place, { from, to }] of ownBlocks.entries())
    parts.set(
      await gramMatrix(data.subarray((from - own.from) * k, (to - own.from) * k), k, turns),
      place * k * k,
    );
  const sum = new Float64Array(k * k);
  for (const bytes of await connection.gather(new Uint8Array(parts.buffer))) {
    // The bytes of a member may start anywhere.
    const blocks = new Float64Array(bytes.slice().buffer);
    for (let i = 0; i < blocks.length; i++) sum[i % sum.length] += blocks[i];
  }
  return sum;
}
