// Infinite-AE (Sachdeva, Dhaliwal, Wu, McAuley: "Infinite recommendation networks: a data-centric approach", NeurIPS 2022): an
// autoencoder whose hidden layers are infinitely wide is kernel ridge regression over the training users' histories X [n, items],
// with the network's neural tangent kernel K:
//
//   scores of a history x = K(x, X) (K(X, X) + lambda tr(K(X, X)) / n I)^-1 X                                  (equation 1)
//
// For ReLU layers with weights of variance 2 and biases of variance .01, K is a formula in x.y (compute/solvers/solvers.ts,
// tangentKernel), from S(x, y) = 2 x.y / items + .01 on. Rows are not normalised, as in the authors' code.
//
// X stays sparse; K has n x n elements, and the learned weights (K + ...)^-1 X have n x items. If that exceeds `memory`, training
// uses a seeded sample of the users. The training histories are part of the model, also on disk.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { invertAllPivots, NotPositiveDefiniteError } from "../../compute/solvers/inverse.js";
import type { TangentNetwork } from "../../compute/solvers/solvers.js";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import { type SparseTensor, type Tensor, viewDiagonal } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import { bytesText, requireMemory } from "../../core/memory.js";
import { permutation, streamOf } from "../../core/philox.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { ModelFiles, Recommender, ScoreOptions } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { blockwiseScores } from "../../recommender/scores.js";
import { type CsrMatrix, takeRows, transpose } from "../../sparse/csr.js";
import { logRange } from "../tuned.js";

const options = z.strictObject({
  lambda: z
    .number()
    .min(0)
    .default(5)
    .describe(
      "ridge regularisation, relative to the mean diagonal of the kernel (from the authors' grid 0, 1, 5, 20, 50, 100)",
    )
    .meta(logRange(0.3, 300)),
  depth: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe("number of hidden layers (Sachdeva et al. 2022: 1 is as good as more)"),
  users: z
    .int()
    .min(1)
    .optional()
    .describe(
      "number of training users, sampled with the seed (user_support in the authors' code); unset = as many as memory allows",
    ),
  memory: z
    .number()
    .positive()
    .default(8)
    .describe(
      "memory limit of training in GiB; if not all users fit, a sample drawn with the seed is used (our choice)",
    ),
});
export type InfiniteAeOptions = z.infer<typeof options>;

const shape = z.object({ depth: options.shape.depth });

/** The published network: weights with variance 2, biases with standard deviation .1, inputs averaged over the items. */
function networkOf(items: number, depth: number): TangentNetwork {
  return { scale: 2 / items, bias: 0.01, depth };
}

/** x.x of every row, as [1, rows]. */
function squaresOf({ rows, offsets, values }: CsrMatrix): Float64Array {
  return Float64Array.from({ length: rows }, (_, r) => {
    if (!values) return offsets[r + 1] - offsets[r];
    return values.subarray(offsets[r], offsets[r + 1]).reduce((sum, value) => sum + value * value, 0);
  });
}

/** The training users and A' = X' (K + ...)^-1, on the engine. */
class InfiniteAeRecommender implements Recommender {
  readonly algorithm = "infinite-ae";
  readonly items: Vocabulary;
  readonly #engine: Engine;
  readonly #users: CsrMatrix;
  readonly #depth: number;
  readonly #x: SparseTensor;
  readonly #squares: Tensor;
  readonly #dual: Tensor;

  /** Takes ownership of the dual weights A' [items, users]. */
  constructor(engine: Engine, items: Vocabulary, users: CsrMatrix, dual: Tensor, depth: number) {
    this.items = items;
    this.#engine = engine;
    this.#users = users;
    this.#depth = depth;
    this.#x = engine.sparse(users);
    this.#squares = engine.tensor(1, users.rows, squaresOf(users));
    this.#dual = dual;
  }

