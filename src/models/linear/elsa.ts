// ELSA (Vancura, Alves, Kasalicky, Kordik: "Scalable linear shallow autoencoder for collaborative filtering", RecSys 2022): a linear
// autoencoder like EASE, with weights that are a product of two thin matrices. With A [items, k] and its rows divided by their
// lengths, U:
//
//   y = x U U' - x,   minimise the mean over users and items of (y / |y| - x / |x|)^2
//
// The diagonal of U U' is 1, so that subtracting x leaves the weights of the other items, as EASE's zero diagonal does. Memory
// and time are linear in the items. Optimiser (NAdam, learning rate .1) and initial values as in the authors' program
// (recombee/ELSA). For large catalogues, an update can be limited to the items of its batch and some others (`outputs`).
//
// Scores are x U U': subtracting x changes only the scores of the items of the history itself.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { sum } from "../../compute/objective.js";
import { linearCosine } from "../../compute/ops/linear-cosine.js";
import { unitRows } from "../../compute/ops/unit-rows.js";
import { Nadam } from "../../compute/optimizers.js";
import type { Differentiable } from "../../compute/parameter.js";
import { loadParameters, Parameter, saveParameters } from "../../compute/parameter.js";
import type { Tape } from "../../compute/tape.js";
import type { SparseTensor, Tensor } from "../../compute/tensor.js";
import { RandomSequence, streamOf } from "../../core/philox.js";
import type { Dataset } from "../../data/dataset.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import { glorotUniform } from "../../nn/initializers.js";
import { allocated } from "../../nn/parameters.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { ProductRanking } from "../../recommender/product-ranking.js";
import type { ModelFiles, ScoreOptions } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { blockwiseScores } from "../../recommender/scores.js";
import { productSpace, type Vectors, vectorsFrom } from "../../recommender/vectors.js";
import { type CsrMatrix, takeRows } from "../../sparse/csr.js";
import type { Trainable } from "../../training/trainable.js";
import { requirePlausibleFactors } from "../factors/factor-recommender.js";
import { savedConfig, size } from "../settings.js";
import { requireTrainingMemory } from "../training-memory.js";
import { logRange, oneOf } from "../tuned.js";

const options = z.strictObject({
  factors: size
    .default(256)
    .describe("k, the width of A (our choice; the authors use 800 on ML-20M in their comparison)")
    .meta(oneOf(64, 128, 256, 512)),
  learningRate: z
    .number()
    .positive()
    .default(0.1)
    .describe("NAdam's learning rate (recombee/ELSA)")
    .meta(logRange(0.005, 0.3)),
  epochs: size.default(20).describe("passes over the training users (recombee/ELSA)"),
  batchSize: size
    .default(128)
    .describe("users per update (our choice; recombee/ELSA has no default)")
    .meta(oneOf(64, 128, 256, 512)),
  outputs: z
    .int()
    .min(0)
    .default(0)
    .describe(
      "number of items in the loss of an update: those of the batch, and uniformly drawn others up to this number; only their rows of A are updated; 0 = all items",
    ),
  patience: size
    .optional()
    .describe("stop after this many epochs without a better validation NDCG@100; unset = never"),
});
export type ElsaOptions = z.infer<typeof options>;

const shape = options.pick({ factors: true }).strip();
type Shape = z.infer<typeof shape>;

class ElsaRecommender implements Vectors {
  readonly algorithm = "elsa";
  readonly items: Vocabulary;
  readonly spaces: Vectors["spaces"];
  readonly userVectors: Vectors["userVectors"];
  readonly itemVectors: Vectors["itemVectors"];
  readonly #engine: Engine;
  readonly #vectors: Tensor;
  /** Zeros, which the search by bounds needs. */
  readonly #bias: Tensor;
  readonly #ranking: ProductRanking;
  /** Of a final model, which can have an index. */
  readonly ranking?: ProductRanking;

  /** Takes ownership of U [items, k]; `final` = it never changes again, like that of a saved model. */
  constructor(engine: Engine, items: Vocabulary, vectors: Tensor, { final }: { final: boolean }) {
    this.#engine = engine;
    this.items = items;
    this.#vectors = vectors;
    this.#bias = engine.zeros(1, items.size);
    const products = { encode: (block: CsrMatrix) => this.#encode(block), weights: vectors };
    this.#ranking = new ProductRanking(engine, { ...products, bias: this.#bias }, { final });
    if (final) this.ranking = this.#ranking;
    const names = { users: "the sum of the vectors of the history", items: "the item's row of U" };
    ({
      spaces: this.spaces,
      userVectors: this.userVectors,
      itemVectors: this.itemVectors,
    } = vectorsFrom(this, [productSpace(engine, { ...names, ...products })]));
  }

  /** x U [histories, k] */
  #encode(block: CsrMatrix): Tensor {
    const sums = this.#engine.empty(block.rows, this.#vectors.columns);
    const x = this.#engine.sparse({ ...block, values: undefined });
    this.#engine.sparseRowSum(sums, x, this.#vectors, {});
    this.#engine.releaseSparse(x);
    return sums;
  }

