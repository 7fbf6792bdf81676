// The collaborative part that CVAE, CDL and CTR share: factors of users and items by alternating least squares, where the
// prior mean of an item's factor is its content code (Wang and Blei 2011, equations 8 and 9; Li and She 2017, section 2.2),
//
//   u_i <- (b sum_j v_j v_j' + (a - b) sum_(j in R_i) v_j v_j' + lambda_u I)^-1  a sum_(j in R_i) v_j
//   v_j <- (b sum_i u_i u_i' + (a - b) sum_(i in R_j) u_i u_i' + lambda_v I)^-1 (a sum_(i in R_j) u_i + lambda_v theta_j)
//
// The papers sum C_ij over all users and all items. The authors' programs leave out of the sums weighted by b the items that no
// user has and the users who have no item: `unclicked`. A user without items then keeps the initial factor; where they are
// counted, it is solved like any other, and is 0. With Bayesian inference (Li and She 2017, section 2.3) these are the means of
// q(u_i) and q(v_j), the inverses are their covariances, and v_j v_j' becomes its expectation v_j v_j' + cov(v_j), likewise u_i u_i'.

import type { Engine } from "../../compute/engine.js";
import { invertPivots } from "../../compute/engines/reference/dense.js";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import type { FloatArray, SparseTensor, Tensor } from "../../compute/tensor.js";
import { twoLevelWeights } from "../../recommender/fold-in.js";
import { type CsrMatrix, transpose } from "../../sparse/csr.js";

interface Confidence {
  /** C_ij if user i has item j (a), and otherwise (b). */
  readonly a: number;
  readonly b: number;
}

/** The number of elements of a symmetric matrix [k, k] whose upper triangle is packed row by row. */
export function packedSize(k: number): number {
  return (k * (k + 1)) / 2;
}

/** The matrix [k, k], row-major, of a packed upper triangle. */
export function unpacked(packed: ArrayLike<number>, k: number): Float64Array {
  const full = new Float64Array(k * k);
  for (let i = 0, at = 0; i < k; i++)
    for (let j = i; j < k; j++, at++) {
      full[i * k + j] = packed[at];
      full[j * k + i] = packed[at];
    }
  return full;
}

/** The packed identity times `scale`. */
function packedIdentity(k: number, scale: number): Float64Array {
  const packed = new Float64Array(packedSize(k));
  for (let i = 0, at = 0; i < k; at += k - i, i++) packed[at] = scale;
  return packed;
}

/** The inverses [rows, k k], row-major, of positive definite matrices [rows, k (k + 1) / 2], packed. */
export function invertPacked(packed: FloatArray, k: number): Float64Array {
  const size = packedSize(k);
  const rows = packed.length / size;
  const out = new Float64Array(rows * k * k);
  for (let r = 0; r < rows; r++) {
    const full = unpacked(packed.subarray(r * size, (r + 1) * size), k);
    // Once all pivots are inverted, the lower triangle is that of the negated inverse.
    if (invertPivots({ data: full, rows: k, columns: k, offset: 0, rowStride: k }, 0, k) >= 0)
      throw new RangeError("invertPacked: a matrix is not positive definite");
    for (let i = 0; i < k; i++)
      for (let j = 0; j <= i; j++) {
        out[r * k * k + i * k + j] = -full[i * k + j];
        out[r * k * k + j * k + i] = -full[i * k + j];
      }
  }
  return out;
}

/** 0, 1, ..., rows - 1 */
function allRows(rows: number): Uint32Array {
  return Uint32Array.from({ length: rows }, (_, r) => r);
}

/** Rows that have at least one entry, ascending. */
function filledRows({ rows, offsets }: CsrMatrix): Uint32Array {
  return allRows(rows).filter((r) => offsets[r + 1] > offsets[r]);
}

