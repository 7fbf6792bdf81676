// CDAE (Wu, DuBois, Zheng, Ester: "Collaborative denoising auto-encoders for top-N recommender systems", WSDM 2016), after the
// author's program (jasonyaw/CDAE, src/model/recsys/cdae.hpp):
//
//   z_u = sigmoid(sum over the kept items i of W_i / (1 - p) + V_u + b),   an item is dropped with probability p   (equations 9, 8)
//   y_ui = W'_i z_u + b'_i                                                                                        (equation 10)
//   minimise  sum over u, over u's items and 5 sampled negatives per item, of loss(y_ui, x_ui) + lambda / 2 (||W||^2 + ...)
//
// Training takes one user at a time: stochastic gradient steps with AdaGrad (Duchi et al. 2011) on the rows of that user, including
// the L2 term. These sequential steps are only tens of numbers long, so batched kernels do not help: they run on plain arrays with
// every engine. Scoring runs on the engine.
//
// The paper scores the training users by their V_u. Here every scored user is folded in: W, W', b, b' are fixed, and V_u is the
// mean of the training users' vectors, optionally improved by gradient steps on the same loss. This fold-in is our addition.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { takeTensor } from "../../compute/named-tensors.js";
import type { FloatArray, NamedTensors, Tensor } from "../../compute/tensor.js";
import { RandomSequence, randomWords, streamOf } from "../../core/philox.js";
import { Turns } from "../../core/turns.js";
import type { Dataset } from "../../data/dataset.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import { filled } from "../../nn/initialise.js";
import { initialKey, uniform } from "../../nn/initializers.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { OutlineBuilder } from "../../recommender/outline.js";
import type { ScoreOptions } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { blockwiseScores } from "../../recommender/scores.js";
import { productSpace, type Vectors, vectorsFrom } from "../../recommender/vectors.js";
import { type CsrMatrix, rowIndices } from "../../sparse/csr.js";
import type { Trainable } from "../../training/trainable.js";
import { published, savedConfig, size } from "../settings.js";
import { requireTrainingMemory } from "../training-memory.js";
import { outlineInput } from "./outline.js";

/** Maximum of negatives per item and of steps per history: a saved model may come from an untrusted source. */
const MOST = 1000;
/** Maximum number of multiplications to fold in one history, about 0.3 s: see `foldInWork`. */
const FOLD_IN_WORK = 2 ** 26;
/** Items between two checks of the clock: well below a millisecond of work. */
const ITEMS_AT_ONCE = 256;
/** Maximum draws per negative in fold-in: with a history of nearly all items, nearly every draw is rejected. */
const MOST_DRAWS = 64;

const options = z.strictObject({
  latent: size.default(50).describe("size of the hidden layer (the authors' scripts, NUM_DIM)"),
  activation: z
    .enum(["sigmoid", "identity"])
    .default("sigmoid")
    .describe(
      "activation of the hidden layer (Wu et al. 2016, section 4.1: sigmoid in M3 and M4, identity in M1 and M2)",
    ),
  loss: z
    .enum(["logistic", "square"])
    .default("logistic")
    .describe(
      "logistic = -log sigmoid(+-y); square = (x - y)^2 (Wu et al. 2016, section 4.1: logistic in M2 and M4, square in M1 and M3)",
    ),
  tied: z
    .boolean()
    .default(true)
    .describe("share one weight matrix between input and output (the authors' code)"),
  dropout: published.dropout.describe(
    "dropout rate of a history in training; the kept items are scaled up (the authors' code, corruption_ratio)",
  ),
  negatives: z
    .union([z.int().min(0).max(MOST), z.enum(["all"])])
    .default(5)
    .describe(
      "sampled negatives per item of the history (Wu et al. 2016, section 5.1); all = every item outside the history once, as in RecBole's CDAE",
    ),
  l2: z.number().min(0).default(0.01).describe("lambda: weight of the L2 penalty (the authors' code)"),
  learningRate: z.number().positive().default(0.1).describe("AdaGrad's learning rate (the authors' code)"),
  damping: z
    .number()
    .min(0)
    .default(1)
    .describe("added to the square root of AdaGrad's sum of squares (beta in the authors' scripts)"),
  foldIn: z
    .enum(["gradient", "mean", "zero"])
    .default("gradient")
    .describe(
      "vector V_u of a scored user: gradient = optimised by gradient steps; mean = the mean over the training users; zero = 0 (our choice: the paper has no fold-in)",
    ),
  foldInSteps: size
    .max(MOST)
    .default(20)
    .describe(
      "with foldIn=gradient: gradient steps on V_u, each with newly drawn negatives; steps and negatives are reduced for histories that would take more than 2^26 multiplications (our choice)",
    ),
  epochs: published.epochs
    .default(300)
    .describe("passes over the training users (the authors' code, yelp_implicit.cpp)"),
  patience: published.patience,
});
export type CdaeOptions = z.infer<typeof options>;

