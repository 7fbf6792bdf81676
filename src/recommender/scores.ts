// Scores that are computed a few hundred histories at a time: nothing of size [users, items] ever exists as a whole
// (except in the answer of `read`, which is meant for small inputs and tests).

import { setImmediate } from "node:timers/promises";
import type { Engine, TopK } from "../compute/engine.js";
import type { Tensor } from "../compute/tensor.js";
import { throwIfAborted } from "../core/errors.js";
import { type CsrMatrix, sliceRows } from "../sparse/csr.js";
import type { BestProducts } from "./best-products.js";
import { requireCatalogue } from "./catalogue.js";
import type { ScoreOptions, Scores } from "./recommender.js";

/** Score elements that may exist at one time (64 MiB of float32): the rows of a block follow from it. */
const BLOCK_ELEMENTS = 1 << 24;

/** How many histories are scored at a time: at most 512, fewer for a large catalogue. */
export function rowsPerBlock(items: number): number {
  return Math.max(1, Math.min(512, Math.floor(BLOCK_ELEMENTS / Math.max(1, items))));
}

/**
 * Scores [histories.rows, items] from `scoreBlock`, which queues the work for some rows of the histories and hands over
 * their scores as a tensor [block rows, items] that is released here. Throws RangeError where the histories' columns
 * are not the catalogue's `items`. `best` answers `topK` of a few histories where the scores are products. What is asked for
 * rejects with AbortedError once `signal` is aborted.
 */
export function blockwiseScores(
  engine: Engine,
  histories: CsrMatrix,
  items: number,
  scoreBlock: (block: CsrMatrix) => Tensor | Promise<Tensor>,
  { best, signal }: ScoreOptions & { readonly best?: BestProducts } = {},
): Scores {
  requireCatalogue("score", histories, items);
  const blockRows = rowsPerBlock(items);

  /** Runs `use` on every block, two blocks in flight so that the engine need not wait for us; settles when none is left. */
  async function eachBlock(
    use: (scores: Tensor, first: number, rows: number) => Promise<void>,
  ): Promise<void> {
    let failure: { cause: unknown } | undefined;
    const work = async (first: number, last: number) => {
      try {
        throwIfAborted(signal);
        const scores = await scoreBlock(sliceRows(histories, first, last));
        try {
          await use(scores, first, last - first);
        } finally {
          engine.release(scores);
        }
      } catch (cause) {
        failure ??= { cause };
      }
    };
    let previous = Promise.resolve();
    for (let first = 0; first < histories.rows && !failure; first += blockRows) {
      // A turn for timers and signals between blocks, also on an engine that computes on the spot.
      if (first > 0) await setImmediate();
      const current = work(first, Math.min(histories.rows, first + blockRows));
      await previous;
      previous = current;
    }
    await previous;
    if (failure) throw failure.cause;
  }

  return {
    rows: histories.rows,

    async topK(k, without) {
      if (!(Number.isInteger(k) && k >= 1)) throw new RangeError(`topK: k = ${k} is not a positive integer`);
      if (without && (without.rows !== histories.rows || without.columns !== items))
        throw new RangeError(
          `topK: without is [${without.rows}, ${without.columns}], the scores are [${histories.rows}, ${items}]`,
        );
      const columns = Math.min(k, items);
      throwIfAborted(signal);
      if (best?.takes(histories.rows)) return best.topK(histories, columns, without);
      const result: TopK = {
        rows: histories.rows,
        k: columns,
        items: new Uint32Array(histories.rows * columns),
        scores: new Float32Array(histories.rows * columns),
      };
      await eachBlock(async (scores, first, rows) => {
        const masked = without && engine.sparse(sliceRows(without, first, first + rows));
        try {
          const best = await engine.topK(scores, columns, masked);
          result.items.set(best.items, first * columns);
          result.scores.set(best.scores, first * columns);
        } finally {
          if (masked) engine.releaseSparse(masked);
        }
      });
      return result;
    },

    async at(wanted) {
      for (const item of wanted)
        if (item >= items) throw new RangeError(`at: item ${item} is outside [0, ${items})`);
      const result = new Float32Array(histories.rows * wanted.length);
      await eachBlock(async (scores, first, rows) => {
        const taken = engine.empty(rows, wanted.length);
        engine.takeColumns(taken, scores, wanted);
        try {
          result.set(await engine.read(taken), first * wanted.length);
        } finally {
          engine.release(taken);
        }
      });
      return result;
    },

    async read() {
      const result = new Float32Array(histories.rows * items);
      await eachBlock(async (scores, first) => result.set(await engine.read(scores), first * items));
      return result;
    },
  };
}
