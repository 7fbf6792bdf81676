// WMF, also called iALS (Hu, Koren, Volinsky: "Collaborative filtering for implicit feedback datasets", ICDM 2008): users and items
// have vectors x_u and y_i of k factors, and every cell of the matrix has a weight, which is low without an interaction:
//
//   minimise  sum over u, i of c_ui (p_ui - x_u'y_i)^2 + sum over u of lambda_u ||x_u||^2 + sum over i of lambda_i ||y_i||^2
//
// with p_ui = 1 for an interaction, otherwise 0 (equations 1 and 3). Alternating least squares solves, with Y fixed, for each user
//
//   x_u = (Y'C^u Y + lambda_u I)^-1 Y'C^u p(u),   Y'C^u Y = w Y'Y + sum over u's items of (c_ui - w) y_i y_i'      (equation 4)
//
// where w is the confidence of a cell without an interaction; then likewise for each item, with X fixed (equation 5). Histories
// are folded in exactly by equation 4; scores are x_u'y_i.

import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { loadTensor } from "../../compute/parameter.js";
import type { AlsHalfSweep, EntryWeight } from "../../compute/solvers/solvers.js";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import { type NamedTensors, type SparseTensor, type Tensor, viewRows } from "../../compute/tensor.js";
import { throwIfAborted } from "../../core/errors.js";
import type { Dataset } from "../../data/dataset.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import { initialise, initialised } from "../../nn/initialise.js";
import { type Initializer, initialKey, normal, uniform } from "../../nn/initializers.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import {
  type CellWeights,
  type RidgeByEntries,
  type RidgeFoldIn,
  ridgesOf,
  twoLevelWeights,
} from "../../recommender/fold-in.js";
import type { ModelFiles } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { requireAlgorithm, startRows } from "../../recommender/warm-start.js";
import { type CsrMatrix, entryCount, transpose } from "../../sparse/csr.js";
import type { Trainable } from "../../training/trainable.js";
import { savedConfig, size } from "../settings.js";
import { requireFactorMemory } from "../training-memory.js";
import { linearRange, logRange } from "../tuned.js";
import { FactorRecommender, requirePlausibleFactors } from "./factor-recommender.js";

const options = z.strictObject({
  factors: size
    .default(100)
    .describe("k, the number of factors (benfred/implicit; up to 200 in Hu et al.)")
    .meta(logRange(16, 256)),
  weighting: z
    .enum(["linear", "two-level", "unobserved"])
    .default("linear")
    .describe(
      "confidence of an interaction with value r (1 if the data has no values): linear = 1 + alpha r, and 1 for other cells (Hu et al. 2008, section 4); two-level = a, and b for other cells (CTR, CDL, CVAE); unobserved = 1, plus unobservedWeight on every cell (Rendle et al., RecSys 2022)",
    ),
  alpha: z
    .number()
    .positive()
    .default(40)
    .describe("with weighting=linear: slope of the confidence (Hu et al. 2008, section 4)"),
  a: z
    .number()
    .positive()
    .default(1)
    .describe("with weighting=two-level: confidence of an interaction (CTR, section 4)"),
  b: z
    .number()
    .positive()
    .default(0.01)
    .describe("with weighting=two-level: confidence of other cells (CTR, section 4)"),
  unobservedWeight: z
    .number()
    .positive()
    .default(0.1)
    .describe("with weighting=unobserved: weight of every cell (google-research/ials, ML-20M)")
    .meta(logRange(0.003, 1)),
  regularization: z
    .number()
    .positive()
    .default(0.01)
    .describe(
      "lambda: L2 regularisation (benfred/implicit; 0.003 for ML-20M in google-research/ials, with an exponent of 1)",
    )
    .meta(logRange(1e-3, 1)),
  frequencyExponent: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "nu: scales the regularisation of a row with n interactions and m cells to lambda (n + w m)^nu, where w is the weight of a cell without an interaction (1 in google-research/ials); 0 = lambda for every row (Hu et al.)",
    )
    .meta(linearRange(0, 1)),
  solver: z
    .enum(["cholesky", "conjugate-gradient"])
    .default("cholesky")
    .describe(
      "solver in training: cholesky = exact (Hu et al. 2008); conjugate-gradient = a few steps from the current row, faster with many factors (Takacs et al. 2011; benfred/implicit)",
    ),
  steps: size
    .default(3)
    .describe("with solver=conjugate-gradient: steps per row and sweep (benfred/implicit)"),
  init: z
    .enum(["normal", "uniform"])
    .default("normal")
    .describe(
      "initial factors: normal = with standard deviation 0.1 / sqrt(k) (google-research/ials); uniform = between 0 and 0.01 (benfred/implicit)",
    ),
  epochs: size.default(15).describe("number of sweeps, each over all users and all items (benfred/implicit)"),
  patience: size
    .optional()
    .describe("stop after this many sweeps without a better validation NDCG@100; unset = never"),
});
export type WmfOptions = z.infer<typeof options>;

