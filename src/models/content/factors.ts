// The collaborative half that CVAE, CDL and CTR share: factors of users and items by alternating least squares, an item's
// drawn towards what its content says (Wang and Blei 2011, equations 8 and 9; Li and She 2017, section 2.2),
//
//   u_i <- (b sum_j v_j v_j' + (a - b) sum_(j in R_i) v_j v_j' + lambda_u I)^-1  a sum_(j in R_i) v_j
//   v_j <- (b sum_i u_i u_i' + (a - b) sum_(i in R_j) u_i u_i' + lambda_v I)^-1 (a sum_(i in R_j) u_i + lambda_v theta_j)
//
// where, as in all the authors' programs, the sums weighted by b go only over items that somebody has, and over users who
// have something.

import type { Engine } from "../../compute/engine.js";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import type { SparseTensor, Tensor } from "../../compute/tensor.js";
import { type CsrMatrix, transpose } from "../../sparse/csr.js";

export interface Confidence {
  /** C_ij where user i has item j, and where not. */
  readonly a: number;
  readonly b: number;
}

/** Rows that have at least one entry, ascending. */
export function filledRows({ rows, offsets }: CsrMatrix): Uint32Array {
  return Uint32Array.from({ length: rows }, (_, r) => r).filter((r) => offsets[r + 1] > offsets[r]);
}

/** out [k, k] = sum over the given rows of x x'. */
export function gramOf(engine: Engine, out: Tensor, factors: Tensor, rows: Uint32Array): void {
  const some = engine.empty(rows.length, factors.columns);
  engine.takeRows(some, factors, rows);
  engine.matmul(out, some, some, { transposeA: true });
  engine.release(some);
}

export interface RowsOfFactors extends Confidence {
  /** [columns, k], held fixed. */
  readonly fixed: Tensor;
  /** [k, k]: `gramOf` of the fixed rows that have an entry. */
  readonly gram: Tensor;
  readonly ridge: number;
  /** [rows, k]: what the ridge draws towards; absent = 0. */
  readonly prior?: Tensor;
  /** The rows to solve; absent = all. */
  readonly rows?: Uint32Array;
}

/** One half of a sweep: the rows of `out` [rows, k] for clicks [rows, columns]. */
export function solveRows(engine: Engine, out: Tensor, clicks: SparseTensor, half: RowsOfFactors): void {
  const { a, b, fixed, gram, ridge, prior, rows } = half;
  solversOf(engine).alsHalfSweep(out, clicks, {
    fixed,
    gram,
    gramWeight: b,
    outer: { constant: a - b, slope: 0 },
    target: { constant: a, slope: 0 },
    ridge,
    ...(prior && { prior }),
    ...(rows && { rows }),
  });
}

export interface FactorOptions extends Confidence {
  readonly lambdaU: number;
  readonly lambdaV: number;
}

/** Users' and items' factors in training. */
export class Factors {
  readonly users: Tensor;
  readonly items: Tensor;
  /** [k, k] each: of the users who have something, of the items that somebody has. */
  readonly userGram: Tensor;
  readonly itemGram: Tensor;
  readonly activeUsers: Uint32Array;
  readonly clickedItems: Uint32Array;
  readonly #engine: Engine;
  readonly #options: FactorOptions;
  readonly #byUser: SparseTensor;
  readonly #byItem: SparseTensor;

  /** `users` [users, k] are initial values; the items' are zeros until they are set. */
  constructor(engine: Engine, clicks: CsrMatrix, users: Float32Array, k: number, options: FactorOptions) {
    const ones: CsrMatrix = { ...clicks, values: undefined };
    const byItem = transpose(ones);
    this.#engine = engine;
    this.#options = options;
    this.activeUsers = filledRows(ones);
    this.clickedItems = filledRows(byItem);
    this.users = engine.tensor(clicks.rows, k, users);
    this.items = engine.zeros(clicks.columns, k);
    this.userGram = engine.zeros(k, k);
    this.itemGram = engine.zeros(k, k);
    this.#byUser = engine.sparse(ones);
    this.#byItem = engine.sparse(byItem);
  }

  /** All users who have something, then all items, or those in `items`; `theta` [items, k] is what an item is drawn towards. */
  sweep(theta: Tensor, items?: Uint32Array): void {
    const { a, b, lambdaU, lambdaV } = this.#options;
    this.renewItemGram();
    solveRows(this.#engine, this.users, this.#byUser, {
      ...{ a, b, fixed: this.items, gram: this.itemGram, ridge: lambdaU },
      rows: this.activeUsers,
    });
    gramOf(this.#engine, this.userGram, this.users, this.activeUsers);
    solveRows(this.#engine, this.items, this.#byItem, {
      ...{ a, b, fixed: this.users, gram: this.userGram, ridge: lambdaV, prior: theta },
      ...(items && { rows: items }),
    });
    this.renewItemGram();
  }

  /** After `items` were set from outside. */
  renewItemGram(): void {
    gramOf(this.#engine, this.itemGram, this.items, this.clickedItems);
  }

  release(): void {
    for (const tensor of [this.users, this.items, this.userGram, this.itemGram]) this.#engine.release(tensor);
    this.#engine.releaseSparse(this.#byUser);
    this.#engine.releaseSparse(this.#byItem);
  }
}
