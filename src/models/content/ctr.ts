// CTR, collaborative topic regression (Wang and Blei, KDD 2011), as in the authors' program (blei-lab/ctr, ctr.cpp and opt.cpp):
// an item's factor is drawn towards the topics of its text.
//
//   theta_j ~ Dirichlet,  words of j ~ Mult(beta theta_j),  u_i ~ N(0, I / lambda_u),  v_j ~ N(theta_j, I / lambda_v),
//   R_ij ~ N(u_i'v_j, 1 / C_ij),   C_ij = a where user i has item j, b elsewhere
//
// Topics and proportions start as latent Dirichlet allocation's (topics.ts), theta ~ theta + s. After that, an epoch is
//
//   1. a sweep of least squares over all u_i, then the v_j of items with interactions (content/factors.ts);
//   2. for each document phi_wk ~ theta_k beta_kw, gamma_k = 1 + sum_w count_w phi_wk;  theta_j climbs
//      sum_k gamma_k log theta_k - lambda_v / 2 ||v_j - theta_j||^2 on the simplex by a step of projected gradient; of an item
//      without interactions, it is gamma / sum gamma;   beta_kw ~ sum of count_w phi_wk over the documents of the other items.
//
// Training ends early once the likelihood changes by less than `tolerance` of itself. Items without interactions are scored by theta.

import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { loadTensor, Parameter, saveTensor } from "../../compute/parameter.js";
import type { NamedTensors, Tensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject } from "../../core/json.js";
import { streamOf } from "../../core/philox.js";
import { Turns } from "../../core/turns.js";
import { type ContentForm, formOf, type ItemContent, type WordContent } from "../../data/content.js";
import type { Dataset } from "../../data/dataset.js";
import { numbersIn } from "../../nn/parameters.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { ContentAware } from "../../recommender/content-aware.js";
import type { RunContext } from "../../recommender/run-context.js";
import type { Epoch, EpochReport, Pretraining, Trainable } from "../../training/trainable.js";
import { published, savedConfig, size } from "../settings.js";
import { requireContentMemory } from "../training-memory.js";
import { requireContent } from "./batches.js";
import { Factors } from "./factors.js";
import { type ContentEncoder, restoreFactorModel, savedFactorModel } from "./model.js";
import {
  emRound,
  initialTopics,
  normalisedTopics,
  setProportions,
  stepOnSimplex,
  TopicInference,
} from "./topics.js";

const weight = z.number().positive();

const options = z.strictObject({
  topics: size
    .default(200)
    .describe("K: number of topics and dimensions of the factors (Wang and Blei 2011, section 4)"),
  lambdaU: weight.default(0.01).describe("lambda_u (Wang and Blei 2011, section 4; 0.1 in Li and She 2017)"),
  lambdaV: weight.default(100).describe("lambda_v (Wang and Blei 2011, section 4; 1 in Li and She 2017)"),
  a: weight.default(1).describe("confidence C_ij where user i has item j (Wang and Blei 2011, section 4)"),
  b: weight.default(0.01).describe("confidence C_ij elsewhere (Wang and Blei 2011, section 4)"),
  alpha: weight
    .optional()
    .describe("Dirichlet prior of a document's topics in LDA; unset = 1 / topics (our choice)"),
  topicEpochs: z
    .int()
    .min(0)
    .default(50)
    .describe(
      "pretraining: iterations of LDA's variational EM (ours; the authors ran lda-c until it converged)",
    ),
  optimiseTheta: z
    .boolean()
    .default(true)
    .describe(
      "whether theta and beta are learned with the factors; false = they stay as LDA found them (theta_opt in the authors' program)",
    ),
  smoothing: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "s: added to LDA's topic proportions before the first epoch (alpha_smooth in the authors' program)",
    ),
  epochs: published.epochs.default(200).describe("at most so many epochs (max_iter in the authors' program)"),
  tolerance: z
    .number()
    .min(0)
    .default(1e-4)
    .describe(
      "training ends once the likelihood changes by less than this share, but not before 15 epochs (the authors' program)",
    ),
  patience: published.patience,
});
export type CtrOptions = z.infer<typeof options>;

