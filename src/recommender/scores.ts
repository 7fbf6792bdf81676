// Computes scores for a few hundred histories at a time: nothing of size [users, items] is ever in memory as a whole (except the
// result of `read`, which is intended for small inputs and tests).

import { setImmediate } from "node:timers/promises";
import type { Engine, TopK } from "../compute/engine.js";
import type { SparseTensor, Tensor } from "../compute/tensor.js";
import { wordsFor } from "../core/bits.js";
import { throwIfAborted } from "../core/errors.js";
import { type CsrMatrix, sliceRows } from "../sparse/csr.js";
import { requireCatalogue } from "./catalogue.js";
import { type ProductRanking, RANKED_AT_ONCE, SCORES_AT_ONCE } from "./product-ranking.js";
import type { ScoreOptions, Scores } from "./recommender.js";

/** The number of histories scored at a time: at most 512, fewer for a large catalogue. */
export function rowsPerBlock(items: number): number {
  return Math.max(1, Math.min(512, Math.floor(SCORES_AT_ONCE / Math.max(1, items))));
}

/** `blockwiseScores` of what `compute` writes to [block rows, items] for a block of the histories, which are on the engine. */
export function scoresOfInput(
  engine: Engine,
  histories: CsrMatrix,
  items: number,
  compute: (scores: Tensor, input: SparseTensor) => void,
  options: ScoreOptions = {},
): Scores {
  const scoreBlock = (block: CsrMatrix) => {
    const scores = engine.empty(block.rows, items);
    const input = engine.sparse(block);
    compute(scores, input);
    engine.releaseSparse(input);
    return scores;
  };
  return blockwiseScores(engine, histories, items, scoreBlock, options);
}

/**
 * Scores [histories.rows, items] from `scoreBlock`, which queues the work for some rows of the histories and returns their scores
 * as a tensor [block rows, items] that is released here. If scores are products, `ranking` computes `topK`. Throws RangeError if
 * the histories do not have `items` columns. The methods of the result reject with AbortedError once `signal` is aborted.
 */
export function blockwiseScores(
  engine: Engine,
  histories: CsrMatrix,
  items: number,
  scoreBlock: (block: CsrMatrix) => Tensor | Promise<Tensor>,
  { ranking, signal }: ScoreOptions & { readonly ranking?: ProductRanking } = {},
): Scores {
  requireCatalogue("score", histories, items);

  /**
   * Runs `use` on the result of `make` for every block (its scores), with two blocks in flight so that the engine is never idle;
   * settles after the last block.
   */
  async function eachBlock(
    use: (made: Tensor, first: number, rows: number) => Promise<void>,
    make = scoreBlock,
    blockRows = rowsPerBlock(items),
  ): Promise<void> {
    let failure: { cause: unknown } | undefined;
    const work = async (first: number, last: number) => {
      try {
        throwIfAborted(signal);
        const made = await make(sliceRows(histories, first, last));
        try {
          await use(made, first, last - first);
        } finally {
          engine.release(made);
        }
      } catch (cause) {
        failure ??= { cause };
      }
    };
    let previous = Promise.resolve();
    for (let first = 0; first < histories.rows && !failure; first += blockRows) {
      // Yields to timers and signals between blocks, also with an engine that computes synchronously.
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

    async topK(k, without, allowed) {
      if (!(Number.isInteger(k) && k >= 1)) throw new RangeError(`topK: k = ${k} is not a positive integer`);
      if (without && (without.rows !== histories.rows || without.columns !== items))
        throw new RangeError(
          `topK: without is [${without.rows}, ${without.columns}], the scores are [${histories.rows}, ${items}]`,
        );
      const words = wordsFor(items);
      if (allowed && allowed.length !== words && allowed.length !== histories.rows * words)
        throw new RangeError(
          `topK: allowed has ${allowed.length} words, expected ${words} or ${histories.rows * words}`,
        );
      const columns = Math.min(k, items);
      throwIfAborted(signal);
      // The result of a single block needs no copy.
      if (ranking && histories.rows > 0 && histories.rows <= RANKED_AT_ONCE) {
        const hidden = ranking.products.encode(histories);
        try {
          return await ranking.topK(hidden, columns, without, undefined, allowed);
        } finally {
          engine.release(hidden);
        }
      }
      const result: TopK = {
        rows: histories.rows,
        k: columns,
        items: new Uint32Array(histories.rows * columns),
        scores: new Float32Array(histories.rows * columns),
      };
      const keep = (best: TopK, first: number) => {
        result.items.set(best.items, first * columns);
        result.scores.set(best.scores, first * columns);
      };
      const excluded = (first: number, rows: number) => without && sliceRows(without, first, first + rows);
      const among = (first: number, rows: number) =>
        allowed && allowed.length !== words
          ? allowed.subarray(first * words, (first + rows) * words)
          : allowed;
      if (ranking) {
        const rank = async (hidden: Tensor, first: number, rows: number) =>
          keep(
            await ranking.topK(hidden, columns, excluded(first, rows), undefined, among(first, rows)),
            first,
          );
        await eachBlock(rank, ranking.products.encode, RANKED_AT_ONCE);
        return result;
      }
      await eachBlock(async (scores, first, rows) => {
        const some = excluded(first, rows);
        const masked = some && engine.sparse(some);
        try {
          keep(await engine.topK(scores, columns, masked, among(first, rows)), first);
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
