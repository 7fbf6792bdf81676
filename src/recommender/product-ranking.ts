// Finds the best items for hidden activations (or user factors) if scores are products with the items' weights, and decides how.
// For a few rows and large, final weights, bounds and indices are used (best-products.ts); otherwise products with blocks of items are
// computed and their best items merged. At most `SCORES_AT_ONCE` scores are in memory at a time.

import { type Engine, NO_ITEM, type TopK } from "../compute/engine.js";
import { mergeTopK } from "../compute/merge-top-k.js";
import { type FloatArray, type Tensor, viewColumns, viewRows } from "../compute/tensor.js";
import { sliceBits, wordsFor } from "../core/bits.js";
import { type CsrMatrix, sliceColumns } from "../sparse/csr.js";
import { BestProducts, type BlockIndex } from "./best-products.js";
import { type BlockOptions, gathered, itemBlocks } from "./item-blocks.js";
import type { Recommender } from "./recommender.js";

/** The maximum number of scores in memory (64 MiB of float32). */
export const SCORES_AT_ONCE = 1 << 24;
/** Histories encoded and ranked at a time. */
export const RANKED_AT_ONCE = 512;

export interface Products {
  /** Computes the factor that is multiplied with the weights, [histories, width], as a tensor that the caller releases. */
  readonly encode: (histories: CsrMatrix) => Tensor;
  /** [items, width] */
  readonly weights: Tensor;
  /** [1, items]; absent = zeros. */
  readonly bias?: Tensor;
}

export interface RankingOptions {
  /** Whether the weights are final, as in a saved model, or `changed` is called after every change. */
  readonly final?: boolean;
  /** The number of weights from which on a few histories are ranked by bounds. */
  readonly boundedFrom?: number;
  /** The maximum number of scores in memory. Default `SCORES_AT_ONCE`. */
  readonly atOnce?: number;
}

/** Items [from, to) of the catalogue. */
interface Share {
  readonly from: number;
  readonly to: number;
}

export class ProductRanking {
  readonly products: Products;
  readonly #engine: Engine;
  readonly #bounded: BestProducts | undefined;
  readonly #atOnce: number;

  constructor(
    engine: Engine,
    products: Products,
    { final = false, boundedFrom, atOnce = SCORES_AT_ONCE }: RankingOptions = {},
  ) {
    this.#engine = engine;
    this.products = products;
    this.#bounded = final ? new BestProducts(engine, products, boundedFrom) : undefined;
    this.#atOnce = atOnce;
  }

  /**
   * For each row of `hidden` [rows, width], the k best items that are allowed (as in `Scores.topK`), except those in the same row of
   * `without` [rows, catalogue]. With a share, only its items are ranked (by their catalogue indices); `mergeTopK` combines the
   * results of all shares.
   */
  async topK(
    hidden: Tensor,
    k: number,
    without?: CsrMatrix,
    share?: Share,
    allowed?: Uint32Array,
  ): Promise<TopK> {
    const { from, to } = share ?? { from: 0, to: this.products.weights.rows };
    if (!share && this.#bounded?.takes(hidden.rows)) return this.#bounded.topK(hidden, k, without, allowed);
    const most = Math.max(1, Math.floor(this.#atOnce / Math.max(1, hidden.rows)));
    const parts: TopK[] = [];
    for (let first = from; first < Math.max(to, from + 1); first += most)
      parts.push(
        await this.#ofBlock(hidden, k, without, { from: first, to: Math.min(to, first + most) }, allowed),
      );
    return mergeTopK(parts, k);
  }

  /** The items in blocks, for an index. Throws AbortedError. */
  blocks(options?: BlockOptions): Promise<CsrMatrix> {
    return itemBlocks(this.#engine, this.products.weights, options);
  }

  /** The weights of the given items, [items.length, width]. */
  async weightsOf(items: Uint32Array): Promise<FloatArray> {
    const some = gathered(this.#engine, this.products.weights, items);
    try {
      return await this.#engine.read(some);
    } finally {
      this.#engine.release(some);
    }
  }

  /** Uses an index for a few histories. Throws RangeError if the weights are not final, or it is not an index of their rows. */
  useIndex(index: BlockIndex): void {
    if (!this.#bounded) throw new RangeError("useIndex: the weights are not final");
    if (index.blocks.indices.length !== this.products.weights.rows)
      throw new RangeError(
        `useIndex: the index has ${index.blocks.indices.length} items, the model ${this.products.weights.rows}`,
      );
    this.#bounded.useIndex(index);
  }

  /** Changes the maximum number of blocks that are ranked with the index; undefined = exact. */
  limitBlocks(most: number | undefined): void {
    this.#bounded?.limitBlocks(most);
  }

  /** Releases what `products.encode` returned. */
  release(hidden: Tensor): void {
    this.#engine.release(hidden);
  }

  /** Computes now what the first ranking of a single history would compute. */
  prepare(): void {
    this.#bounded?.prepare();
  }

  /** To be called after the weights have changed. */
  changed(): void {
    this.#bounded?.dispose();
  }

  dispose(): void {
    this.#bounded?.dispose();
  }

  async #ofBlock(
    hidden: Tensor,
    k: number,
    without: CsrMatrix | undefined,
    block: Share,
    allowed: Uint32Array | undefined,
  ): Promise<TopK> {
    const engine = this.#engine;
    const { weights, bias } = this.products;
    const { from, to } = block;
    const isAll = from === 0 && to === weights.rows;
    const scores = engine.empty(hidden.rows, to - from);
    const masked = without && engine.sparse(isAll ? without : sliceColumns(without, from, to));
    try {
      const some = isAll ? weights : viewRows(weights, from, to);
      engine.matmul(scores, hidden, some, { transposeB: true, bf16: engine.bf16 });
      if (bias) engine.addRow(scores, isAll ? bias : viewColumns(bias, from, to));
      const inBlock = allowed && !isAll ? sliceSets(allowed, weights.rows, from, to) : allowed;
      const best = await engine.topK(scores, k, masked, inBlock);
      return from === 0 ? best : { ...best, items: best.items.map((item) => Math.min(item + from, NO_ITEM)) };
    } finally {
      engine.release(scores);
      if (masked) engine.releaseSparse(masked);
    }
  }
}

/** Columns [from, to) of one or several sets of `columns` bits. */
function sliceSets(sets: Uint32Array, columns: number, from: number, to: number): Uint32Array {
  const length = wordsFor(columns);
  const sliced = new Uint32Array((sets.length / length) * wordsFor(to - from));
  for (let set = 0; set * length < sets.length; set++)
    sliced.set(
      sliceBits(sets.subarray(set * length, (set + 1) * length), from, to),
      set * wordsFor(to - from),
    );
  return sliced;
}

/** A recommender whose scores are products with item vectors. */
export interface RankingRecommender extends Recommender {
  readonly ranking: ProductRanking;
}

export function ranksByProducts(recommender: Recommender): recommender is RankingRecommender {
  return "ranking" in recommender && recommender.ranking !== undefined;
}
