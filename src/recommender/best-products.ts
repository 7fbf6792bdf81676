// Finds the best items for a few histories if scores are products with rows of weights, without computing all products
// (native/src/kernels/best_products.rs). For a single history, all products take as long as reading the weights.

import type { Engine, TopK } from "../compute/engine.js";
import type { Tensor } from "../compute/tensor.js";
import type { CsrMatrix } from "../sparse/csr.js";

/** For more histories at a time, computing all scores is faster (docs/decisions/best-products.md). */
const MOST_HISTORIES = 8;
/** Smaller weights are fast enough to read; with fewer rows, the scores of a few histories would differ in their last bits. */
const LEAST_NUMBERS = 2 ** 20;
const LEAST_ROWS = 1024;

export interface Products {
  /** [items, width]; must not change any more. */
  readonly weights: Tensor;
  /** [1, items] */
  readonly bias: Tensor;
}

export class BestProducts {
  readonly #engine: Engine;
  readonly #products: Products;
  /** The int8-quantised weights, created on first use; a quarter of the size of the weights. */
  #quantised: { readonly quantised: Tensor; readonly statistics: Tensor } | undefined;

  constructor(engine: Engine, products: Products) {
    this.#engine = engine;
    this.#products = products;
  }

  /** Whether `topK` is faster than computing all scores for this number of histories. */
  takes(histories: number): boolean {
    const { rows, columns } = this.#products.weights;
    return (
      histories > 0 && histories <= MOST_HISTORIES && rows >= LEAST_ROWS && rows * columns >= LEAST_NUMBERS
    );
  }

  /** The k best items of each row of `a` [histories, width], without those in `without`, and their scores in a weights^T + bias. */
  async topK(a: Tensor, k: number, without: CsrMatrix | undefined): Promise<TopK> {
    const engine = this.#engine;
    const { weights, bias } = this.#products;
    this.#quantised ??= this.#quantise();
    const masked = without && engine.sparse(without);
    try {
      return await engine.bestProducts(a, { weights, ...this.#quantised, bias }, k, masked);
    } finally {
      if (masked) engine.releaseSparse(masked);
    }
  }

  dispose(): void {
    if (!this.#quantised) return;
    this.#engine.release(this.#quantised.quantised);
    this.#engine.release(this.#quantised.statistics);
    this.#quantised = undefined;
  }

  #quantise() {
    const { weights } = this.#products;
    const quantised = this.#engine.empty(weights.rows, weights.columns, "int8");
    const statistics = this.#engine.empty(weights.rows, 3);
    this.#engine.quantise(quantised, statistics, weights);
    return { quantised, statistics };
  }
}
