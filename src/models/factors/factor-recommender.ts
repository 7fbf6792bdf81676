// A trained factor model: a history is folded in as a vector, and an item's score is the inner product of both factors.

import type { Engine } from "../../compute/engine.js";
import type { Tensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import { type FoldIn, type SolvingRecommender, solveFoldIn } from "../../recommender/fold-in.js";
import { ProductRanking, type RankingRecommender } from "../../recommender/product-ranking.js";
import type { ModelFiles, ScoreOptions } from "../../recommender/recommender.js";
import { blockwiseScores } from "../../recommender/scores.js";
import { productSpace, type Vectors, vectorsFrom } from "../../recommender/vectors.js";
import type { CsrMatrix } from "../../sparse/csr.js";

/** Up to this number of factors is always accepted: F'F and the memory to fold in a history are a few megabytes. */
const FACTORS_OF_ANY_CATALOGUE = 1024;
/** Fewer factors fit into the caches, and reading them all is fast (docs/decisions/best-products.md). */
const BOUNDED_FROM = 2 ** 24;

/**
 * Throws UserError for more factors than are plausible for the catalogue. F'F [k, k], and as much again for every thread that
 * folds in a history, would be many times larger than F.
 */
export function requirePlausibleFactors(algorithm: string, items: number, k: number): void {
  const most = Math.max(FACTORS_OF_ANY_CATALOGUE, 4 * items);
  if (k > most)
    throw new UserError({
      place: `${algorithm}: factors`,
      problem: `${k} factors for ${items} items`,
      expected: `at most ${most}, the larger of ${FACTORS_OF_ANY_CATALOGUE} and four per item`,
    });
}

/** The items' factors F [items, k] and F'F [k, k] in the engine. */
export abstract class FactorRecommender implements SolvingRecommender, Vectors, RankingRecommender {
  abstract readonly algorithm: string;
  readonly items: Vocabulary;
  readonly spaces: Vectors["spaces"];
  readonly userVectors: Vectors["userVectors"];
  readonly itemVectors: Vectors["itemVectors"];
  abstract readonly foldIn: FoldIn;
  readonly scored: Tensor;
  protected readonly engine: Engine;
  protected readonly gram: Tensor;
  readonly ranking: ProductRanking;

  /** Takes ownership of F; `names` describe the vectors of users and items. */
  constructor(
    engine: Engine,
    items: Vocabulary,
    itemFactors: Tensor,
    names: { readonly users: string; readonly items: string },
  ) {
    this.engine = engine;
    this.items = items;
    this.scored = itemFactors;
    this.gram = engine.empty(itemFactors.columns, itemFactors.columns);
    const encode = (block: CsrMatrix) => this.encode(block);
    const products = { encode, weights: itemFactors };
    this.ranking = new ProductRanking(engine, products, { final: true, boundedFrom: BOUNDED_FROM });
    const space = productSpace(engine, { ...names, ...products });
    ({
      spaces: this.spaces,
      userVectors: this.userVectors,
      itemVectors: this.itemVectors,
    } = vectorsFrom(this, [space]));
    this.renew();
  }

  /** The users' factors [histories, k]; the caller releases the tensor. */
  protected encode(histories: CsrMatrix): Tensor {
    return solveFoldIn(this.engine, this.foldIn, histories);
  }

  abstract save(): Promise<ModelFiles>;

  /** To be called after F has changed. */
  renew(): void {
    this.engine.matmul(this.gram, this.scored, this.scored, { transposeA: true });
    this.ranking.changed();
  }

  score(histories: CsrMatrix, options?: ScoreOptions) {
    const { engine } = this;
    const scoreBlock = (block: CsrMatrix) => {
      const scores = engine.empty(block.rows, this.items.size);
      const users = this.encode(block);
      engine.matmul(scores, users, this.scored, { transposeB: true });
      engine.release(users);
      return scores;
    };
    return blockwiseScores(engine, histories, this.items.size, scoreBlock, {
      ...options,
      ranking: this.ranking,
    });
  }

  dispose(): void {
    this.ranking.dispose();
    this.engine.release(this.scored);
    this.engine.release(this.gram);
  }
}
