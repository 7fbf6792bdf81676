// Shared code of the EVCF models (Kim and Suh: "Enhancing VAEs for collaborative filtering: flexible priors and gating
// mechanisms", RecSys 2019; psywaves/EVCF): options, the encoder of histories and pseudo-inputs, initial values, and
// training. Beta is annealed by epoch, gradients are normalised per tensor, the KL term is estimated at one sample.

import { z } from "zod";
import type { ItemSample } from "../../compute/item-selection.js";
import type { Objective } from "../../compute/objective.js";
import type { Parameter } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { SparseTensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import { permutation, type RandomKey, streamOf } from "../../core/philox.js";
import type { Dataset } from "../../data/dataset.js";
import { SparseHiddenLayer } from "../../nn/hidden-layer.js";
import { heNormal, type Initializer, normal, pytorchBias } from "../../nn/initializers.js";
import { Linear } from "../../nn/linear.js";
import { Mlp } from "../../nn/mlp.js";
import { DiagonalNormal } from "../../nn/normal.js";
import { OutputLayer } from "../../nn/output-layer.js";
import { allocated } from "../../nn/parameters.js";
import { PseudoInputs, type PseudoInputsOptions } from "../../nn/vamp-prior.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import type { NetworkOutline } from "../../recommender/outline.js";
import type { Recommender } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { type CsrMatrix, rowIndices } from "../../sparse/csr.js";
import type { Prediction } from "../../training/halves.js";
import type { NegativeOptions } from "../../training/negatives.js";
import { averageDecay, depth, savedConfig, size, target } from "../settings.js";
import { requireNetworkMemory } from "../training-memory.js";
import { linearRange, logRange, oneOf } from "../tuned.js";
import { type BatchLoss, LOG_VARIANCE, type Network, networkRecommender, restoreNetwork } from "./network.js";
import { trainNetwork } from "./training.js";

/** Options that Vamp and H+Vamp share, with the defaults of EVCF's code (experiment.py); only `likelihood` has another. */
export const evcfOptions = {
  hidden: size.default(600).describe("units of every hidden layer (EVCF, section 5.3)"),
  layers: depth
    .default(1)
    .describe(
      "number of hidden layers of each network, n; 1 and 2 in EVCF's table 2, whose footnote 3 says that more gave no gain (EVCF's num_layers)",
    ),
  gated: z
    .boolean()
    .default(false)
    .describe("hidden layers are gated linear units instead of tanh (EVCF, section 4.2)"),
  likelihood: z
    .enum(["multinomial", "bernoulli"])
    .default("multinomial")
    .describe(
      "likelihood of a history given z; the paper uses the better one for each model and data set (EVCF, section 5.2; EVCF's input_type, whose default is binary, the Bernoulli likelihood)",
    ),
  pseudoInputs: size
    .default(1000)
    .describe("K, the number of components of the prior (EVCF, section 5.2)")
    .meta(oneOf(100, 200, 500, 1000)),
  pseudoInit: z
    .enum(["noise", "training-rows"])
    .default("noise")
    .describe(
      "initial pseudo-inputs: noise = N(0.05, 0.01^2); training-rows = K training histories plus N(0, 0.01^2) (EVCF's use_training_data_init)",
    ),
  l2NormalisePseudoInputs: z
    .boolean()
    .optional()
    .describe(
      "divide pseudo-inputs by their L2 norm before dropout, like histories; unset = false (EVCF's code, in which their norm is many times that of a history)",
    ),
  target,
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0.5)
    .describe("dropout rate of histories and pseudo-inputs in training (EVCF's code)")
    .meta(linearRange(0.1, 0.8)),
  beta: z
    .number()
    .min(0)
    .default(1)
    .describe("weight of the KL term after the warm-up (EVCF's max_beta)")
    .meta(linearRange(0.05, 1)),
  warmup: z
    .int()
    .min(0)
    .default(100)
    .describe(
      "epochs over which beta is annealed: beta in use = beta * min(1, epoch / warmup) (EVCF's code); 0 = none",
    )
    .meta(oneOf(10, 30, 60, 100)),
  learningRate: z
    .number()
    .positive()
    .default(5e-4)
    .describe("Adam's learning rate, for gradients divided by their norm (EVCF's code)")
    .meta(logRange(2e-4, 4e-3)),
  batchSize: size.default(200).describe("users per update (EVCF's code)"),
  epochs: size.default(400).describe("maximum number of passes over the training users (EVCF's code)"),
  averageDecay,
  patience: size
    .default(51)
    .describe(
      "stop after this many epochs without a better validation NDCG@100, not counting the warm-up (EVCF stops after more than 50)",
    ),
};
const evcfSchema = z.object(evcfOptions);
type EvcfOptions = z.infer<typeof evcfSchema> & NegativeOptions;

