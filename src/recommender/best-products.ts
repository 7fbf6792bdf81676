// The best items of a few histories whose scores are products with rows of weights: found without computing all of the
// products (native/src/kernels/best_products.rs), which for one history are as slow as the weights are large.

import type { Engine, TopK } from "../compute/engine.js";
import type { Tensor } from "../compute/tensor.js";
import type { CsrMatrix } from "../sparse/csr.js";

/** More histories at a time are scored sooner as a whole (docs/decisions/best-products.md). */
const MOST_HISTORIES = 8;
/** Smaller weights are fetched fast enough; with fewer rows the last bits of the scores of a few histories would be others. */
const LEAST_NUMBERS = 2 ** 20;
const LEAST_ROWS = 1024;

export interface Products {
  /** [items, width], which never change again. */
  readonly weights: Tensor;
  /** [1, items] */
  readonly bias: Tensor;
}

export class BestProducts {
  readonly #engine: Engine;
  readonly #products: Products;
  /** The int8-quantised weights, made for the first question; a quarter of the size of the weights. */
  #quantised: { readonly quantised: Tensor; readonly statistics: Tensor } | undefined;

  constructor(engine: Engine, products: Products) {
    this.#engine = engine;
    this.#products = products;
  }

  /** Whether so many histories are answered sooner by `topK` than by all of their scores. */
  takes(histories: number): boolean {
    const { rows, columns } = this.#products.weights;
    return (
      histories > 0 && histories <= MOST_HISTORIES && rows >= LEAST_ROWS && rows * columns >= LEAST_NUMBERS
    );
  }

  /** The k best items of each row of a [histories, width] but those of `without`, with the scores that a weights^T + bias has for them. */
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