  score(histories: CsrMatrix, { signal }: ScoreOptions = {}) {
    const engine = this.#engine;
    const scoreBlock = (block: CsrMatrix) => {
      const scores = engine.empty(block.rows, this.items.size);
      const sums = this.#encode(block);
      engine.matmul(scores, sums, this.#vectors, { transposeB: true });
      engine.release(sums);
      return scores;
    };
    return blockwiseScores(engine, histories, this.items.size, scoreBlock, {
      ranking: this.#ranking,
      signal,
    });
  }

  async save(): Promise<ModelFiles> {
    const { algorithm, items } = this;
    const { rows, columns: factors } = this.#vectors;
    const data = await this.#engine.read(this.#vectors);
    const tensors = { items: { shape: [rows, factors], data } };
    return { algorithm, config: savedConfig(shape, { factors }), tensors, items };
  }

  dispose(): void {
    this.#ranking.dispose();
    for (const tensor of [this.#vectors, this.#bias]) this.#engine.release(tensor);
  }
}

/** The items of an update, and its histories over them. */
interface ElsaBatch {
  readonly x: SparseTensor;
  /** x.x [users, 1] */
  readonly squares: Tensor;
  /** The items of the columns of x, ascending; absent = all. */
  readonly items?: Uint32Array;
}

/** Chooses the items of updates. */
class OutputItems {
  readonly #most: number;
  readonly #seed: number;
  /** The column of each item in an update + 1; 0 = none. */
  readonly #columns: Uint32Array;

  constructor(items: number, most: number, seed: number) {
    this.#most = Math.min(most, items);
    this.#seed = seed;
    this.#columns = new Uint32Array(items);
  }

  /** The histories over the items of an update: those that occur, and others, drawn uniformly up to `outputs`. */
  limit(histories: CsrMatrix, update: number): { readonly limited: CsrMatrix; readonly items: Uint32Array } {
    const columns = this.#columns;
    const chosen: number[] = [];
    for (const item of histories.indices)
      if (columns[item] === 0) {
        columns[item] = 1;
        chosen.push(item);
      }
    const random = new RandomSequence({ seed: this.#seed, step: update, stream: streamOf("outputs") });
    const rest = columns.length - chosen.length;
    const wanted = Math.max(0, this.#most - chosen.length);
    if (2 * wanted <= rest) {
      for (const last = chosen.length + wanted; chosen.length < last; ) {
        const item = random.below(columns.length);
        if (columns[item] > 0) continue;
        columns[item] = 1;
        chosen.push(item);
      }
    } else {
      // Most of the others are wanted: draws those that are left out.
      const left = new Set<number>();
      while (left.size < rest - wanted) {
        const item = random.below(columns.length);
        if (columns[item] === 0) left.add(item);
      }
      for (let item = 0; item < columns.length; item++)
        if (columns[item] === 0 && !left.has(item)) chosen.push(item);
    }
    const items = Uint32Array.from(chosen).sort();
    for (let column = 0; column < items.length; column++) columns[items[column]] = column + 1;
    const indices = histories.indices.map((item) => columns[item] - 1);
    for (const item of items) columns[item] = 0;
    return { limited: { ...histories, columns: items.length, indices }, items };
  }
}

/** A in training. */
class ElsaNetwork {
  readonly weights: Parameter;

  constructor(items: number, { factors }: Shape) {
    this.weights = Parameter.declare({
      ...{ name: "items", rows: items, columns: factors, initial: glorotUniform, itemAxis: "rows" },
    });
  }

  get parameters(): readonly Parameter[] {
    return [this.weights];
  }

  /** The loss of a batch, summed over its users: the mean over the items of the update. */
  loss(tape: Tape, { x, squares, items }: ElsaBatch) {
    const rows = unitRows(tape, items ? rowsOf(tape, this.weights, items) : this.weights);
    return sum(linearCosine(tape, x, rows, squares)).times(1 / x.columns);
  }
}

/** Some rows of a parameter, whose gradient has only these rows. */
function rowsOf(tape: Tape, parameter: Parameter, rows: Uint32Array): Differentiable {
  const taken = tape.empty(rows.length, parameter.columns);
  tape.engine.takeRows(taken, parameter.value, rows);
  return tape.record(taken, [parameter], (g) =>
    parameter.addRowsGradient(rows, (out) => tape.engine.copy(out, g)),
  );
}

function requireElsaMemory({ train, items }: Dataset, options: ElsaOptions, run: RunContext): void {
  const { factors, batchSize, outputs } = options;
  const weights = items.size * factors;
  const most = outputs > 0 && outputs < items.size ? outputs : items.size;
  const users = Math.min(batchSize, train.rows);
  requireTrainingMemory(
    {
      ...{ algorithm: elsa.name, items: items.size },
      // A, its moments, U for validation and a copy of the best; of an update: A, U, both gradients, and the smaller product.
      numbers:
        5 * weights +
        (run.checkpoints ? 3 * weights : 0) +
        4 * most * factors +
        (users < factors ? users * most : factors ** 2),
      matrices: [[items.size, factors]],
      smaller: "fewer factors (--set factors=64), or updates of fewer items (--set outputs=20000)",
    },
    run,
  );
}

/** One epoch is one pass over the users. */
async function elsaTrainable(dataset: Dataset, options: ElsaOptions, run: RunContext): Promise<Trainable> {
  const { engine, seed } = run;
  const { items } = dataset;
  const { batchSize, outputs, learningRate } = options;
  const { minimiseBatches, updatesPerPass } = await import("../../training/minimise.js");
  requireElsaMemory(dataset, options, run);
  const network = await allocated(new ElsaNetwork(items.size, options), run);
  const optimizer = new Nadam(engine, network.parameters, { learningRate });
  const some = outputs > 0 && outputs < items.size ? new OutputItems(items.size, outputs, seed) : undefined;
  // Histories are sets of items.
  const histories = { ...dataset.train, values: undefined };
  let current: { readonly model: ElsaRecommender; readonly vectors: Tensor } | undefined;

  const batchOf = (users: Uint32Array, update: number): ElsaBatch => {
    const rows = takeRows(histories, users);
    const squares = engine.tensor(
      users.length,
      1,
      Float32Array.from(users, (_, r) => rows.offsets[r + 1] - rows.offsets[r]),
    );
    if (!some) return { x: engine.sparse(rows), squares };
    const { limited, items } = some.limit(rows, update);
    return { x: engine.sparse(limited), squares, items };
  };

  return {
    saveState: async () => ({ ...(await saveParameters(network.parameters)), ...(await optimizer.save()) }),
    async loadState(state) {
      await loadParameters(network.parameters, state);
      await optimizer.load(state);
    },
    async epoch(epoch) {
      const { order } = epoch;
      let update = epoch.updates;
      const { updates, means } = await minimiseBatches<ElsaBatch>({
        ...{ engine, optimizer, epoch, reports: ["loss"] },
        batches: Array.from({ length: updatesPerPass(order.length, batchSize) }, (_, b) =>
          order.subarray(b * batchSize, (b + 1) * batchSize),
        ),
        take: (users) => batchOf(users, ++update),
        release({ x, squares }) {
          engine.releaseSparse(x);
          engine.release(squares);
        },
        loss: (tape, batch) => ({ loss: network.loss(tape, batch) }),
      });
      return { updates, values: means };
    },
    recommender() {
      if (!current) {
        const vectors = engine.empty(items.size, options.factors);
        current = { vectors, model: new ElsaRecommender(engine, items, vectors, { final: false }) };
      }
      engine.unitRows(current.vectors, network.weights.value);
      return current.model;
    },
    dispose() {
      current?.model.dispose();
      network.weights.release();
    },
  };
}

export const elsa: Algorithm<ElsaOptions> = {
  name: "elsa",
  summary:
    "Linear autoencoder with factored weights, trained by gradients; its memory is linear in the items.",
  source:
    "Vancura, Alves, Kasalicky, Kordik: Scalable linear shallow autoencoder for collaborative filtering, RecSys 2022",
  options,

  async fit(dataset, options, run) {
    requirePlausibleFactors(elsa.name, dataset.items.size, options.factors);
    const { fit } = await import("../../training/fit.js");
    const { epochs, patience } = options;
    const trainable = await elsaTrainable(dataset, options, run);
    return fit({ algorithm: elsa, options, dataset, trainable, epochs, patience }, run);
  },

  async restore(files, { engine }) {
    const { items } = files;
    const saved = new SavedModel(files);
    const { factors } = saved.config(shape);
    requirePlausibleFactors(elsa.name, items.size, factors);
    saved.take("items", [items.size, factors]);
    saved.end();
    const vectors = await saved.load(engine, "items", items.size, factors);
    return new ElsaRecommender(engine, items, vectors, { final: true });
  },
};
