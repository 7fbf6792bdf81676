// NMF, non-negative matrix factorisation, as in scikit-learn's `NMF(solver="cd")` (Cichocki, Phan: "Fast local algorithms for
// large scale nonnegative matrix and tensor factorizations", IEICE 2009), the baseline of the Keras notebooks:
//
//   minimise  1/2 ||X - W H||^2 + l1_W sum W + l1_H sum H + l2_W/2 ||W||^2 + l2_H/2 ||H||^2,   W, H >= 0
//
// with X [users, items], W [users, k], H [k, items]. One iteration is one pass of coordinate descent over W, then one over H. As in
// scikit-learn, training ends once the sum of both passes' projected gradients is at most `tolerance` times that of the first iteration.
//
// Histories are folded in by non-negative least squares with H fixed, as in scikit-learn's `transform`; scores are W H. The
// notebook has no fold-in: it factorises the fold-in histories of the test users together with the training data. This is
// `transductive`, where these users keep their fitted rows of W: --set transductive=test --set init=random --set randomState=0
// --set alpha=.2 --set factors=25 is the best point of the notebook's grid.

import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { takeTensor } from "../../compute/named-tensors.js";
import { loadTensor } from "../../compute/parameter.js";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import type { NamedTensors, SparseTensor, Tensor } from "../../compute/tensor.js";
import { throwIfAborted, UserError } from "../../core/errors.js";
import { NumpyRandom } from "../../core/numpy-random.js";
import { Turns } from "../../core/turns.js";
import type { Dataset } from "../../data/dataset.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { NonNegativeFoldIn } from "../../recommender/fold-in.js";
import type { ModelFiles } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { type CsrMatrix, entryCount, rowIndices, takeRows, transpose } from "../../sparse/csr.js";
import type { Trainable } from "../../training/trainable.js";
import { savedConfig, size } from "../settings.js";
import { requireFactorMemory } from "../training-memory.js";
import { FactorRecommender, requirePlausibleFactors } from "./factor-recommender.js";
import { nndsvda } from "./nndsvd.js";

const penalty = z.number().min(0);

const options = z.strictObject({
  factors: size
    .default(25)
    .describe(
      "k, the number of factors (scikit-learn's n_components; the best of 25 to 125 in the Keras notebook)",
    ),
  init: z
    .enum(["random", "nndsvda"])
    .default("random")
    .describe(
      "initial factors: random = |N(0, mean of X / k)| from NumPy's legacy generator, H before W (the notebook); nndsvda = from a randomised SVD, with zeros replaced by the mean (scikit-learn's default)",
    ),
  randomState: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .optional()
    .describe(
      "seed of NumPy's generator, as scikit-learn's random_state (0 in the notebook); unset = the run's seed modulo 2^32",
    ),
  alphaW: penalty
    .optional()
    .describe(
      "regularisation of W, multiplied by the number of items (scikit-learn 1.2 and later); unset = 0",
    ),
  alphaH: penalty
    .optional()
    .describe(
      "regularisation of H, multiplied by the number of users (scikit-learn 1.2 and later); unset = alphaW",
    ),
  alpha: penalty
    .optional()
    .describe(
      "regularisation of both W and H without scaling, instead of alphaW and alphaH (scikit-learn before 1.2; 0.02 to 0.2 in the notebook)",
    ),
  l1Ratio: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("share of L1 in the regularisation; the rest is L2 (scikit-learn)"),
  tolerance: z
    .number()
    .min(0)
    .default(1e-4)
    .describe(
      "stop when the projected gradients are at most this share of those of the first iteration (scikit-learn's tol)",
    ),
  epochs: size.default(200).describe("maximum number of iterations (scikit-learn's max_iter)"),
  keep: z
    .enum(["last", "best"])
    .default("last")
    .describe(
      "iteration whose factors are kept: last (scikit-learn), or best = with the best validation NDCG@100",
    ),
  patience: size
    .optional()
    .describe("stop after this many iterations without a better validation NDCG@100; unset = never"),
  transductive: z
    .enum(["none", "validation", "test"])
    .default("none")
    .describe(
      "users whose fold-in histories are factorised together with the training data, and who are scored with the resulting rows of W (test in the notebook, which makes its scores optimistic)",
    ),
});
export type NmfOptions = z.infer<typeof options>;

