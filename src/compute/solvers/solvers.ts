// The arguments of solvers: the inner loops of models that are not trained by gradients, which CPU engines have as additional
// kernels (kernels.ts).

import type { CsrMatrix } from "../../sparse/csr.js";
import type { Tensor } from "../tensor.js";

/** The weight of an entry with value r (1 if the matrix has no values): constant + slope * r. */
export interface EntryWeight {
  readonly constant: number;
  readonly slope: number;
}

/**
 * One half of an alternating-least-squares sweep (Hu, Koren, Volinsky 2008, equation 4, and variants): for every row u, sets x_u
 * to the minimiser of
 *
 *   gramWeight x'Gx + sum over u's entries i of outer_ui (y_i'x)^2 - 2 target_ui y_i'x + ridge_u ||x - prior_u||^2
 *
 * A cell of confidence c and preference p, where all others have confidence b and preference 0, has outer = c - b, target = c p
 * and gramWeight = b. An undetermined direction (ridge 0, too few entries) is set to 0.
 */
export interface AlsHalfSweep {
  /** y [columns, k], fixed. */
  readonly fixed: Tensor;
  /** G [k, k], symmetric: the sum of y_i y_i' over all columns, or over a subset. */
  readonly gram: Tensor;
  readonly gramWeight: number;
  readonly outer: EntryWeight;
  readonly target: EntryWeight;
  /** At least 0; one value for all rows, or one per row: [rows]. */
  readonly ridge: number | Float32Array;
  /** [rows, k]: the prior mean. Absent = 0. */
  readonly prior?: Tensor;
  /** The rows to solve, ascending; the others are unchanged. Absent = all. */
  readonly rows?: Uint32Array;
  /** Steps of conjugate gradients from the current row (Takacs, Pilaszy, Tikk 2011). Absent = exact, by Cholesky. */
  readonly steps?: number;
  /** [rows, 1]: receives the value of the objective for every row that is solved. */
  readonly objective?: Tensor;
  /**
   * [columns, k (k + 1) / 2], upper triangles packed row by row: S_i, the covariance of y_i if it is a distribution, so that
   * (y_i'x)^2 becomes its expectation, (y_i'x)^2 + x'S_i x; `gram` is then the sum of y_i y_i' + S_i. Only for exact solutions.
   */
  readonly covariances?: Tensor;
  /** [rows, k (k + 1) / 2]: receives the inverse of every solved row's system, packed likewise. Only for exact solutions. */
  readonly posterior?: Tensor;
}

/**
 * Coordinate descent for non-negative least squares (Cichocki, Phan 2009; scikit-learn's `_update_cdnmf_fast`): every iteration sets
 * each coordinate of every row w in turn to the minimiser of
 *
 *   1/2 w'(G + l2 I)w - (p - l1)'w,  w >= 0
 *
 * with the other coordinates fixed. With G = HH' and p = Hx this is 1/2 ||x - H'w||^2 + l1 sum w + l2/2 ||w||^2.
 */
export interface NonNegativeIterations {
  /** G [k, k], symmetric. */
  readonly gram: Tensor;
  /** p [rows, k] */
  readonly products: Tensor;
  readonly l1: number;
  readonly l2: number;
  /** Maximum number of iterations, at least 1. */
  readonly iterations: number;
  /** A row stops when the violation of an iteration is at most this share of that of the first. 0 = only when there is no violation. */
  readonly tolerance: number;
  /** [rows, 1]: receives the violation of the row's last iteration, the sum over its coordinates of the absolute projected gradient. */
  readonly violation?: Tensor;
}

/** A network of infinite width: S(x, y) = scale x.y + bias, followed by `depth` hidden ReLU layers with the same bias. */
export interface TangentNetwork {
  readonly scale: number;
  readonly bias: number;
  readonly depth: number;
}

/** The similarity of two columns from their product d = x_i . x_j: similarity(i, j) = d / (size + shrink). */
export interface Similarity {
  /** "product": size = left_i right_j (cosine: both are norms). "union": left_i + right_j - d (Jaccard: both are squared norms). */
  readonly size: "product" | "union";
  /** [columns] */
  readonly left: Float32Array;
  /** [columns] */
  readonly right: Float32Array;
  /** At least 0: shrinks the similarity of columns that have little in common towards 0. */
  readonly shrink: number;
  /** Number of neighbours that are kept. */
  readonly k: number;
}

/**
 * The elastic net of a column y of X on all other columns: the w >= 0, w_y = 0, that minimises
 *
 *   1/2 ||y - X w||^2 + l1 ||w||_1 + l2 / 2 ||w||^2
 */
export interface ElasticNet {
  readonly l1: number;
  readonly l2: number;
  /** Stops when the duality gap is at most this share of ||y||^2, and no weight changes by more than this share of the largest. */
  readonly tolerance: number;
  /** Maximum number of iterations, each over all coordinates. */
  readonly maxIterations: number;
  /** Number of weights that are kept, the largest. */
  readonly k: number;
}

/** A sparse Cholesky factorisation X'X + shift I ~ L D L', L unit lower triangular. */
export interface SparseFactorisation {
  /** At least 0. */
  readonly shift: number;
  /** Number of entries of L below the diagonal that are kept, those of the largest magnitude in L sqrt(D). */
  readonly entries: number;
  /** With `exact`: the number of last columns, nearly full, that are computed as a dense matrix. 0 otherwise. */
  readonly tail: number;
  /**
   * Whether entries are dropped only from the complete factor. Otherwise (Lin and More 1999, in the variant of SANSA), column j keeps
   * floor((entries - those of the former columns) / (columns - j)) of them, and the others reduce the diagonal all the same.
   */
  readonly exact: boolean;
}

export interface SparseFactor {
  /** The columns of L below its diagonal, as rows, ascending: [columns, columns]. */
  readonly lower: CsrMatrix;
  /** D [columns] */
  readonly pivots: Float32Array;
}

/**
 * Steps of minimal residuals from M = 2I - L: m += alpha r for a column m of M, with r = e - L m and alpha = r.Lr / |Lr|^2 (Chow and
 * Saad 1998). After every pass, the `entries` of the largest magnitude below the diagonal of M are kept. Or, with `exact`, the
 * largest entries of the exact inverse.
 */
export interface TriangularInversion {
  readonly entries: number;
  /** Passes over all columns with |r| / sqrt(columns) > 10^-(number of the pass + 1), at least 10^-7. */
  readonly scans: number;
  /** Further passes over the columns with the largest |r| per number of entries that a column can have: as many as a row of M has entries. */
  readonly rounds: number;
  /** By substitution, without scans and rounds. Default false. */
  readonly exact?: boolean;
}
