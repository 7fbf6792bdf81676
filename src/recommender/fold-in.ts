// How a factor model turns a history into a user's vector: by solving for it with the items' factors held fixed. The model says
// what is solved as data, which scoring solves in the engine and an export writes down in its own form (serving/onnx/fold-in.ts).

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

/** What the entries of a matrix count for in least squares, and its other cells (AlsHalfSweep). */
export type CellWeights = Pick<AlsHalfSweep, "gramWeight" | "outer" | "target">;

interface HeldFixed {
  /** Y [items, k]: the items' factors. */
  readonly items: Tensor;
  /** G [k, k]: the sum of y y' over the items that count, or of its expectation. */
  readonly gram: Tensor;
}

/** The x that minimises gramWeight x'Gx + sum over the history of outer (y'x)^2 - 2 target y'x + ridge ||x||^2. */
export interface RidgeFoldIn extends HeldFixed, CellWeights {
  readonly kind: "ridge";
  /** One for all, or by the length of the history. */
  readonly ridge: number | RidgeByEntries;
  /** [items, k (k + 1) / 2], packed: where the items' factors are distributions (AlsHalfSweep). */
  readonly covariances?: Tensor;
}

/** The x >= 0 that minimises 1/2 x'(G + l2 I)x - (sum over the history of y - l1)'x, by coordinate descent from 0. */
export interface NonNegativeFoldIn extends HeldFixed {
  readonly kind: "non-negative";
  readonly l1: number;
  readonly l2: number;
  /** Most iterations over the coordinates, and the share of the first one's violation at which they end. */
  readonly iterations: number;
  readonly tolerance: number;
}

export type FoldIn = RidgeFoldIn | NonNegativeFoldIn;

/** A recommender whose scores are x's, x being what its fold-in solves for and s an item's row of `scored`. */
export interface SolvingRecommender extends Recommender {
  readonly foldIn: FoldIn;
  /** S [items, k] */
  readonly scored: Tensor;
}

export function foldsInBySolving(recommender: Recommender): recommender is SolvingRecommender {
  return "foldIn" in recommender;
}

/** Confidence a where there is an interaction, and b elsewhere, of preferences 1 and 0 (Wang, Blei: CTR, KDD 2011, equation 2). */
export function twoLevelWeights(a: number, b: number): CellWeights {
  const constantly = (constant: number): EntryWeight => ({ constant, slope: 0 });
  return { gramWeight: b, outer: constantly(a - b), target: constantly(a) };
}

/** The ridge of every row of a matrix. */
export function ridgesOf(matrix: CsrMatrix, { scale, offset, exponent }: RidgeByEntries): Float32Array {
  return Float32Array.from({ length: matrix.rows }, (_, row) => {
    const entries = matrix.offsets[row + 1] - matrix.offsets[row];
    return scale * (entries + offset) ** exponent;
  });
}

/**
 * The users' vectors of histories: [histories, k], a tensor of the caller's. `posterior` [histories, k (k + 1) / 2] becomes the
 * inverse of every history's system, packed; of a ridge fold-in only. Throws UserError for an engine without solvers.
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
