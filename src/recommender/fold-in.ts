// Fold-in for factor models: a user's vector is solved for with the items' factors fixed. The problem is described as data, which
// is solved by the engine when scoring and converted to ONNX when exporting (serving/onnx/fold-in.ts).

import type { Engine } from "../compute/engine.js";
import type { AlsHalfSweep, EntryWeight } from "../compute/solvers/solvers.js";
import { solversOf } from "../compute/solvers/solvers-of.js";
import type { Tensor } from "../compute/tensor.js";
import type { CsrMatrix } from "../sparse/csr.js";
import type { Recommender } from "./recommender.js";

/** A row of n entries has the ridge scale (n + offset)^exponent. */
export interface RidgeByEntries {
  readonly scale: number;
  readonly offset: number;
  readonly exponent: number;
}

/** The least-squares weights of a matrix's entries and of its other cells (AlsHalfSweep). */
export type CellWeights = Pick<AlsHalfSweep, "gramWeight" | "outer" | "target">;

interface HeldFixed {
  /** Y [items, k]: the items' factors. */
  readonly items: Tensor;
  /** G [k, k]: the sum of y y', or of its expectation, over the relevant items. */
  readonly gram: Tensor;
}

/** The x that minimises gramWeight x'Gx + sum over the history of outer (y'x)^2 - 2 target y'x + ridge ||x||^2. */
export interface RidgeFoldIn extends HeldFixed, CellWeights {
  readonly kind: "ridge";
  /** The same for all histories, or depending on their length. */
  readonly ridge: number | RidgeByEntries;
  /** [items, k (k + 1) / 2], packed; given if the items' factors are distributions (AlsHalfSweep). */
  readonly covariances?: Tensor;
}

/** The x >= 0 that minimises 1/2 x'(G + l2 I)x - (sum over the history of y - l1)'x, by coordinate descent from 0. */
export interface NonNegativeFoldIn extends HeldFixed {
  readonly kind: "non-negative";
  readonly l1: number;
  readonly l2: number;
  /** The maximum number of iterations over the coordinates; they end when the violation falls below `tolerance` times the first one. */
  readonly iterations: number;
  readonly tolerance: number;
}

export type FoldIn = RidgeFoldIn | NonNegativeFoldIn;

/** A recommender with scores x's, where x is the solution of its fold-in and s an item's row of `scored`. */
export interface SolvingRecommender extends Recommender {
  readonly foldIn: FoldIn;
  /** S [items, k] */
  readonly scored: Tensor;
}

export function foldsInBySolving(recommender: Recommender): recommender is SolvingRecommender {
  return "foldIn" in recommender;
}

/** Confidence a and preference 1 for interactions, confidence b and preference 0 elsewhere (Wang, Blei: CTR, KDD 2011, equation 2). */
export function twoLevelWeights(a: number, b: number): CellWeights {
  const constantly = (constant: number): EntryWeight => ({ constant, slope: 0 });
  return { gramWeight: b, outer: constantly(a - b), target: constantly(a) };
}

/** The ridge penalty of every row of a matrix. */
export function ridgesOf(matrix: CsrMatrix, { scale, offset, exponent }: RidgeByEntries): Float32Array {
  return Float32Array.from({ length: matrix.rows }, (_, row) => {
    const entries = matrix.offsets[row + 1] - matrix.offsets[row];
    return scale * (entries + offset) ** exponent;
  });
}

/**
 * Solves for the users' vectors: [histories, k], a tensor that the caller releases. With ridge fold-in, `posterior`
 * [histories, k (k + 1) / 2] receives the packed inverse of each history's system. Throws UserError for an engine without solvers.
 */
export function solveFoldIn(
  engine: Engine,
  foldIn: FoldIn,
  histories: CsrMatrix,
  posterior?: Tensor,
): Tensor {
  const { items, gram } = foldIn;
  const users = engine.zeros(histories.rows, items.columns);
  const interactions = engine.sparse(histories);
  const solvers = solversOf(engine);
  switch (foldIn.kind) {
    case "ridge": {
      const { gramWeight, outer, target, ridge, covariances } = foldIn;
      solvers.alsHalfSweep(users, interactions, {
        ...{ fixed: items, gram, gramWeight, outer, target },
        ridge: typeof ridge === "number" ? ridge : ridgesOf(histories, ridge),
        ...(covariances && { covariances }),
        ...(posterior && { posterior }),
      });
      break;
    }
    case "non-negative": {
      const { l1, l2, iterations, tolerance } = foldIn;
      const products = engine.empty(histories.rows, items.columns);
      engine.sparseRowSum(products, interactions, items, {});
      solvers.nonNegativeIterations(users, { gram, products, l1, l2, iterations, tolerance });
      engine.release(products);
      break;
    }
    default:
      foldIn satisfies never;
  }
  engine.releaseSparse(interactions);
  return users;
}
