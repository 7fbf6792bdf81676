// Finds the best items for a few histories if scores are products with rows of weights, without computing all products. For a
// single history, all products take as long as reading the weights. Bounds are computed from int8-quantised weights
// (native/src/kernels/best_products.rs); with an index, most of them are not read either (best_in_blocks.rs).

import type { Engine, TopK } from "../compute/engine.js";
import type { Tensor } from "../compute/tensor.js";
import type { CsrMatrix } from "../sparse/csr.js";
import { ArrangedBlocks } from "./item-blocks.js";

/** For more histories at a time, computing all scores is faster (docs/decisions/best-products.md). */
const MOST_HISTORIES = 8;
/** The same with an index. */
const MOST_WITH_INDEX = 64;
/** Smaller weights are fast enough to read; with fewer rows, the scores of a few histories would differ in their last bits. */
const LEAST_NUMBERS = 2 ** 20;
const LEAST_ROWS = 1024;

export interface Products {
  /** [items, width]; must not change unless `changed` is called. */
  readonly weights: Tensor;
  /** [1, items]; absent = zeros. */
  readonly bias?: Tensor;
}

/** How the rows of the weights are divided into blocks of similar rows, and how many blocks are searched. */
export interface BlockIndex {
  /** [blocks, items] (item-blocks.ts) */
  readonly blocks: CsrMatrix;
  /** The maximum number of blocks whose items are ranked. Default: all that can contain one of the best items, which is exact. */
  readonly most?: number;
}

export class BestProducts {
  readonly #engine: Engine;
  readonly #products: Products;
  readonly #leastNumbers: number;
  #index: BlockIndex | undefined;
  /** What is computed from the weights, on first use: a little more than a quarter of their size. */
  #prepared: Prepared | undefined;

  /** Bounds are used for at least `leastNumbers` weights, or with an index. */
  constructor(engine: Engine, products: Products, leastNumbers = LEAST_NUMBERS) {
    this.#engine = engine;
    this.#products = products;
    this.#leastNumbers = leastNumbers;
  }

  /** Searches by blocks from now on. */
  useIndex(index: BlockIndex): void {
    this.dispose();
    this.#index = index;
  }

  /** Changes the maximum number of blocks of the index. */
  limitBlocks(most: number | undefined): void {
    if (this.#index) this.#index = { blocks: this.#index.blocks, ...(most !== undefined && { most }) };
  }

  /** Whether `topK` is faster than computing all scores for this number of histories. */
  takes(histories: number): boolean {
    if (this.#index) return histories > 0 && histories <= MOST_WITH_INDEX;
    const { rows, columns } = this.#products.weights;
    return (
      histories > 0 &&
      histories <= MOST_HISTORIES &&
      rows >= LEAST_ROWS &&
      rows * columns >= this.#leastNumbers
    );
  }

  /**
   * The k best items of each row of `a` [histories, width] that are allowed (as in `Scores.topK`) and not in `without`, and their
   * scores in a weights^T + bias.
   */
  async topK(
    a: Tensor,
    k: number,
    without: CsrMatrix | undefined,
    allowed: Uint32Array | undefined,
  ): Promise<TopK> {
    const engine = this.#engine;
    const { bias, quantised, blocks } = this.#prepare();
    const { weights } = this.#products;
    const masked = without && engine.sparse(without);
    try {
      if (!blocks) return await engine.bestProducts(a, { weights, bias, ...quantised }, k, masked, allowed);
      const most = Math.min(this.#index?.most ?? Number.POSITIVE_INFINITY, blocks.layer.items.rows);
      return await engine.bestInBlocks(a, { weights, bias, ...blocks.layer }, k, most, masked, allowed);
    } finally {
      if (masked) engine.releaseSparse(masked);
    }
  }

  /** Computes now what would otherwise be computed with the first history. */
  prepare(): void {
    if (this.takes(1)) this.#prepare();
  }

  /** To be called after the weights have changed, and at the end. */
  dispose(): void {
    const { ownBias, quantised, blocks } = this.#prepared ?? {};
    this.#prepared = undefined;
    if (ownBias) this.#engine.release(ownBias);
    for (const tensor of Object.values(quantised ?? {})) this.#engine.release(tensor);
    blocks?.dispose();
  }

  #prepare(): Prepared {
    this.#prepared ??= this.#made();
    return this.#prepared;
  }

  #made(): Prepared {
    const engine = this.#engine;
    const { weights } = this.#products;
    const ownBias = this.#products.bias ? undefined : engine.zeros(1, weights.rows);
    const bias = this.#products.bias ?? (ownBias as Tensor);
    if (this.#index)
      return { bias, ownBias, blocks: new ArrangedBlocks(engine, weights, bias, this.#index.blocks) };
    const quantised = engine.empty(weights.rows, weights.columns, "int8");
    const statistics = engine.empty(weights.rows, 3);
    engine.quantise(quantised, statistics, weights);
    return { bias, ownBias, quantised: { quantised, statistics } };
  }
}

/** The int8-quantised weights, in blocks if there is an index, and a bias of zeros if there is none. */
type Prepared = {
  readonly bias: Tensor;
  readonly ownBias: Tensor | undefined;
} & (
  | {
      readonly quantised: { readonly quantised: Tensor; readonly statistics: Tensor };
      readonly blocks?: undefined;
    }
  | { readonly quantised?: undefined; readonly blocks: ArrangedBlocks }
);