/** The shared options that determine the shape of a network. */
export const evcfShape = {
  hidden: evcfOptions.hidden,
  layers: evcfOptions.layers,
  gated: evcfOptions.gated,
  pseudoInputs: evcfOptions.pseudoInputs,
};
export type EvcfShape = Pick<EvcfOptions, keyof typeof evcfShape>;

/** Initial values of every layer except the output, whose weights are item-major: He-normal weights, PyTorch's biases. */
export const layerStart = { weight: heNormal("rows"), bias: pytorchBias };
const outputStart = { weight: heNormal("columns"), bias: pytorchBias };

/** How the pseudo-inputs of a new network are initialised and used; not needed for a saved network. */
export type PseudoInputStart = Pick<PseudoInputsOptions, "initial" | "l2Normalise">;

function pseudoInputStart(
  { pseudoInit, l2NormalisePseudoInputs: l2Normalise = false }: EvcfOptions,
  histories: CsrMatrix,
): PseudoInputStart {
  return { initial: pseudoInit === "noise" ? normal(0.01, 0.05) : noisyRows(histories), l2Normalise };
}

/** Distinct random histories as dense 0/1 rows plus N(0, .01^2). */
function noisyRows(histories: CsrMatrix): Initializer {
  return (rows, columns, key, inputs) => {
    const noise = normal(0.01)(rows, columns, key, inputs);
    const chosen = permutation(key.seed, 0, streamOf("pseudo-inputs"), histories.rows);
    return (out, first) => {
      noise(out, first);
      const last = Math.ceil((first + out.length) / columns);
      for (let r = Math.floor(first / columns); r < last; r++)
        for (const item of rowIndices(histories, chosen[r])) {
          const at = r * columns + item - first;
          if (at >= 0 && at < out.length) out[at] += 1;
        }
    };
  };
}

/** Throws UserError when there are fewer training histories than pseudo-inputs. */
function requireEnoughUsers(
  { pseudoInputs, pseudoInit }: Pick<EvcfOptions, "pseudoInputs" | "pseudoInit">,
  dataset: Dataset,
): void {
  const users = dataset.train.rows;
  if (pseudoInit === "training-rows" && pseudoInputs > users)
    throw new UserError({
      place: "pseudoInputs",
      problem: `${pseudoInputs} pseudo-inputs cannot be initialised from the histories of ${users} training users`,
      expected: `at most ${users} with pseudoInit=training-rows`,
      remedy: "Use fewer pseudo-inputs, or pseudoInit=noise",
    });
}

/** The heads of a Gaussian: mean h W + b, log-variance h V + c clamped to [-12, 4]; neither is ever gated. */
export class GaussianHeads {
  readonly #mean: Linear;
  readonly #logVariance: Linear;

  constructor(name: string, inputs: number, outputs: number) {
    this.#mean = new Linear({ ...layerStart, name: `${name}.mean`, inputs, outputs });
    this.#logVariance = new Linear({ ...layerStart, name: `${name}.logVariance`, inputs, outputs });
  }