/** The options that fold-in needs, with the penalties as they appear in the objective. */
const shape = z.object({ factors: size, l1: penalty, l2: penalty });
type Shape = z.infer<typeof shape>;

/** The penalties of W and H as they appear in the objective. */
function penaltiesOf(
  { alpha, alphaW = 0, alphaH = alphaW, l1Ratio }: NmfOptions,
  users: number,
  items: number,
) {
  const split = (weight: number) => ({ l1: weight * l1Ratio, l2: weight * (1 - l1Ratio) });
  return alpha === undefined
    ? { users: split(items * alphaW), items: split(users * alphaH) }
    : { users: split(alpha), items: split(alpha) };
}

/** Maximum number of iterations of a fold-in (scikit-learn's max_iter), and the share of its first violation at which it ends. */
const FOLD_IN_ITERATIONS = 200;
const FOLD_IN_TOLERANCE = 1e-5;

/** Users whose rows of W are known because they were factorised with the training data. */
interface Known {
  /** [users, items] */
  readonly histories: CsrMatrix;
  /** [users, k] */
  readonly factors: Tensor;
}

/** A key that is equal for two histories of the same items. */
const nameOf = (matrix: CsrMatrix, row: number) => rowIndices(matrix, row).toSorted().join();

/** H' and HH' in the engine. */
class NmfRecommender extends FactorRecommender {
  readonly algorithm = "nmf";
  /** The fold-in of histories that are not known. */
  readonly foldIn: NonNegativeFoldIn;
  readonly #options: Shape;
  readonly #known: Known | undefined;
  readonly #knownRows: Map<string, number>;

