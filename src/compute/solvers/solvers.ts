// What solvers are asked for: the inner loops of models that are solved rather than trained by gradients, which CPU engines
// have as further kernels (kernels.ts).

import type { Tensor } from "../tensor.js";

/** What an entry of value r counts for (1 where the matrix has no values): constant + slope * r. */
export interface EntryWeight {
  readonly constant: number;
  readonly slope: number;
}

/**
 * One half of an alternating-least-squares sweep (Hu, Koren, Volinsky 2008, equation 4, and its relatives): for every row u, x_u
 * becomes what minimises
 *
 *   gramWeight x'Gx + sum over u's entries i of outer_ui (y_i'x)^2 - 2 target_ui y_i'x + ridge_u ||x - prior_u||^2
 *
 * A cell of confidence c and preference p, where all others have confidence b and preference 0, has outer = c - b, target = c p
 * and gramWeight = b. A direction that nothing pins down (ridge 0, too few entries) stays at 0.
 */
export interface AlsHalfSweep {
  /** y [columns, k], held fixed. */
  readonly fixed: Tensor;
  /** G [k, k], symmetric: the sum of y_i y_i' over all columns, or over those that are to count. */
  readonly gram: Tensor;
  readonly gramWeight: number;
  readonly outer: EntryWeight;
  readonly target: EntryWeight;
  /** At least 0, for every row or row by row: [rows]. */
  readonly ridge: number | Float32Array;
  /** [rows, k]: what the ridge draws towards. Absent = 0. */
  readonly prior?: Tensor;
  /** The rows to solve, ascending; the others stay as they are. Absent = all. */
  readonly rows?: Uint32Array;
  /** Steps of conjugate gradients from where a row stands (Takacs, Pilaszy, Tikk 2011). Absent = exact, by Cholesky. */
  readonly steps?: number;
  /** [rows, 1]: becomes the value of what was minimised, of every row that is solved. */
  readonly objective?: Tensor;
  /**
   * [columns, k (k + 1) / 2], upper triangles packed row by row: S_i, where y_i is a distribution and (y_i'x)^2 becomes its
   * expectation, (y_i'x)^2 + x'S_i x; `gram` is then the sum of y_i y_i' + S_i. Exact solutions only.
   */
  readonly covariances?: Tensor;
  /** [rows, k (k + 1) / 2]: becomes the inverse of every solved row's system, packed likewise. Exact solutions only. */
  readonly posterior?: Tensor;
}

/**
 * Coordinate descent for non-negative least squares (Cichocki, Phan 2009; scikit-learn's `_update_cdnmf_fast`): in every iteration,
 * every coordinate of every row w in turn becomes what minimises
 *
 *   1/2 w'(G + l2 I)w - (p - l1)'w,  w >= 0
 *
 * the row's others standing still. With G = HH' and p = Hx it is 1/2 ||x - H'w||^2 + l1 sum w + l2/2 ||w||^2.
 */
export interface NonNegativeIterations {
  /** G [k, k], symmetric. */
  readonly gram: Tensor;
  /** p [rows, k] */
  readonly products: Tensor;
  readonly l1: number;
  readonly l2: number;
  /** Most iterations, at least 1. */
  readonly iterations: number;
  /** A row ends once an iteration's violation is at most this share of its first one's. 0 = only where nothing is violated any more. */
  readonly tolerance: number;
  /** [rows, 1]: becomes the violation of the row's last iteration, the sum over its coordinates of the projected gradient's absolute value. */
  readonly violation?: Tensor;
}

/** A network of infinite width: S(x, y) = scale x.y + bias goes through `depth` hidden ReLU layers, each with this bias too. */
export interface TangentNetwork {
  readonly scale: number;
  readonly bias: number;
  readonly depth: number;
}

/** Which columns are alike, from the product d = x_i . x_j of two of them: similarity(i, j) = d / (size + shrink). */
export interface Similarity {
  /** "product": size = left_i right_j (cosine: both the norms). "union": left_i + right_j - d (Jaccard: both the squared norms). */
  readonly size: "product" | "union";
  /** [columns] */
  readonly left: Float32Array;
  /** [columns] */
  readonly right: Float32Array;
  /** At least 0: draws the similarity of columns that have little in common to 0. */
  readonly shrink: number;
  /** How many neighbours are kept. */
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
  /** Solved once the duality gap is at most this share of ||y||^2, and no weight changes by more than this share of the largest. */
  readonly tolerance: number;
  /** Most iterations, each over all coordinates. */
  readonly maxIterations: number;
  /** How many weights are kept, the largest. */
  readonly k: number;
}