/** The options that scoring needs, including training settings for the gradient steps on V_u. */
const shape = options.omit({ dropout: true, epochs: true, patience: true }).strip();
type Shape = z.infer<typeof shape>;

/** Initial value of AdaGrad's sums (the authors' code). */
const FIRST_SQUARE = 1e-4;

/** A matrix [rows, columns] that AdaGrad updates element by element: s += g^2, value -= rate g / (damping + sqrt(s)). */
class Table {
  readonly rows: number;
  readonly columns: number;
  readonly values: FloatArray;
  readonly #squares: FloatArray;
  readonly #rate: number;
  readonly #damping: number;
  readonly #l2: number;

  constructor(
    values: FloatArray,
    columns: number,
    { learningRate, damping, l2 }: Pick<Shape, "learningRate" | "damping" | "l2">,
  ) {
    this.rows = values.length / columns;
    this.columns = columns;
    this.values = values;
    this.#squares = values.slice().fill(FIRST_SQUARE);
    this.#rate = learningRate;
    this.#damping = damping;
    this.#l2 = l2;
  }

  /** One step of one element, including the L2 term. */
  step(at: number, gradient: number): void {
    const g = gradient + this.#l2 * this.values[at];
    this.#squares[at] += g * g;
    this.values[at] -= (this.#rate * g) / (this.#damping + Math.sqrt(this.#squares[at]));
  }

  save(name: string): NamedTensors {
    const shape = [this.rows, this.columns];
    return {
      [name]: { shape, data: this.values.slice() },
      [`${name}.squares`]: { shape, data: this.#squares.slice() },
    };
  }

  load(name: string, saved: NamedTensors): void {
    const shape = [this.rows, this.columns];
    this.values.set(takeTensor(saved, name, shape));
    this.#squares.set(takeTensor(saved, `${name}.squares`, shape));
  }
}

/** An array of zeros or a copy of an array, in the engine's precision. */
function floats({ precision }: Engine, source: number | FloatArray): FloatArray {
  const Numbers = precision === "float64" ? Float64Array : Float32Array;
  return typeof source === "number" ? new Numbers(source) : new Numbers(source);
}

const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** loss(y, x) and its derivative in y. */
const losses = {
  logistic: {
    value: (y: number, x: number) => softplus(y) - x * y,
    slope: (y: number, x: number) => sigmoid(y) - x,
  },
  square: {
    value: (y: number, x: number) => (x - y) ** 2,
    slope: (y: number, x: number) => -2 * (x - y),
  },
};

/** h, and its derivative as a function of h. */
const activations = {
  sigmoid: { value: sigmoid, slope: (h: number) => h * (1 - h) },
  identity: { value: (x: number) => x, slope: () => 1 },
};

/** The weights of a trained model, on the host. */
interface Weights {
  /** W [items, latent] */
  readonly input: FloatArray;
  /** W' [items, latent]: W itself if they are tied. */
  readonly output: FloatArray;
  /** b [latent] */
  readonly hiddenBias: FloatArray;
  /** b' [items] */
  readonly outputBias: FloatArray;
  /** The mean of the training users' V_u: [latent]. */
  readonly meanUser: FloatArray;
}

type WeightName = "input" | "output" | "hidden.bias" | "output.bias" | "user.mean";

/** [rows, columns] of the saved weights, by name. */
function weightShapes(
  items: number,
  { latent, tied }: Pick<Shape, "latent" | "tied">,
): Partial<Record<WeightName, readonly [number, number]>> {
  return {
    input: [items, latent],
    ...(!tied && { output: [items, latent] as const }),
    "hidden.bias": [1, latent],
    "output.bias": [1, items],
    "user.mean": [1, latent],
  };
}

const dot = (a: FloatArray, from: number, z: Float64Array) => {
  let sum = 0;
  for (let k = 0; k < z.length; k++) sum += a[from + k] * z[k];
  return sum;
};

/**
 * The negatives that the loss uses, in small pieces that are valid until the next one: all items outside the history, or a
 * sample of `count`, or fewer if `draws` draws do not find as many. `owned` marks the `history` items of the history.
 */
function* negativesOf(
  count: number | "all",
  history: number,
  owned: Uint8Array,
  random: RandomSequence,
  draws = Number.POSITIVE_INFINITY,
): Generator<Uint32Array> {
  if (history >= owned.length) return;
  const piece = new Uint32Array(ITEMS_AT_ONCE);
  if (count === "all") {
    for (let item = 0; item < owned.length; ) {
      let found = 0;
      for (; item < owned.length && found < piece.length; item++)
        if (owned[item] === 0) piece[found++] = item;
      yield piece.subarray(0, found);
    }
    return;
  }
  for (let left = count, drawn = 0; left > 0 && drawn < draws; ) {
    let found = 0;
    for (let d = 0; d < piece.length && found < left; d++) {
      const item = random.below(owned.length);
      if (owned[item] === 0) piece[found++] = item;
    }
    left -= found;
    drawn += piece.length;
    yield piece.subarray(0, found);
  }
}

/**
 * The number of gradient steps to fold in a history, and the number of negatives of each step: those of the options, limited
 * by FOLD_IN_WORK. One step over all items is always taken, since scoring all items costs as much.
 */
export function foldInWork(
  history: number,
  items: number,
  { latent, foldInSteps, negatives }: Pick<Shape, "latent" | "foldInSteps" | "negatives">,
): { steps: number; negatives: number | "all" } {
  const most = FOLD_IN_WORK / (2 * latent);
  const sampled = negatives === "all" ? items - history : negatives * history;
  const seen =
    negatives === "all" ? sampled : Math.min(sampled, Math.max(history, Math.floor(most) - history));
  const steps = Math.max(1, Math.min(foldInSteps, Math.floor(most / Math.max(1, history + seen))));
  return { steps, negatives: negatives === "all" ? negatives : seen };
}

/**
 * Hidden activations [histories, latent] of folded-in users; each depends only on the set of the user's items. Yields to
 * the event loop. Throws AbortedError when the signal aborts.
 */
async function foldedIn(
  histories: CsrMatrix,
  weights: Weights,
  options: Shape,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { latent, foldIn } = options;
  const turns = new Turns(signal);
  const { value: h, slope: hSlope } = activations[options.activation];
  const { slope } = losses[options.loss];
  const owned = new Uint8Array(histories.columns);
  const all = new Float64Array(histories.rows * latent);
  const gradient = new Float64Array(latent);
  for (let row = 0; row < histories.rows; row++) {
    const items = rowIndices(histories, row).toSorted();
    const base = new Float64Array(weights.hiddenBias);
    for (const item of items) for (let k = 0; k < latent; k++) base[k] += weights.input[item * latent + k];
    const user = new Table(
      foldIn === "zero" ? new Float64Array(latent) : new Float64Array(weights.meanUser),
      latent,
      options,
    );
    const hidden = all.subarray(row * latent, (row + 1) * latent);
    const encode = () => {
      for (let k = 0; k < latent; k++) hidden[k] = h(base[k] + user.values[k]);
    };
    encode();
    if (turns.due) await turns.yield();
    if (foldIn !== "gradient" || items.length === 0) continue;
    const { steps, negatives } = foldInWork(items.length, histories.columns, options);
    for (const item of items) owned[item] = 1;
    const random = new RandomSequence({ seed: 0, step: streamOf(items.join()), stream: streamOf("fold-in") });
    const pull = (item: number, x: number) => {
      const at = item * latent;
      const d = slope(dot(weights.output, at, hidden) + weights.outputBias[item], x);
      for (let k = 0; k < latent; k++) gradient[k] += d * weights.output[at + k];
    };
    const draws = negatives === "all" ? undefined : MOST_DRAWS * negatives;
    for (let step = 0; step < steps; step++) {
      gradient.fill(0);
      for (let n = 0; n < items.length; n++) {
        pull(items[n], 1);
        if (n % ITEMS_AT_ONCE === 0 && turns.due) await turns.yield();
      }
      for (const piece of negativesOf(negatives, items.length, owned, random, draws)) {
        for (const item of piece) pull(item, 0);
        if (turns.due) await turns.yield();
      }
      for (let k = 0; k < latent; k++) user.step(k, gradient[k] * hSlope(hidden[k]));
      encode();
    }
    for (const item of items) owned[item] = 0;
  }
  return all;
}

/** Scores from weights on the host; the weights of the output layer are in the engine too. */
class CdaeRecommender implements Vectors {
  readonly algorithm = "cdae";
  readonly items: Vocabulary;
  readonly spaces: Vectors["spaces"];
  readonly userVectors: Vectors["userVectors"];
  readonly itemVectors: Vectors["itemVectors"];
  readonly #engine: Engine;
  readonly #weights: Weights;
  readonly #options: Shape;
  readonly #output: Tensor;
  readonly #outputBias: Tensor;

  constructor(engine: Engine, items: Vocabulary, weights: Weights, options: Shape) {
    this.items = items;
    this.#engine = engine;
    this.#weights = weights;
    this.#options = options;
    this.#output = engine.tensor(items.size, options.latent, weights.output);
    this.#outputBias = engine.tensor(1, items.size, weights.outputBias);
    const space = productSpace(engine, {
      ...{ users: "the hidden layer, with V_u folded in", items: "the item's row of W'" },
      encode: (block) => this.#hidden(block),
      ...{ weights: this.#output, bias: this.#outputBias },
    });
    ({
      spaces: this.spaces,
      userVectors: this.userVectors,
      itemVectors: this.itemVectors,
    } = vectorsFrom(this, [space]));
  }

  async #hidden(histories: CsrMatrix, signal?: AbortSignal): Promise<Tensor> {
    const hidden = await foldedIn(histories, this.#weights, this.#options, signal);
    return this.#engine.tensor(histories.rows, this.#options.latent, hidden);
  }

  /** Copies the current weights of training. */
  renew(): void {
    this.#engine.write(this.#output, this.#weights.output);
    this.#engine.write(this.#outputBias, this.#weights.outputBias);
  }

  score(histories: CsrMatrix, { signal }: ScoreOptions = {}) {
    const { items } = this;
    const scoreBlock = async (block: CsrMatrix) => {
      const activations = await this.#hidden(block, signal);
      const scores = this.#engine.empty(block.rows, items.size);
      this.#engine.matmul(scores, activations, this.#output, { transposeB: true });
      this.#engine.addRow(scores, this.#outputBias);
      this.#engine.release(activations);
      return scores;
    };
    return blockwiseScores(this.#engine, histories, items.size, scoreBlock, { signal });
  }

  async save() {
    const { input, output, hiddenBias, outputBias, meanUser } = this.#weights;
    const data: Record<WeightName, FloatArray> = {
      ...{ input, output },
      ...{ "hidden.bias": hiddenBias, "output.bias": outputBias, "user.mean": meanUser },
    };
    const tensors = Object.entries(weightShapes(this.items.size, this.#options)).map(
      ([name, size]) => [name, { shape: [...size], data: data[name as WeightName].slice() }] as const,
    );
    return {
      algorithm: this.algorithm,
      config: savedConfig(shape, this.#options),
      tensors: Object.fromEntries(tensors),
      items: this.items,
    };
  }

  dispose(): void {
    this.#engine.release(this.#output);
    this.#engine.release(this.#outputBias);
  }
}

/** The model in training. */
class CdaeTraining {
  readonly #options: CdaeOptions;
  readonly #tables: Readonly<Record<"input" | "output" | "user" | "hidden.bias" | "output.bias", Table>>;
  readonly #owned: Uint8Array;
  readonly weights: Weights;

  /** W, W' and V are uniform in +-4 sqrt(6 / (items + latent)), the biases 0 (the authors' code). Throws AbortedError. */
  static async create(
    users: number,
    items: number,
    options: CdaeOptions,
    { engine, seed, signal }: Pick<RunContext, "engine" | "seed" | "signal">,
  ): Promise<CdaeTraining> {
    const { latent, tied } = options;
    const random = uniform(4 * Math.sqrt(6 / (items + latent)));
    const table = async (name: string, rows: number) => {
      const values = await filled(rows * latent, random(rows, latent, initialKey(seed, name)), signal);
      return new Table(engine.precision === "float32" ? values : floats(engine, values), latent, options);
    };
    const input = await table("input", items);
    const output = tied ? input : await table("output", items);
    return new CdaeTraining(engine, items, options, { input, output, user: await table("user", users) });
  }

  private constructor(
    engine: Engine,
    items: number,
    options: CdaeOptions,
    { input, output, user }: Readonly<Record<"input" | "output" | "user", Table>>,
  ) {
    const { latent } = options;
    this.#options = options;
    this.#owned = new Uint8Array(items);
    this.#tables = {
      input,
      output,
      user,
      "hidden.bias": new Table(floats(engine, latent), latent, options),
      "output.bias": new Table(floats(engine, items), items, options),
    };
    this.weights = {
      input: input.values,
      output: output.values,
      hiddenBias: this.#tables["hidden.bias"].values,
      outputBias: this.#tables["output.bias"].values,
      meanUser: floats(engine, latent),
    };
  }

  /** The steps of one user; `kept` [history] says which items the input keeps. Returns the loss before the steps. Throws AbortedError. */
  async learn(
    user: number,
    items: Uint32Array,
    kept: Uint8Array,
    random: RandomSequence,
    turns: Turns,
  ): Promise<number> {
    const { latent, dropout, tied, negatives } = this.#options;
    const { value: h, slope: hSlope } = activations[this.#options.activation];
    const { value, slope } = losses[this.#options.loss];
    const { input, output, user: users } = this.#tables;
    const hiddenBias = this.#tables["hidden.bias"];
    const outputBias = this.#tables["output.bias"];
    const scale = 1 / (1 - dropout);
    const z = new Float64Array(latent);
    for (let k = 0; k < latent; k++) z[k] = hiddenBias.values[k] + users.values[user * latent + k];
    for (let n = 0; n < items.length; n++)
      if (kept[n]) for (let k = 0; k < latent; k++) z[k] += scale * input.values[items[n] * latent + k];
    for (let k = 0; k < latent; k++) z[k] = h(z[k]);

    let loss = 0;
    const hiddenGradient = new Float64Array(latent);
    /** The derivative at an item. `deferred`: the output weights are the input weights of a kept item and are updated there. */
    const learnItem = (item: number, x: number, deferred: boolean): number => {
      const at = item * latent;
      const y = dot(output.values, at, z) + outputBias.values[item];
      const d = slope(y, x);
      loss += value(y, x);
      outputBias.step(item, d);
      for (let k = 0; k < latent; k++) hiddenGradient[k] += d * output.values[at + k];
      if (!deferred) for (let k = 0; k < latent; k++) output.step(at + k, d * z[k]);
      return d;
    };
    const deferred = new Float64Array(items.length);
    for (let n = 0; n < items.length; n++) {
      this.#owned[items[n]] = 1;
      const defers = tied && kept[n] === 1;
      const d = learnItem(items[n], 1, defers);
      if (defers) deferred[n] = d;
      if (n % ITEMS_AT_ONCE === ITEMS_AT_ONCE - 1 && turns.due) await turns.yield();
    }
    const sample = negatives === "all" ? negatives : negatives * items.length;
    for (const piece of negativesOf(sample, items.length, this.#owned, random)) {
      for (const item of piece) learnItem(item, 0, false);
      if (turns.due) await turns.yield();
    }

    for (let k = 0; k < latent; k++) hiddenGradient[k] *= hSlope(z[k]);
    for (let k = 0; k < latent; k++) hiddenBias.step(k, hiddenGradient[k]);
    for (let k = 0; k < latent; k++) users.step(user * latent + k, hiddenGradient[k]);
    for (let n = 0; n < items.length; n++) {
      this.#owned[items[n]] = 0;
      if (kept[n])
        for (let k = 0; k < latent; k++)
          input.step(items[n] * latent + k, scale * hiddenGradient[k] + deferred[n] * z[k]);
    }
    return loss;
  }

  /** Updates the mean user vector from the current weights. */
  renewMean(): void {
    const { values, rows, columns } = this.#tables.user;
    const sums = new Float64Array(columns);
    for (let i = 0; i < values.length; ) for (let k = 0; k < columns; k++, i++) sums[k] += values[i];
    sums.forEach((sum, k) => {
      this.weights.meanUser[k] = sum / Math.max(1, rows);
    });
  }

  #named(): [string, Table][] {
    return Object.entries(this.#tables).filter(([name]) => name !== "output" || !this.#options.tied);
  }

  save(): NamedTensors {
    return Object.assign({}, ...this.#named().map(([name, table]) => table.save(name)));
  }

  load(saved: NamedTensors): void {
    for (const [name, table] of this.#named()) table.load(name, saved);
  }
}

/** Milliseconds between progress reports. */
const TELL = 500;

/** One epoch: all users in the order of the dataset, as in the authors' code. */
async function trainable(dataset: Dataset, options: CdaeOptions, run: RunContext): Promise<Trainable> {
  const { engine, seed } = run;
  const { train, items } = dataset;
  const { latent, tied } = options;
  const [ofItems, ofUsers] = [(tied ? 1 : 2) * items.size * latent, train.rows * latent];
  requireTrainingMemory(
    {
      ...{ algorithm: cdae.name, items: items.size, smaller: "fewer hidden units (--set latent=20)" },
      // Values and AdaGrad's sums, the output weights in the engine, those of the best epoch; and all of it again for a checkpoint.
      numbers:
        2 * (ofItems + ofUsers) +
        items.size * latent +
        ofItems +
        (run.checkpoints ? 2 * (ofItems + ofUsers) : ofItems),
      matrices: [
        [items.size, latent],
        [train.rows, latent],
      ],
    },
    run,
  );
  const training = await CdaeTraining.create(train.rows, items.size, options, run);
  const recommender = new CdaeRecommender(engine, items, training.weights, options);
  const threshold = Math.floor(options.dropout * 2 ** 32);
  return {
    saveState: async () => training.save(),
    loadState: (state) => training.load(state),

    async epoch({ number, updates, signal, onProgress }) {
      const random = new RandomSequence({ seed, step: number, stream: streamOf("negatives") });
      const dropped = { seed, step: number, stream: streamOf("dropout") };
      let loss = 0;
      const turns = new Turns(signal);
      let lastTold = performance.now();
      for (let user = 0; user < train.rows; user++) {
        const history = rowIndices(train, user);
        const words = new Uint32Array(history.length);
        // From the start of a block, although the user's first element may lie within it: changing this would change the trained weights.
        const first = train.offsets[user];
        randomWords(dropped, first - (first % 4), words);
        const kept = Uint8Array.from(words, (word) => (word >= threshold ? 1 : 0));
        loss += await training.learn(user, history, kept, random, turns);
        if (!turns.due) continue;
        const now = performance.now();
        if (now - lastTold > TELL) {
          onProgress?.((user + 1) / train.rows, { loss: loss / (user + 1) });
          lastTold = now;
        }
        await turns.yield();
      }
      return { updates: updates + train.rows, values: { loss: loss / Math.max(1, train.rows) } };
    },

    recommender() {
      training.renewMean();
      recommender.renew();
      return recommender;
    },
    dispose: () => recommender.dispose(),
  };
}

export const cdae: Algorithm<CdaeOptions> = {
  name: "cdae",
  summary: "Denoising autoencoder with a vector per user, trained by AdaGrad with sampled negatives.",
  source:
    "Wu, DuBois, Zheng, Ester: Collaborative denoising auto-encoders for top-N recommender systems, WSDM 2016",
  options,

  outline(items, { latent, activation, loss, tied, dropout }) {
    const outline = new OutlineBuilder();
    const kept = outlineInput(outline, items, { dropout, l2: false, column: 0 });
    const encoder = outline.dense("encoder", latent, "linear", { from: [kept] });
    // A saved model has the mean of the training users' vectors.
    const user = outline.add("user", "Vector of the user", {
      ...{ from: [], output: latent, parameters: latent, column: 1 },
    });
    outline.add("hidden", `Sum, ${activation === "sigmoid" ? "sigmoid" : "linear"}`, {
      ...{ from: [encoder, user], column: 0.5 },
    });
    outline.dense("output", items, loss === "logistic" ? "sigmoid" : "linear", { tied });
    return outline.layers;
  },

  async fit(dataset, options, run) {
    const { fit } = await import("../../training/fit.js");
    const { epochs, patience } = options;
    return fit(
      {
        algorithm: cdae,
        options,
        dataset,
        trainable: await trainable(dataset, options, run),
        epochs,
        patience,
      },
      run,
    );
  },

  async restore(files, { engine }) {
    const saved = new SavedModel(files);
    const given = saved.config(shape);
    const taken = Object.fromEntries(
      Object.entries(weightShapes(files.items.size, given)).map(([name, size]) => [
        name,
        saved.take(name, size),
      ]),
    ) as Record<WeightName, FloatArray>;
    saved.end();
    const own = (name: WeightName) => floats(engine, taken[name]);
    const input = own("input");
    const weights: Weights = {
      input,
      output: given.tied ? input : own("output"),
      hiddenBias: own("hidden.bias"),
      outputBias: own("output.bias"),
      meanUser: own("user.mean"),
    };
    return new CdaeRecommender(engine, files.items, weights, given);
  },
};