/** The options that fold-in needs. */
const shape = options
  .pick({
    factors: true,
    weighting: true,
    alpha: true,
    a: true,
    b: true,
    unobservedWeight: true,
    regularization: true,
    frequencyExponent: true,
  })
  .strip();
type Shape = z.infer<typeof shape>;

/** The weights of cells with and without an interaction. */
function weightsOf({ weighting, alpha, a, b, unobservedWeight }: Shape): CellWeights {
  switch (weighting) {
    case "linear":
      return { gramWeight: 1, outer: { constant: 0, slope: alpha }, target: { constant: 1, slope: alpha } };
    case "two-level":
      return twoLevelWeights(a, b);
    case "unobserved": {
      const one = { constant: 1, slope: 0 };
      return { gramWeight: unobservedWeight, outer: one, target: one };
    }
    default:
      return weighting satisfies never;
  }
}

/** lambda (n + w columns)^nu */
function ridgeOf(columns: number, options: Shape): RidgeByEntries {
  const { regularization: scale, frequencyExponent: exponent } = options;
  return { scale, offset: weightsOf(options).gramWeight * columns, exponent };
}

/** sum over the entries of constant + slope * value */
function total(matrix: CsrMatrix, { constant, slope }: EntryWeight): number {
  const count = entryCount(matrix);
  return constant * count + slope * (matrix.values?.reduce((sum, value) => sum + value, 0) ?? count);
}

/** Y and Y'Y on the engine; histories are folded in exactly (equation 4). */
class WmfRecommender extends FactorRecommender {
  readonly algorithm = "wmf";
  readonly foldIn: RidgeFoldIn;
  readonly #options: Shape;

  /** Takes ownership of Y [items, k]. */
  constructor(engine: Engine, items: Vocabulary, itemFactors: Tensor, options: Shape) {
    super(engine, items, itemFactors, { users: "folded-in x_u", items: "y_i" });
    this.#options = options;
    this.foldIn = {
      kind: "ridge",
      ...{ items: itemFactors, gram: this.gram, ...weightsOf(options) },
      ridge: ridgeOf(items.size, options),
    };
  }