  /** Takes ownership of H' [items, k] and of the known users. */
  constructor(engine: Engine, items: Vocabulary, itemFactors: Tensor, options: Shape, known?: Known) {
    super(engine, items, itemFactors, { users: "the folded-in row of W", items: "the column of H" });
    this.#options = options;
    const { l1, l2 } = options;
    this.foldIn = {
      kind: "non-negative",
      ...{ items: itemFactors, gram: this.gram, l1, l2 },
      ...{ iterations: FOLD_IN_ITERATIONS, tolerance: FOLD_IN_TOLERANCE },
    };
    this.#known = known;
    this.#knownRows = new Map(
      Array.from({ length: known?.histories.rows ?? 0 }, (_, row) => [
        nameOf((known as Known).histories, row),
        row,
      ]),
    );
  }

  /** W [histories, k]: the known rows, or solved with H fixed. */
  protected override encode(histories: CsrMatrix): Tensor {
    const engine = this.engine;
    const rows = [...Array(histories.rows).keys()];
    const knownAs = rows.map((row) =>
      this.#known ? this.#knownRows.get(nameOf(histories, row)) : undefined,
    );
    const unknown = Uint32Array.from(rows.filter((row) => knownAs[row] === undefined));
    if (!this.#known || unknown.length === histories.rows) return super.encode(histories);
    const users = engine.zeros(histories.rows, this.#options.factors);
    const found = super.encode(takeRows(histories, unknown));
    engine.addRows(users, found, unknown);
    const old = Uint32Array.from(rows.filter((row) => knownAs[row] !== undefined));
    const taken = engine.empty(old.length, this.#options.factors);
    const places = Uint32Array.from(old, (row) => knownAs[row] ?? 0);
    engine.takeRows(taken, this.#known.factors, places);
    engine.addRows(users, taken, old);
    for (const tensor of [found, taken]) engine.release(tensor);
    return users;
  }

  async save(): Promise<ModelFiles> {
    const { algorithm, items } = this;
    const { factors: k } = this.#options;
    const config = savedConfig(shape, this.#options);
    const tensors: NamedTensors = {
      items: { shape: [items.size, k], data: await this.engine.read(this.scored) },
    };
    if (this.#known) {
      const { histories, factors } = this.#known;
      tensors["known.factors"] = { shape: [histories.rows, k], data: await this.engine.read(factors) };
      tensors["known.offsets"] = { shape: [histories.rows + 1], data: histories.offsets };
      tensors["known.items"] = { shape: [entryCount(histories)], data: histories.indices };
    }
    return { algorithm, config, tensors, items };
  }

  override dispose(): void {
    super.dispose();
    if (this.#known) this.engine.release(this.#known.factors);
  }
}

interface NmfStart {
  readonly items: Vocabulary;
  /** The training users, followed by the `guests`. */
  readonly matrix: CsrMatrix;
  readonly guests: CsrMatrix | undefined;
  /** W [users, k] and H' [items, k]. */
  readonly start: { readonly users: Float64Array; readonly items: Float64Array };
}

/** W and H' in training. */
class NmfTraining {
  readonly #engine: Engine;
  readonly #options: NmfOptions;
  readonly #matrix: CsrMatrix;
  /** The last rows of the matrix, if they are not training users. */
  readonly #known: Known | undefined;
  readonly #sides: Record<"users" | "items", { factors: Tensor; interactions: SparseTensor }>;
  readonly #gram: Tensor;
  /** The violation of the first iteration; 0 before. */
  #begun = 0;
  readonly #recommender: NmfRecommender;

  /** Creates the initial state. Throws AbortedError. */
  static async create(
    { train, items, ...dataset }: Dataset,
    options: NmfOptions,
    { engine, seed, signal }: Pick<RunContext, "engine" | "seed" | "signal">,
  ): Promise<NmfTraining> {
    const { transductive, factors: k, init, randomState = seed % 2 ** 32 } = options;
    const guests = transductive === "none" ? undefined : dataset[transductive].foldIn;
    const matrix = guests ? stacked(train, guests) : train;
    const start =
      init === "random"
        ? await randomStart(matrix, k, randomState, signal)
        : await nndsvda(matrix, k, randomState, signal);
    return new NmfTraining(engine, { items, matrix, guests, start }, options);
  }

  private constructor(engine: Engine, { items, matrix, guests, start }: NmfStart, options: NmfOptions) {
    const k = options.factors;
    this.#engine = engine;
    this.#options = options;
    this.#matrix = matrix;
    const side = (matrix: CsrMatrix, values: Float64Array) => ({
      factors: engine.tensor(matrix.rows, k, values),
      interactions: engine.sparse(matrix),
    });
    this.#sides = {
      users: side(this.#matrix, start.users),
      items: side(transpose(this.#matrix), start.items),
    };
    this.#gram = engine.empty(k, k);
    this.#known = guests && { histories: guests, factors: engine.empty(guests.rows, k) };
    const { rows, columns } = this.#matrix;
    this.#recommender = new NmfRecommender(
      engine,
      items,
      this.#sides.items.factors,
      { factors: k, ...penaltiesOf(options, rows, columns).users },
      this.#known,
    );
  }

  /** One pass over one side with the other fixed; updates the Gram matrix of the fixed side. Returns the products with it, which the caller releases, and the violation. */
  #halfIteration(which: "users" | "items"): { products: Tensor; violation: Tensor } {
    const engine = this.#engine;
    const { factors, interactions } = this.#sides[which];
    const fixed = this.#sides[which === "users" ? "items" : "users"].factors;
    const { rows, columns } = this.#matrix;
    const products = engine.empty(factors.rows, factors.columns);
    const violation = engine.empty(factors.rows, 1);
    engine.matmul(this.#gram, fixed, fixed, { transposeA: true });
    engine.sparseRowSum(products, interactions, fixed, {});
    solversOf(engine).nonNegativeIterations(factors, {
      ...{ gram: this.#gram, products, ...penaltiesOf(this.#options, rows, columns)[which] },
      ...{ iterations: 1, tolerance: 0, violation },
    });
    return { products, violation };
  }

  /** One iteration. Returns the objective, the reconstruction error ||X - WH||, and the violation relative to the first. */
  async iterate(): Promise<{ loss: number; error: number; violation: number }> {
    const engine = this.#engine;
    const total = engine.zeros(1, 1);
    const numbers = async (use: () => void) => {
      engine.fill(total, 0);
      use();
      return (await engine.read(total))[0];
    };
    const addViolation = ({ products, violation }: { products: Tensor; violation: Tensor }) => {
      engine.addSum(total, violation, 1);
      engine.release(violation);
      return products;
    };
    engine.release(addViolation(this.#halfIteration("users")));
    const products = addViolation(this.#halfIteration("items"));
    const [violated] = await engine.read(total);
    if (this.#begun === 0) this.#begun = violated;

    // ||X - WH||^2 = ||X||^2 - 2 <X'W, H'> + <H'(W'W), H'>; X'W and W'W are already computed.
    const { factors: h } = this.#sides.items;
    const { factors: w } = this.#sides.users;
    const scratch = engine.zeros(h.rows, h.columns);
    const crossed = await numbers(() => {
      engine.addProduct(scratch, products, h);
      engine.addSum(total, scratch, 1);
    });
    engine.matmul(products, h, this.#gram);
    const ofProduct = await numbers(() => {
      engine.fill(scratch, 0);
      engine.addProduct(scratch, products, h);
      engine.addSum(total, scratch, 1);
    });
    const square = Math.max(0, sumOfSquares(this.#matrix) - 2 * crossed + ofProduct);
    let loss = square / 2;
    const { rows, columns } = this.#matrix;
    const penalties = penaltiesOf(this.#options, rows, columns);
    for (const [factors, { l1, l2 }] of [
      [w, penalties.users],
      [h, penalties.items],
    ] as const)
      loss += await numbers(() => {
        if (l1 > 0) engine.addSum(total, factors, l1);
        if (l2 > 0) engine.addSumOfSquares(total, factors, l2 / 2);
      });
    for (const tensor of [total, products, scratch]) engine.release(tensor);
    return { loss, error: Math.sqrt(square), violation: this.#begun === 0 ? 0 : violated / this.#begun };
  }

  /** The current model. */
  recommender(): NmfRecommender {
    const { rows } = this.#matrix;
    if (this.#known) {
      const { histories, factors } = this.#known;
      const last = Uint32Array.from({ length: histories.rows }, (_, n) => rows - histories.rows + n);
      this.#engine.takeRows(factors, this.#sides.users.factors, last);
    }
    this.#recommender.renew();
    return this.#recommender;
  }

  async save(): Promise<NamedTensors> {
    const named = async (name: "users" | "items") => {
      const { factors } = this.#sides[name];
      return { shape: [factors.rows, factors.columns], data: await this.#engine.read(factors) };
    };
    return {
      users: await named("users"),
      items: await named("items"),
      begun: { shape: [1], data: Float64Array.of(this.#begun) },
    };
  }

  async load(saved: NamedTensors): Promise<void> {
    [this.#begun] = takeTensor(saved, "begun", [1]);
    for (const [name, { factors }] of Object.entries(this.#sides))
      await loadTensor(this.#engine, factors, name, saved);
  }

  /** Releases everything except the factors of items and guests, which belong to the recommender. */
  dispose(): void {
    for (const { interactions } of Object.values(this.#sides)) this.#engine.releaseSparse(interactions);
    for (const tensor of [this.#sides.users.factors, this.#gram]) this.#engine.release(tensor);
    this.#recommender.dispose();
  }
}

/** The rows of one matrix, then those of the other. */
function stacked(first: CsrMatrix, second: CsrMatrix): CsrMatrix {
  const entries = entryCount(first);
  const offsets = new Uint32Array(first.rows + second.rows + 1);
  offsets.set(first.offsets);
  for (let row = 1; row <= second.rows; row++) offsets[first.rows + row] = entries + second.offsets[row];
  const indices = new Uint32Array(entries + entryCount(second));
  indices.set(first.indices.subarray(0, entries));
  indices.set(second.indices.subarray(0, entryCount(second)), entries);
  const valuesOf = (matrix: CsrMatrix) => matrix.values ?? new Float32Array(entryCount(matrix)).fill(1);
  const values =
    first.values || second.values ? Float32Array.from([...valuesOf(first), ...valuesOf(second)]) : undefined;
  return { rows: first.rows + second.rows, columns: first.columns, offsets, indices, values };
}

/** ||X||^2 */
function sumOfSquares({ values, indices }: CsrMatrix): number {
  return values ? values.reduce((sum, value) => sum + value * value, 0) : indices.length;
}

/** Random numbers that are drawn between two checks of the clock. */
const DRAWN_AT_ONCE = 4096;

/** scikit-learn's init="random": |N(0, 1)| sqrt(mean of X / k), row by row of H [k, items], then of W [users, k]. Returns H' and W. */
async function randomStart(matrix: CsrMatrix, k: number, randomState: number, signal?: AbortSignal) {
  const { rows, columns, values } = matrix;
  const sum = values ? values.reduce((total, value) => total + value, 0) : entryCount(matrix);
  const scale = Math.sqrt(sum / rows / columns / k);
  const random = new NumpyRandom(randomState);
  const items = new Float64Array(columns * k);
  const turns = new Turns(signal);
  for (let t = 0; t < k; t++)
    for (let item = 0; item < columns; item++) {
      items[item * k + t] = Math.abs(scale * random.normal());
      if (item % DRAWN_AT_ONCE === 0 && turns.due) await turns.yield();
    }
  const users = new Float64Array(rows * k);
  for (let at = 0; at < users.length; at++) {
    users[at] = Math.abs(scale * random.normal());
    if (at % DRAWN_AT_ONCE === 0 && turns.due) await turns.yield();
  }
  return { users, items };
}

/** One epoch is one iteration. */
export async function nmfTrainable(
  dataset: Dataset,
  options: NmfOptions,
  run: Pick<RunContext, "engine" | "seed" | "signal">,
): Promise<Trainable> {
  const training = await NmfTraining.create(dataset, options, run);
  return {
    saveState: () => training.save(),
    loadState: (state) => training.load(state),
    async epoch({ updates, signal }) {
      throwIfAborted(signal);
      const values = await training.iterate();
      await setImmediate();
      return { updates: updates + 1, values, converged: values.violation <= options.tolerance };
    },
    recommender: () => training.recommender(),
    dispose: () => training.dispose(),
  };
}

export const nmf: Algorithm<NmfOptions> = {
  name: "nmf",
  summary: "Non-negative matrix factorisation by coordinate descent, as in scikit-learn.",
  source:
    "Cichocki, Phan: Fast local algorithms for large scale nonnegative matrix and tensor factorizations, IEICE 2009; scikit-learn's NMF",
  options,

  async fit(dataset, options, run) {
    const { alpha, alphaW, alphaH, init, factors } = options;
    if (alpha !== undefined && (alphaW !== undefined || alphaH !== undefined))
      throw new UserError({
        place: "alpha",
        problem: "cannot be combined with alphaW or alphaH: it regularises both factors",
        expected: "either alpha, or alphaW and alphaH",
        remedy: "Leave one of them out",
      });
    requirePlausibleFactors(nmf.name, dataset.items.size, factors);
    const least = Math.min(dataset.train.rows, dataset.items.size);
    if (init === "nndsvda" && factors > least)
      throw new UserError({
        place: "factors",
        problem: `${factors} factors are too many for init=nndsvda`,
        expected: `at most ${least}, the smaller of the numbers of training users and items`,
        remedy: "Use fewer factors, or init=random",
      });
    if (dataset.train.values?.some((value) => value < 0))
      throw new UserError({
        place: "nmf",
        problem: "the training matrix has negative values",
        remedy: "Train on ratings of at least 0, or on interactions without values",
      });
    // The initial factors are computed in float64; nndsvda also needs the bases of the singular vectors.
    const bytes = run.engine.precision === "float32" ? 2 : 1;
    const start = (dataset.train.rows + dataset.items.size) * factors * (init === "nndsvda" ? 2 : 1);
    requireFactorMemory(nmf.name, dataset, factors, run, bytes * start);
    const { fit } = await import("../../training/fit.js");
    const { epochs, patience, keep } = options;
    const trainable = await nmfTrainable(dataset, options, run);
    const restoreBest = keep === "best";
    return fit({ algorithm: nmf, options, dataset, trainable, epochs, patience, restoreBest }, run);
  },

  async restore(files, { engine }) {
    const { items } = files;
    const saved = new SavedModel(files);
    const given = saved.config(shape);
    const { factors: k } = given;
    requirePlausibleFactors(nmf.name, items.size, k);
    saved.require("items", [items.size, k]);
    const names = { offsets: "known.offsets", indices: "known.items" };
    const hasKnown = ["known.factors", names.offsets, names.indices].some((name) => saved.has(name));
    const histories = hasKnown ? saved.takeSparse(names, { columns: items.size }) : undefined;
    if (histories) saved.require("known.factors", [histories.rows, k]);
    saved.end();
    const known = histories && {
      histories,
      factors: await saved.load(engine, "known.factors", histories.rows, k),
    };
    return new NmfRecommender(engine, items, await saved.load(engine, "items", items.size, k), given, known);
  },
};