export interface RowsOfFactors extends Confidence {
  /** [columns, k], fixed. */
  readonly fixed: Tensor;
  /** [k, k]: the sum of x x' (its expectation) over the fixed rows that are counted. */
  readonly gram: Tensor;
  /** [columns, k (k + 1) / 2]: covariances of the fixed rows, packed; absent for point estimates. */
  readonly covariances?: Tensor;
  readonly ridge: number;
  /** [rows, k]: the prior mean; absent = 0. */
  readonly prior?: Tensor;
  /** The rows to solve; absent = all. */
  readonly rows?: Uint32Array;
  /** [rows, k (k + 1) / 2]: receives the covariances of the rows, packed. */
  readonly posterior?: Tensor;
  /** [rows, 1]: receives the minimum of the objective for the rows that are solved. */
  readonly objective?: Tensor;
}

/** One half of a sweep: the rows of `out` [rows, k] for clicks [rows, columns]. */
export function solveRows(engine: Engine, out: Tensor, clicks: SparseTensor, half: RowsOfFactors): void {
  const { a, b, ...rest } = half;
  solversOf(engine).alsHalfSweep(out, clicks, { ...rest, ...twoLevelWeights(a, b) });
}

/** Whether the sums weighted by b go over users and items without an interaction. */
export type Unclicked = "left-out" | "counted";

export interface FactorOptions extends Confidence {
  readonly lambdaU: number;
  readonly lambdaV: number;
  /** Default "left-out". */
  readonly unclicked?: Unclicked;
}

/** One side: factors [n, k], and the sum of x x' (or its expectation) over the factors with interactions. */
class Side {
  readonly factors: Tensor;
  readonly gram: Tensor;
  /** [n, k (k + 1) / 2], packed; undefined for point estimates. */
  readonly covariances: Tensor | undefined;
  /** Those that the sum is over. */
  readonly counted: Uint32Array;
  readonly #engine: Engine;
  /** [1, n]: 1 for factors with interactions. */
  readonly #mask: Tensor | undefined;

  /** The factors are zeros until they are set. */
  constructor(engine: Engine, rows: number, k: number, counted: Uint32Array, variance?: number) {
    this.#engine = engine;
    this.counted = counted;
    this.factors = engine.zeros(rows, k);
    this.gram = engine.zeros(k, k);
    if (variance === undefined) return;
    const mask = new Float32Array(rows);
    for (const row of counted) mask[row] = 1;
    this.#mask = engine.tensor(1, rows, mask);
    this.covariances = engine.zeros(rows, packedSize(k));
    const each = engine.tensor(1, packedSize(k), packedIdentity(k, variance));
    engine.addRow(this.covariances, each);
    engine.release(each);
  }