  async save(): Promise<ModelFiles> {
    const { algorithm, items } = this;
    const data = await this.engine.read(this.scored);
    const config = savedConfig(shape, this.#options);
    return {
      algorithm,
      config,
      tensors: { items: { shape: [items.size, this.#options.factors], data } },
      items,
    };
  }
}

/** Operations between two checks for an abort and reports of progress in a sweep. */
const OPERATIONS_AT_ONCE = 5e10;
/** Rows whose norms are computed at a time. */
const NORMS_AT_ONCE = 8192;

/** Uniform between 0 and .01. */
const smallPositive: Initializer = (...matrix) => {
  const centred = uniform(0.005)(...matrix);
  return (out, first) => {
    centred(out, first);
    for (let i = 0; i < out.length; i++) out[i] += 0.005;
  };
};

/** X and Y in training. */
class WmfTraining {
  readonly recommender: WmfRecommender;
  readonly #engine: Engine;
  readonly #options: WmfOptions;
  readonly #train: CsrMatrix;
  readonly #sides: Record<
    "users" | "items",
    { factors: Tensor; interactions: SparseTensor; ridges: Float32Array }
  >;
  readonly #gram: Tensor;

  constructor(engine: Engine, dataset: Dataset, options: WmfOptions, seed: number) {
    const { train, items } = dataset;
    const { factors, init } = options;
    this.#engine = engine;
    this.#options = options;
    this.#train = train;
    const side = (name: string, matrix: CsrMatrix) => {
      const key = initialKey(seed, `${name}.factors`);
      const initial = init === "normal" ? normal(0.1 / Math.sqrt(factors)) : smallPositive;
      const values = engine.empty(matrix.rows, factors);
      initialise(engine, values, initial(matrix.rows, factors, key));
      return {
        factors: values,
        interactions: engine.sparse(matrix),
        ridges: ridgesOf(matrix, ridgeOf(matrix.columns, options)),
      };
    };
    this.#sides = { users: side("users", train), items: side("items", transpose(train)) };
    this.#gram = engine.empty(factors, factors);
    this.recommender = new WmfRecommender(engine, items, this.#sides.items.factors, options);
  }

  /** Solves all rows of one side with the other fixed. `turn` is called now and then with the finished share. */
  async halfSweep(
    which: "users" | "items",
    turn: (share: number) => Promise<void>,
    objective?: Tensor,
  ): Promise<void> {
    const { factors, interactions, ridges } = this.#sides[which];
    const fixed = this.#sides[which === "users" ? "items" : "users"].factors;
    const { factors: k, solver, steps } = this.#options;
    this.#engine.matmul(this.#gram, fixed, fixed, { transposeA: true });
    const sweep: AlsHalfSweep = {
      ...{ fixed, gram: this.#gram, ...weightsOf(this.#options), ridge: ridges, objective },
      steps: solver === "cholesky" ? undefined : steps,
    };
    const work =
      solver === "cholesky"
        ? interactions.entries * k ** 2 + (factors.rows * k ** 3) / 3
        : (steps + 1) * (interactions.entries * 4 * k + factors.rows * 2 * k ** 2);
    const parts = Math.max(1, Math.min(factors.rows, Math.ceil(work / OPERATIONS_AT_ONCE)));
    for (let part = 0; part < parts; part++) {
      // Every parts-th row, so that every part has popular and rare items.
      const rows = Uint32Array.from(
        { length: Math.ceil((factors.rows - part) / parts) },
        (_, n) => part + n * parts,
      );
      solversOf(this.#engine).alsHalfSweep(factors, interactions, { ...sweep, rows });
      await this.#engine.finished();
      await turn((part + 1) / parts);
    }
  }

  /** One sweep. Returns the objective divided by the sum of all confidences (as benfred/implicit reports it). */
  async sweep(turn: (share: number) => Promise<void>): Promise<number> {
    const engine = this.#engine;
    const { gramWeight, outer, target } = weightsOf(this.#options);
    const { rows, columns } = this.#train;
    await this.halfSweep("users", (share) => turn(share / 2));
    const objective = engine.empty(columns, 1);
    const sum = engine.zeros(1, 1);
    try {
      await this.halfSweep("items", (share) => turn((1 + share) / 2), objective);
      engine.addSum(sum, objective, 1);
      const [ofItems] = await engine.read(sum);
      // The objective of the items' systems lacks sum c p^2 and the users' penalty.
      const loss = total(this.#train, target) + ofItems + (await this.#penalty());
      const confidences = gramWeight * rows * columns + total(this.#train, outer);
      return loss / confidences;
    } finally {
      engine.release(objective);
      engine.release(sum);
    }
  }

  /** sum over u of lambda_u ||x_u||^2 */
  async #penalty(): Promise<number> {
    const engine = this.#engine;
    const { factors, ridges } = this.#sides.users;
    const sum = engine.zeros(1, 1);
    const roots = engine.tensor(factors.rows, 1, ridges.map(Math.sqrt));
    const scaled = engine.empty(Math.min(NORMS_AT_ONCE, factors.rows), factors.columns);
    for (let first = 0; first < factors.rows; first += NORMS_AT_ONCE) {
      const last = Math.min(factors.rows, first + NORMS_AT_ONCE);
      const part = viewRows(scaled, 0, last - first);
      engine.scaleRows(part, viewRows(factors, first, last), viewRows(roots, first, last));
      engine.addSumOfSquares(sum, part, 1);
    }
    const [penalty] = await engine.read(sum);
    for (const tensor of [sum, roots, scaled]) engine.release(tensor);
    return penalty;
  }

  async save(): Promise<NamedTensors> {
    const named = async (name: "users" | "items") => {
      const { factors } = this.#sides[name];
      return { shape: [factors.rows, factors.columns], data: await this.#engine.read(factors) };
    };
    return { users: await named("users"), items: await named("items") };
  }

  async load(saved: NamedTensors): Promise<void> {
    for (const [name, { factors }] of Object.entries(this.#sides))
      await loadTensor(this.#engine, factors, name, saved);
  }

  /** Sets Y of the items that a previous run knows; the users' X follow in the first half of the next sweep. */
  async startFrom(items: Vocabulary, files: ModelFiles): Promise<void> {
    requireAlgorithm("wmf", files);
    const { factors } = this.#sides.items;
    const fresh = await this.#engine.read(factors);
    this.#engine.write(factors, startRows(fresh, "items", items, files));
  }

  /** Releases everything except the item factors, which belong to the recommender. */
  dispose(): void {
    for (const { interactions } of Object.values(this.#sides)) this.#engine.releaseSparse(interactions);
    for (const tensor of [this.#sides.users.factors, this.#gram]) this.#engine.release(tensor);
    this.recommender.dispose();
  }
}

/** One epoch is one sweep. */
export async function wmfTrainable(
  dataset: Dataset,
  options: WmfOptions,
  {
    engine,
    seed,
    signal,
    checkpoints,
    progress,
  }: Pick<RunContext, "engine" | "seed" | "signal" | "checkpoints" | "progress">,
): Promise<Trainable> {
  requireFactorMemory("wmf", dataset, options.factors, { engine, checkpoints, progress });
  const training = await initialised(() => new WmfTraining(engine, dataset, options, seed), {
    signal,
    release: (training) => training.dispose(),
  });
  return {
    saveState: () => training.save(),
    loadState: (state) => training.load(state),
    startFrom: (files) => training.startFrom(dataset.items, files),
    async epoch({ updates, signal, onProgress }) {
      const loss = await training.sweep(async (share) => {
        throwIfAborted(signal);
        onProgress?.(share, {});
        await setImmediate();
      });
      return { updates: updates + 1, values: { loss } };
    },
    recommender() {
      training.recommender.renew();
      return training.recommender;
    },
    dispose: () => training.dispose(),
  };
}

export const wmf: Algorithm<WmfOptions> = {
  name: "wmf",
  summary: "Weighted matrix factorisation of implicit feedback with alternating least squares (iALS).",
  source: "Hu, Koren, Volinsky: Collaborative filtering for implicit feedback datasets, ICDM 2008",
  options,
  warmStart: true,

  async fit(dataset, options, run) {
    requirePlausibleFactors(wmf.name, dataset.items.size, options.factors);
    const { fit } = await import("../../training/fit.js");
    const { epochs, patience } = options;
    const trainable = await wmfTrainable(dataset, options, run);
    return fit({ algorithm: wmf, options, dataset, trainable, epochs, patience }, run);
  },

  async restore(files, { engine }) {
    const { items } = files;
    const saved = new SavedModel(files);
    const given = saved.config(shape);
    const { factors: k } = given;
    requirePlausibleFactors(wmf.name, items.size, k);
    saved.require("items", [items.size, k]);
    saved.end();
    return new WmfRecommender(engine, items, await saved.load(engine, "items", items.size, k), given);
  },
};