/** Epochs before `tolerance` can end the training (min_iter in the authors' program). */
const LEAST_ROUNDS = 15;
/** Gives a word that occurs in no document a positive probability. */
const TINY = 1e-12;

/** The options that a trained model needs; latent is the number of topics. */
const shape = z.object({
  latent: size,
  alpha: weight,
  lambdaU: weight,
  lambdaV: weight,
  a: weight,
  b: weight,
});
type Shape = z.infer<typeof shape>;

const shapeOf = ({ topics, alpha = 1 / topics, ...rest }: CtrOptions): Shape =>
  shape.parse({ ...rest, latent: topics, alpha });

/** beta [words, topics] */
const declaredTopics = (words: number, topics: number) =>
  Parameter.declare({ name: "topics", rows: words, columns: topics });

/** Topic proportions of documents under given topics. */
function encoderOf(engine: Engine, topics: Parameter, { latent, alpha }: Shape): ContentEncoder {
  return {
    parameters: [topics],
    async encode(content: ItemContent) {
      if (content.kind !== "words") throw new RangeError("ctr reads bags of words");
      const beta = new Float64Array(await engine.read(topics.value));
      const inference = new TopicInference({ topics: latent, alpha });
      const gamma = new Float64Array(latent);
      const theta = new Float64Array(content.items * latent);
      const turns = new Turns();
      for (let d = 0; d < content.items; d++) {
        inference.document(content.counts, d, beta, gamma);
        setProportions(theta.subarray(d * latent, (d + 1) * latent), gamma);
        if (turns.due) await turns.yield();
      }
      return engine.tensor(content.items, latent, theta);
    },
  };
}

class CtrTraining implements Trainable {
  readonly pretraining: Pretraining;
  readonly #engine: Engine;
  readonly #dataset: Dataset;
  readonly #content: WordContent;
  readonly #options: CtrOptions;
  readonly #shape: Shape;
  readonly #config: JsonObject;
  readonly #factors: Factors;
  readonly #thetaTensor: Tensor;
  readonly #topics: Parameter;
  /** [words, topics] and [items, topics]. */
  readonly #beta: Float64Array;
  readonly #theta: Float64Array;
  #pretrains = true;
  /** Of the previous epoch; NaN before the first. */
  #likelihood = Number.NaN;