  score(histories: CsrMatrix, options?: ScoreOptions) {
    const engine = this.#engine;
    const solvers = solversOf(engine);
    const items = this.items.size;
    const scoreBlock = (block: CsrMatrix) => {
      const scores = engine.empty(block.rows, items);
      const kernel = engine.empty(block.rows, this.#users.rows);
      const squares = engine.tensor(1, block.rows, squaresOf(block));
      const x = engine.sparse(block);
      solvers.sparseProduct(kernel, x, this.#x);
      solvers.tangentKernel(kernel, squares, this.#squares, networkOf(items, this.#depth));
      engine.matmul(scores, kernel, this.#dual, { transposeB: true });
      engine.releaseSparse(x);
      for (const tensor of [kernel, squares]) engine.release(tensor);
      return scores;
    };
    return blockwiseScores(engine, histories, items, scoreBlock, options);
  }

  async save(): Promise<ModelFiles> {
    const { algorithm, items } = this;
    const { rows, offsets, indices, values } = this.#users;
    const vector = <T extends Float32Array | Uint32Array>(data: T) => ({ shape: [data.length], data });
    return {
      algorithm,
      config: { depth: this.#depth },
      tensors: {
        dual: { shape: [items.size, rows], data: await this.#engine.read(this.#dual) },
        "users.offsets": vector(offsets),
        "users.items": vector(indices.slice()),
        ...(values && { "users.values": vector(values.slice()) }),
      },
      items,
    };
  }

  dispose(): void {
    for (const tensor of [this.#dual, this.#squares]) this.#engine.release(tensor);
    this.#engine.releaseSparse(this.#x);
  }
}

/** The number of users for which K [n, n] and A [n, items] fit into `memory`. */
function mostUsers({ memory }: InfiniteAeOptions, items: number, bytes: number): number {
  const numbers = (memory * 2 ** 30) / bytes;
  return Math.max(1, Math.floor((Math.sqrt(items ** 2 + 4 * numbers) - items) / 2));
}

/** The users to train on: all, or a sample in the original order. Throws UserError if this machine cannot hold their kernel. */
function trainingUsers(
  train: CsrMatrix,
  options: InfiniteAeOptions,
  { engine, seed, progress }: RunContext,
): CsrMatrix {
  const bytes = engine.precision === "float32" ? 4 : 8;
  const allowed = mostUsers(options, train.columns, bytes);
  const wanted = Math.min(options.users ?? train.rows, train.rows);
  const count = Math.min(wanted, allowed);
  const need = (n: number) => bytes * n * Math.max(n + train.columns, 2 * train.columns);
  const number = (n: number) => n.toLocaleString("en");
  requireMemory({
    place: "infinite-ae",
    bytes: need(count),
    what: `training on ${number(count)} users x ${number(train.columns)} items`,
    alternatives:
      "Limit it to train on a sample of the users (--set memory=2 for 2 GiB, or --set users=5000)",
  });
  if (count < wanted)
    progress?.({
      type: "note",
      text: `infinite-ae: all ${number(wanted)} users would need ${bytesText(need(wanted))}; training uses a random sample of ${number(count)} users (memory=${options.memory} GiB)`,
    });
  if (count === train.rows) return train;
  const order = permutation(seed, 0, streamOf("infinite-ae users"), train.rows);
  return takeRows(train, order.subarray(0, count).sort());
}

/** (K + lambda tr(K) / n I)^-1 [n, n] in the engine. */
async function inverseKernel(
  users: CsrMatrix,
  { lambda, depth }: InfiniteAeOptions,
  { engine, signal, progress }: RunContext,
): Promise<Tensor> {
  const solvers = solversOf(engine);
  const n = users.rows;
  const kernel = engine.empty(n, n);
  try {
    // x.y for all pairs of users
    const columns = engine.sparse(transpose(users));
    solvers.gram(kernel, columns);
    engine.releaseSparse(columns);
    const squares = engine.tensor(1, n, squaresOf(users));
    solvers.tangentKernel(kernel, squares, squares, networkOf(users.columns, depth));
    engine.release(squares);

    const diagonal = viewDiagonal(kernel);
    let trace = 0;
    for (const value of await engine.read(diagonal)) trace += value;
    const ones = engine.zeros(n, 1);
    engine.fill(ones, 1);
    engine.addScaled(diagonal, ones, (lambda * trace) / n);
    engine.release(ones);

    progress?.({ type: "start", task: "invert", total: n, unit: "users" });
    const onPivots = (done: number) => progress?.({ type: "advance", task: "invert", done });
    await invertAllPivots(solvers, kernel, { signal, onPivots });
    progress?.({ type: "end", task: "invert" });
    const [plus, minus] = [engine.zeros(1, n), engine.zeros(1, n)];
    engine.fill(plus, 1);
    engine.fill(minus, -1);
    solvers.expandLower(kernel, plus, minus);
    for (const tensor of [plus, minus]) engine.release(tensor);
    return kernel;
  } catch (error) {
    engine.release(kernel);
    if (!(error instanceof NotPositiveDefiniteError)) throw error;
    throw new UserError({
      place: "lambda",
      problem: `${lambda} is too small: the kernel of the users is numerically singular in ${engine.precision}`,
      expected: "a larger value, such as 1",
      cause: error,
    });
  }
}

export const infiniteAe: Algorithm<InfiniteAeOptions> = {
  name: "infinite-ae",
  summary: "Infinitely wide autoencoder: kernel ridge regression over users, in closed form.",
  source: "Sachdeva, Dhaliwal, Wu, McAuley: Infinite recommendation networks, NeurIPS 2022",
  options,

  async fit({ train, items }, options, run) {
    const { engine } = run;
    const users = trainingUsers(train, options, run);
    const inverse = await inverseKernel(users, options, run);
    try {
      const dual = engine.empty(items.size, users.rows);
      const columns = engine.sparse(transpose(users));
      engine.sparseRowSum(dual, columns, inverse, {});
      engine.releaseSparse(columns);
      await engine.finished();
      return new InfiniteAeRecommender(engine, items, users, dual, options.depth);
    } finally {
      engine.release(inverse);
    }
  },

  async restore(files, { engine }) {
    const { items } = files;
    const saved = new SavedModel(files);
    const { depth } = saved.config(shape);
    const values = saved.has("users.values") ? "users.values" : undefined;
    const names = { offsets: "users.offsets", indices: "users.items", values };
    const users = saved.takeSparse(names, { columns: items.size });
    saved.require("dual", [items.size, users.rows]);
    saved.end();
    const dual = await saved.load(engine, "dual", items.size, users.rows);
    return new InfiniteAeRecommender(engine, items, users, dual, depth);
  },
};