  /** To be called after the factors have changed. */
  async renewGram(): Promise<void> {
    const engine = this.#engine;
    const k = this.factors.columns;
    const some = engine.empty(this.counted.length, k);
    engine.takeRows(some, this.factors, this.counted);
    engine.matmul(this.gram, some, some, { transposeA: true });
    engine.release(some);
    if (!this.covariances || !this.#mask) return;
    const sum = engine.empty(1, packedSize(k));
    engine.matmul(sum, this.#mask, this.covariances);
    const full = engine.tensor(k, k, unpacked(await engine.read(sum), k));
    engine.addScaled(this.gram, full, 1);
    engine.release(sum);
    engine.release(full);
  }

  get tensors(): readonly Tensor[] {
    return [this.factors, this.gram, this.covariances, this.#mask].filter((tensor) => tensor !== undefined);
  }
}

/** Users' and items' factors in training. */
export class Factors {
  readonly #engine: Engine;
  readonly #options: FactorOptions;
  readonly #users: Side;
  readonly #items: Side;
  readonly #byUser: SparseTensor;
  readonly #byItem: SparseTensor;
  readonly #objectives: Tensor;
  /** Items that a user has, ascending. */
  readonly clickedItems: Uint32Array;
  /** The other items, ascending. */
  readonly unclickedItems: Uint32Array;

  /** Factors are zeros until they are set. With Bayesian inference the initial covariances are those of the priors. */
  constructor(
    engine: Engine,
    clicks: CsrMatrix,
    k: number,
    options: FactorOptions & { readonly bayesian?: boolean },
  ) {
    const ones: CsrMatrix = { ...clicks, values: undefined };
    const byItem = transpose(ones);
    const { lambdaU, lambdaV, bayesian = false, unclicked = "left-out" } = options;
    const counted = (matrix: CsrMatrix) =>
      unclicked === "counted" ? allRows(matrix.rows) : filledRows(matrix);
    this.#engine = engine;
    this.#options = options;
    this.clickedItems = filledRows(byItem);
    this.unclickedItems = allRows(byItem.rows).filter(
      (item) => byItem.offsets[item + 1] === byItem.offsets[item],
    );
    this.#users = new Side(engine, ones.rows, k, counted(ones), bayesian ? 1 / lambdaU : undefined);
    this.#items = new Side(engine, ones.columns, k, counted(byItem), bayesian ? 1 / lambdaV : undefined);
    this.#byUser = engine.sparse(ones);
    this.#byItem = engine.sparse(byItem);
    this.#objectives = engine.zeros(clicks.columns, 1);
  }

  get users(): Tensor {
    return this.#users.factors;
  }

  get items(): Tensor {
    return this.#items.factors;
  }

  /** [k, k]: of the users, and of the items, that are counted. */
  get userGram(): Tensor {
    return this.#users.gram;
  }

  get itemGram(): Tensor {
    return this.#items.gram;
  }

  /** [items, k (k + 1) / 2], packed; undefined without Bayesian inference. */
  get itemCovariances(): Tensor | undefined {
    return this.#items.covariances;
  }

  /** All that a checkpoint must hold, by name. */
  get state(): Record<string, Tensor> {
    const { users, items, userGram, itemGram } = this;
    const covariances = { userCovariances: this.#users.covariances, itemCovariances: this.itemCovariances };
    const given = Object.entries(covariances).flatMap(([name, tensor]) => (tensor ? [[name, tensor]] : []));
    return { users, items, userGram, itemGram, ...Object.fromEntries(given) };
  }

  /**
   * All users that are counted, then all items, or those in `items`; `theta` [items, k] is what an item is drawn towards.
   * Returns sum of C (R - u'v)^2 over the items that were solved, with the items' ridges, less a constant.
   */
  async sweep(theta: Tensor, items?: Uint32Array): Promise<number> {
    const engine = this.#engine;
    const { a, b, lambdaU, lambdaV } = this.#options;
    const half = (side: Side, other: Side) => ({
      ...{ a, b, fixed: other.factors, gram: other.gram },
      ...(other.covariances && { covariances: other.covariances }),
      ...(side.covariances && { posterior: side.covariances }),
    });
    await this.renewItemGram();
    solveRows(engine, this.users, this.#byUser, {
      ...half(this.#users, this.#items),
      ridge: lambdaU,
      rows: this.#users.counted,
    });
    await this.#users.renewGram();
    engine.fill(this.#objectives, 0);
    solveRows(engine, this.items, this.#byItem, {
      ...half(this.#items, this.#users),
      ...{ ridge: lambdaV, prior: theta, objective: this.#objectives },
      ...(items && { rows: items }),
    });
    await this.renewItemGram();
    const total = engine.zeros(1, 1);
    engine.addSum(total, this.#objectives, 1);
    const [value] = await engine.read(total);
    engine.release(total);
    return value;
  }

  /** To be called after `items` were set from outside. */
  renewItemGram(): Promise<void> {
    return this.#items.renewGram();
  }

  release(): void {
    for (const tensor of [...this.#users.tensors, ...this.#items.tensors, this.#objectives])
      this.#engine.release(tensor);
    this.#engine.releaseSparse(this.#byUser);
    this.#engine.releaseSparse(this.#byItem);
  }
}