  get parameters(): readonly Parameter[] {
    return [...this.#mean.parameters, ...this.#logVariance.parameters];
  }

  forward(tape: Tape, h: Variable): DiagonalNormal {
    const heads = new DiagonalNormal(this.#mean.forward(tape, h), this.#logVariance.forward(tape, h));
    return heads.clamped(tape, LOG_VARIANCE);
  }
}

/** q(z | x): dropout, n hidden layers, two heads. Histories are divided by their L2 norm, pseudo-inputs are not. */
export class HistoryEncoder {
  readonly #input: SparseHiddenLayer;
  readonly #inner: Mlp;
  readonly #heads: GaussianHeads;

  constructor(
    name: string,
    { items, latent, hidden, layers, gated }: EvcfShape & { items: number; latent: number },
  ) {
    const sizes = new Array<number>(layers).fill(hidden);
    const input = { ...layerStart, name: `${name}.input`, inputs: items, outputs: hidden, gated };
    this.#input = new SparseHiddenLayer(input);
    this.#inner = new Mlp({ ...layerStart, name, sizes, activateLast: true, gated });
    this.#heads = new GaussianHeads(name, hidden, latent);
  }

  get parameters(): readonly Parameter[] {
    return [this.#input, this.#inner, this.#heads].flatMap(({ parameters }) => parameters);
  }

  forward(tape: Tape, histories: SparseTensor, dropped?: Dropped): DiagonalNormal {
    const h = this.#input.forward(tape, histories, { rowScale: "l2", dropout: dropped });
    return this.#heads.forward(tape, this.#inner.forward(tape, h));
  }

  /** Encodes pseudo-inputs u [K, items], to which normalisation and dropout have already been applied where wanted. */
  forwardPseudoInputs(tape: Tape, u: Variable): DiagonalNormal {
    const h = this.#input.forwardDense(tape, u);
    return this.#heads.forward(tape, this.#inner.forward(tape, h));
  }
}

type Dropped = { readonly rate: number; readonly key: RandomKey };

/** The output layer "decoder.output", on top of the last hidden layer. */
export function outputLayer(items: number, { hidden }: EvcfShape): OutputLayer {
  return new OutputLayer({ ...outputStart, name: "decoder.output", inputs: hidden, outputs: items });
}

/** The pseudo-inputs of a new network, or of a network whose values are loaded. */
export function pseudoInputs(
  items: number,
  { pseudoInputs: count }: EvcfShape,
  start: PseudoInputStart = { l2Normalise: false },
): PseudoInputs {
  return new PseudoInputs({ ...start, count, items });
}

/** The terms of a batch's loss: log densities at the samples, each [rows, 1]. */
export interface Terms {
  /** Summed over the users: -log p(x | z). */
  readonly negativeLogLikelihood: Objective;
  /** Summed over the users: log q - log p at the sample of z, which may be negative. */
  readonly kl: Objective;
}

export interface EvcfNetwork extends Network {
  terms(
    tape: Tape,
    prediction: Prediction,
    rate: number,
    key: (name: string) => RandomKey,
    selection?: ItemSample,
  ): Terms;
}

/** Dropout at a rate; undefined for rate 0. */
export function droppedAt(rate: number, key: RandomKey): Dropped | undefined {
  return rate > 0 ? { rate, key } : undefined;
}

/** Minimises -log p(x | z) + beta KL, beta warmed up by epochs, gradients normalised. */
async function fitEvcf<Options extends EvcfOptions>(
  algorithm: Algorithm<Options>,
  shape: z.ZodType<EvcfShape>,
  dataset: Dataset,
  options: Options,
  run: RunContext,
  network: EvcfNetwork,
): Promise<Recommender> {
  const [{ fit }, { minimise, updatesPerPass }, { warmedUpBeta }, { negativeSampler }, { predictionOf }] =
    await Promise.all([
      import("../../training/fit.js"),
      import("../../training/minimise.js"),
      import("../../training/annealing.js"),
      import("../../training/negatives.js"),
      import("../../training/halves.js"),
    ]);
  const { engine, seed } = run;
  const { batchSize, learningRate, epochs, patience, averageDecay, warmup, dropout: rate } = options;
  if (run.division && options.l2NormalisePseudoInputs)
    throw new UserError({
      place: "l2NormalisePseudoInputs",
      problem: "is not supported for items in blocks: it needs the norms of whole pseudo-inputs",
      expected: "false, or a run without --blocks and MPI",
    });
  requireNetworkMemory(
    {
      ...{ algorithm: algorithm.name, items: dataset.items.size, batchSize, parameters: network.parameters },
      averageDecay,
      // The clamped and dropped-out pseudo-inputs, and their gradient.
      perStep: 2 * options.pseudoInputs * dataset.items.size,
      smaller: "fewer pseudo-inputs or smaller layers (--set pseudoInputs=200 --set hidden=300)",
    },
    run,
  );
  const updatesPerEpoch = updatesPerPass(dataset.train.rows, batchSize);
  const beta = warmedUpBeta({ cap: options.beta, warmup, updatesPerEpoch });
  await allocated(network, run);
  const sample = negativeSampler(dataset.train, options, seed);
  const predict = predictionOf(dataset.train, options, run);
  const trainable = trainNetwork({
    engine,
    communicator: run.communicator,
    network,
    algorithm: algorithm.name,
    config: savedConfig(shape, options),
    items: dataset.items,
    histories: dataset.train,
    batchSize,
    learningRate,
    adam: { normaliseGradients: true },
    parts: ["kl"],
    loss(tape, batch, update, rows): BatchLoss {
      const key = (name: string) => ({ seed, step: update, stream: streamOf(name) });
      const prediction = predict(tape, batch, update, rows);
      const selection = sample?.(prediction.target.touched, update);
      const { negativeLogLikelihood, kl } = network.terms(tape, prediction, rate, key, selection);
      return { loss: negativeLogLikelihood.plus(kl.times(beta(update - 1))), parts: { kl } };
    },
    report: (updates) => ({ beta: beta(updates - 1) }),
    minimise,
  });
  // EVCF resets its counter of epochs without improvement while epoch < warmup.
  const patienceHeldUntil = Math.max(0, warmup - 1);
  return fit(
    { algorithm, options, dataset, trainable, epochs, patience, averageDecay, patienceHeldUntil },
    run,
  );
}

/** Settings of a network that only training needs. */
export interface EvcfTraining {
  readonly likelihood: EvcfOptions["likelihood"];
  readonly pseudoInputStart: PseudoInputStart;
}

/** What differs between the models of the family. */
export interface EvcfModel<Options, Shape> {
  readonly name: string;
  readonly summary: string;
  readonly options: z.ZodType<Options>;
  /** The options that determine the shape of the network. */
  readonly shape: z.ZodType<Shape>;
  readonly outline: (items: number, options: Options) => NetworkOutline;
  /** `training` is what a new network has, and one whose values are loaded has not. */
  readonly Network: new (
    items: number,
    given: Shape,
    training?: EvcfTraining,
  ) => EvcfNetwork;
}

/** A saved model holds all weights, including those of the prior, which scoring does not need: training may start from them. */
export function evcfAlgorithm<Shape extends EvcfShape, Options extends EvcfOptions & Shape>(
  model: EvcfModel<Options, Shape>,
): Algorithm<Options> {
  const { name, summary, options, shape, outline, Network } = model;
  const algorithm: Algorithm<Options> = {
    name,
    summary,
    source:
      "Kim, Suh: Enhancing VAEs for collaborative filtering: flexible priors & gating mechanisms, RecSys 2019",
    options,
    warmStart: true,
    blocks: true,
    outline,

    async fit(dataset, options, run) {
      requireEnoughUsers(options, dataset);
      const network = new Network(dataset.items.size, options, {
        likelihood: options.likelihood,
        pseudoInputStart: pseudoInputStart(options, dataset.train),
      });
      return fitEvcf(algorithm, shape, dataset, options, run, network);
    },

    async restore(files, { engine }) {
      const declare = (given: Shape) => new Network(files.items.size, given);
      const network = await restoreNetwork(engine, shape, files, declare);
      return networkRecommender(engine, network, files, { final: true });
    },
  };
  return algorithm;
}