  constructor(
    dataset: Dataset,
    content: WordContent,
    options: CtrOptions,
    { engine, seed }: Pick<RunContext, "engine" | "seed">,
  ) {
    const { topics } = options;
    this.#engine = engine;
    this.#dataset = dataset;
    this.#content = content;
    this.#options = options;
    this.#shape = shapeOf(options);
    this.#config = savedConfig(shape, this.#shape);
    const key = { seed, step: 0, stream: streamOf("topics") };
    this.#beta = initialTopics(content.words.size, topics, key);
    this.#theta = new Float64Array(dataset.items.size * topics).fill(1 / topics);
    this.#topics = declaredTopics(content.words.size, topics);
    this.#topics.allocate(engine, this.#beta);
    this.#factors = new Factors(engine, dataset.train, topics, options);
    this.#thetaTensor = engine.zeros(dataset.items.size, topics);
    const { topicEpochs } = options;
    const { alpha } = this.#shape;
    this.pretraining = {
      phases:
        topicEpochs > 0
          ? [
              {
                name: "topics",
                epochs: topicEpochs,
                key: { content: content.digest, topics, alpha, topicEpochs },
                begin: () => {},
                epoch: async ({ number, signal, onProgress }) => {
                  const perWord = await emRound(
                    content.counts,
                    this.#beta,
                    this.#theta,
                    { topics, alpha },
                    {
                      signal,
                      onProgress: (share) => onProgress?.(share, {}),
                    },
                  );
                  return { updates: number, values: { loss: -perWord, perplexity: Math.exp(-perWord) } };
                },
              },
            ]
          : [],
      save: async () => this.#saveTopics(),
      load: (_phase, outcome) => this.#loadTopics(outcome),
      end: async () => {
        this.#pretrains = false;
        this.#smooth();
        this.#write();
        engine.copy(this.#factors.items, this.#thetaTensor);
      },
    };
  }

  #saveTopics(): NamedTensors {
    const { topics } = this.#options;
    return {
      beta: { shape: [this.#beta.length / topics, topics], data: this.#beta.slice() },
      theta: { shape: [this.#theta.length / topics, topics], data: this.#theta.slice() },
    };
  }

  #loadTopics(saved: NamedTensors): void {
    for (const [name, into] of [["beta", this.#beta] as const, ["theta", this.#theta] as const]) {
      const tensor = Object.hasOwn(saved, name) ? saved[name] : undefined;
      if (tensor?.data.length !== into.length)
        throw new UserError({ place: `tensor ${name}`, problem: "is missing or has another size" });
      into.set(tensor.data);
    }
  }

  /** theta ~ theta + s */
  #smooth(): void {
    const { topics, smoothing } = this.#options;
    for (let k = 0; k < this.#theta.length; k++)
      this.#theta[k] = (this.#theta[k] + smoothing) / (1 + topics * smoothing);
  }

  #write(): void {
    this.#engine.write(this.#thetaTensor, this.#theta);
    this.#topics.write(this.#beta);
  }

  async epoch(epoch: Epoch): Promise<EpochReport> {
    const engine = this.#engine;
    const { topics, tolerance, optimiseTheta, lambdaU, a } = this.#options;
    const { clickedItems } = this.#factors;
    const fitted = await this.#factors.sweep(this.#thetaTensor, clickedItems);
    const norm = engine.zeros(1, 1);
    engine.addSumOfSquares(norm, this.#factors.users, lambdaU);
    // C (R - u'v)^2 of every cell, and both L2 penalties.
    const squares = fitted + (await engine.read(norm))[0] + a * this.#dataset.train.indices.length;
    engine.release(norm);
    const V = new Float64Array(await engine.read(this.#factors.items));
    const words = optimiseTheta ? await this.#readDocuments(V, epoch) : 0;
    const clicked = new Set(clickedItems);
    for (let j = 0; j < this.#dataset.items.size; j++)
      if (!clicked.has(j)) V.set(this.#theta.subarray(j * topics, (j + 1) * topics), j * topics);
    await setImmediate();
    engine.write(this.#factors.items, V);
    await this.#factors.renewItemGram();
    this.#write();
    await engine.finished();

    const likelihood = words - squares / 2;
    const change = Math.abs((likelihood - this.#likelihood) / this.#likelihood);
    this.#likelihood = likelihood;
    return {
      updates: epoch.number,
      values: { loss: -likelihood, ratings: squares / 2, words: -words },
      converged: epoch.number >= LEAST_ROUNDS && change < tolerance,
    };
  }

  /** Step 2: theta of every document, then beta. Returns the log-likelihood of the documents of items with interactions. */
  async #readDocuments(V: Float64Array, { signal, onProgress }: Epoch): Promise<number> {
    const { topics, lambdaV } = this.#options;
    const { counts } = this.#content;
    const clicked = new Set(this.#factors.clickedItems);
    const expected = new Float64Array(this.#beta.length).fill(TINY);
    const gamma = new Float64Array(topics);
    const phi = new Float64Array(topics);
    let likelihood = 0;
    const turns = new Turns(signal);
    for (let j = 0; j < counts.rows; j++) {
      const theta = this.#theta.subarray(j * topics, (j + 1) * topics);
      const counted = clicked.has(j);
      gamma.fill(1);
      if (counted) for (const share of theta) likelihood += Math.log(share);
      for (let e = counts.offsets[j]; e < counts.offsets[j + 1]; e++) {
        const at = counts.indices[e] * topics;
        let sum = 0;
        for (let k = 0; k < topics; k++) {
          phi[k] = theta[k] * this.#beta[at + k];
          sum += phi[k];
        }
        if (counted) likelihood += counts.values[e] * Math.log(sum);
        for (let k = 0; k < topics; k++) {
          const share = (counts.values[e] * phi[k]) / sum;
          gamma[k] += share;
          if (counted) expected[at + k] += share;
        }
      }
      if (counted) stepOnSimplex(gamma, V.subarray(j * topics, (j + 1) * topics), lambdaV, theta);
      else setProportions(theta, gamma);
      if (turns.due) {
        onProgress?.((j + 1) / counts.rows, {});
        await turns.yield();
      }
    }
    this.#beta.set(normalisedTopics(expected, topics));
    return likelihood;
  }

  async saveState(): Promise<NamedTensors> {
    const saved = await Promise.all(
      Object.entries(this.#pretrains ? {} : this.#factors.state).map(
        async ([name, tensor]) => [`factors.${name}`, await saveTensor(this.#engine, tensor)] as const,
      ),
    );
    // 0 stands for "no likelihood yet": the logarithm of a probability is always below it.
    const likelihood = Float64Array.of(Number.isNaN(this.#likelihood) ? 0 : this.#likelihood);
    return {
      ...this.#saveTopics(),
      pretrains: { shape: [1], data: Uint32Array.of(this.#pretrains ? 1 : 0) },
      likelihood: { shape: [1], data: likelihood },
      ...Object.fromEntries(saved),
    };
  }

  async loadState(state: NamedTensors): Promise<void> {
    this.#loadTopics(state);
    this.#pretrains = state.pretrains?.data[0] !== 0;
    this.#likelihood = state.likelihood?.data[0] || Number.NaN;
    if (this.#pretrains) return;
    for (const [name, tensor] of Object.entries(this.#factors.state))
      await loadTensor(this.#engine, tensor, `factors.${name}`, state);
    this.#write();
  }

  recommender(): ContentAware {
    const encoder = encoderOf(this.#engine, this.#topics, this.#shape);
    return savedFactorModel(this.#engine, encoder, this.#factors, this.#shape, {
      files: {
        algorithm: ctr.name,
        config: this.#config,
        items: this.#dataset.items,
        content: formOf(this.#content),
      },
      itemRules,
      restore: (grown) => ctr.restore(grown, { engine: this.#engine }),
    });
  }

  dispose(): void {
    this.#topics.release();
    this.#factors.release();
    this.#engine.release(this.#thetaTensor);
  }
}

/** A new item is scored by its topics (Wang and Blei 2011, section 3.2, out-of-matrix prediction). */
const itemRules = ["content", "posterior"] as const;

export const ctr: Algorithm<CtrOptions> = {
  name: "ctr",
  summary:
    "Collaborative topic regression: learns from the topics of items' texts (LDA) and from interactions.",
  source: "Wang, Blei: Collaborative topic modeling for recommending scientific articles, KDD 2011",
  options,

  async fit(dataset, options, run) {
    const { fit } = await import("../../training/fit.js");
    const content = requireContent(dataset, ctr.name, ["words"]);
    // Topics and their expected counts are held in float64.
    const network = numbersIn([declaredTopics(content.words.size, options.topics)]);
    requireContentMemory(ctr.name, dataset, { network, latent: options.topics }, run);
    const trainable = new CtrTraining(dataset, content, options, run);
    const { epochs, patience } = options;
    return fit({ algorithm: ctr, options, dataset, trainable, epochs, patience }, run);
  },

  restore: (files, { engine }) =>
    restoreFactorModel(engine, files, shape, {
      network(given: Shape, form: ContentForm) {
        if (form.kind !== "words")
          throw new UserError({ place: ctr.name, problem: "takes bags of words only" });
        return encoderOf(engine, declaredTopics(form.words.length, given.latent), given);
      },
      itemRules,
      restore: (grown) => ctr.restore(grown, { engine }),
    }),
};
