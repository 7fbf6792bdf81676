// RecVAE (Shenbin, Alekseev, Tutubalina, Malykh, Nikolenko: "RecVAE: a new variational autoencoder for top-N recommendations
// with implicit feedback", WSDM 2020), after the authors' code (ilya-shenbin/RecVAE, model.py and run.py):
//
//   h_1 = LN(swish(W_1 x~)),   h_k = LN(swish(W_k h_(k-1) + h_1 + ... + h_(k-1))),   x~ = dropout(x / ||x||)     (section 3.2)
//   q(z | x) = N(mu(h_n), diag(sigma^2(h_n))),   p(x | z) = Multinomial(softmax(W z + b))
//   p(z | x) = product over the coordinates of 3/20 N(0, 1) + 3/4 q_old(z | x) + 1/10 N(0, e^10)                 (section 3.3)
//   minimise  -log p(x | z) + gamma n_u (log q(z | x) - log p(z | x)),   n_u = items of the target, one z ~ q    (section 3.4)
//
// Every epoch trains the encoder (on histories with dropout), copies it to q_old, and trains the decoder (on complete histories),
// each with its own Adam (section 3.5). A history is scored by the decoder at mu. Before the first copy, q_old is an encoder with
// different initial values. As published: initial values are PyTorch's defaults, LayerNorm's epsilon is 0.1, the log-variance is
// not clamped. The KL term does not depend on the decoder, so the decoder passes leave it out. With `implicitSlim`, W_1 and W are
// replaced by ImplicitSLIM's closed form before every n-th epoch (implicit-slim.ts).

import { z } from "zod";
import type { CompositeMixture, Engine } from "../../compute/engine.js";
import type { ItemSample } from "../../compute/item-selection.js";
import { readAll, type StoredTensors } from "../../compute/named-tensors.js";
import { sum } from "../../compute/objective.js";
import { product } from "../../compute/ops/arithmetic.js";
import { compositeKl } from "../../compute/ops/composite-kl.js";
import { rowSums } from "../../compute/ops/row-sums.js";
import { Adam } from "../../compute/optimizers.js";
import { loadParameters, type Parameter, pendingParameters } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { NamedTensors, SparseTensor } from "../../compute/tensor.js";
import { permutation, type RandomKey, streamOf } from "../../core/philox.js";
import type { Dataset } from "../../data/dataset.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import { torchLinear } from "../../nn/initializers.js";
import { Linear, SparseLinear } from "../../nn/linear.js";
import { DiagonalNormal } from "../../nn/normal.js";
import { OutputLayer } from "../../nn/output-layer.js";
import { allocated, numbersIn, release } from "../../nn/parameters.js";
import { ResidualStack } from "../../nn/residual-stack.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { OutlineBuilder } from "../../recommender/outline.js";
import type { ModelFiles } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { startFrom } from "../../recommender/warm-start.js";
import type { Predict, Prediction } from "../../training/halves.js";
import type { Minimisation, PassReport } from "../../training/minimise.js";
import type { NegativeSampler } from "../../training/negatives.js";
import type { Epoch, EpochReport, Trainable } from "../../training/trainable.js";
import { sampledNeed } from "../sampled-memory.js";
import {
  averageDecay,
  checkSampledOutput,
  depth,
  distillation,
  isSparseAdam,
  published,
  sampledOutput,
  savedConfig,
  size,
  sparseAdam,
  target,
} from "../settings.js";
import { requireNetworkMemory } from "../training-memory.js";
import { logRange, oneOf } from "../tuned.js";
import { implicitSlimOf, implicitSlimOptions, numbersOfImplicitSlim } from "./implicit-slim.js";
import { type BatchLoss, type Network, networkRecommender, restoreNetwork } from "./network.js";
import { outlineGaussian, outlineInput, outlineOutput } from "./outline.js";

const settings = z.strictObject({
  hidden: size
    .default(600)
    .describe("width of the encoder's hidden layers (the authors' code)")
    .meta(oneOf(300, 600)),
  layers: depth.default(5).describe("number of hidden layers of the encoder (Shenbin et al. 2020, figure 2)"),
  latent: size
    .default(200)
    .describe("dimensions of z (Shenbin et al. 2020, section 4.3)")
    .meta(logRange(64, 400)),
  dropout: published.dropout.describe(
    "dropout rate of a history in the encoder passes; the decoder passes use complete histories (Shenbin et al. 2020, section 3.5)",
  ),
  gamma: z
    .number()
    .min(0)
    .default(0.005)
    .describe(
      "weight of the KL term per item of a user's history (the authors' code on ML-20M; 0.0035 on Netflix, 0.01 on MSD)",
    )
    .meta(logRange(1e-3, 0.05)),
  mixture: z
    .array(z.number().min(0))
    .length(3)
    .refine((weights) => Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-6, {
      message: "the weights must add up to 1",
    })
    .default([3 / 20, 3 / 4, 1 / 10])
    .describe(
      "weights of the three components of the prior, which add up to 1: N(0, 1), the posterior of the previous epoch, and the wide N(0, e^10) (the authors' code)",
    ),
  encoderPasses: size.default(3).describe("encoder passes per epoch (the authors' code, n-enc_epochs)"),
  decoderPasses: size.default(1).describe("decoder passes per epoch (the authors' code, n-dec_epochs)"),
  learningRate: published.learningRate
    .default(5e-4)
    .describe("learning rate of both Adam optimisers (Shenbin et al. 2020, section 4.3)"),
  target,
  ...distillation,
  ...implicitSlimOptions,
  ...sampledOutput,
  sparseAdam,
  batchSize: published.batchSize.describe("users per update (Shenbin et al. 2020, section 4.3)"),
  epochs: published.epochs
    .default(50)
    .describe("rounds of encoder and decoder passes (the authors' code on ML-20M and Netflix)"),
  averageDecay,
  patience: published.patience,
});
const options = settings.superRefine(checkSampledOutput);
export type RecVaeOptions = z.infer<typeof options>;

/** The options that determine the shape of the network. */
const shape = z.object({ hidden: settings.shape.hidden, layers: settings.shape.layers, latent: size });
type Shape = z.infer<typeof shape>;

const LAYER_NORM_EPSILON = 0.1;
const BROAD_LOG_VARIANCE = 10;

/** Initial values of a linear layer: PyTorch's defaults. */
const initial = (fanIn: number) => ({ weight: torchLinear(fanIn), bias: torchLinear(fanIn) });

class Encoder {
  readonly #first: SparseLinear;
  readonly #stack: ResidualStack;
  readonly #posterior: Linear;

  constructor(name: string, items: number, { hidden, layers, latent }: Shape) {
    const inner = initial(hidden);
    this.#first = new SparseLinear({
      ...{ ...initial(items), name: `${name}.1` },
      ...{ inputs: items, outputs: hidden },
    });
    this.#stack = new ResidualStack({ ...inner, name, width: hidden, layers, epsilon: LAYER_NORM_EPSILON });
    this.#posterior = new Linear({
      ...{ ...inner, name: `${name}.posterior` },
      ...{ inputs: hidden, outputs: 2 * latent },
    });
  }

  /** W_1 [items, hidden] */
  get itemWeights(): Parameter {
    return this.#first.weight;
  }

  get parameters(): readonly Parameter[] {
    return [this.#first, this.#stack, this.#posterior].flatMap(({ parameters }) => parameters);
  }

  /** q(z | x) */
  posterior(tape: Tape, histories: SparseTensor, dropout?: { rate: number; key: RandomKey }): DiagonalNormal {
    const first = this.#first.forward(tape, histories, { rowScale: "l2", dropout });
    return DiagonalNormal.fromHalves(tape, this.#posterior.forward(tape, this.#stack.forward(tape, first)));
  }
}

class RecVaeNetwork implements Network {
  readonly encoder: Encoder;
  /** The decoder: one linear layer. */
  readonly output: OutputLayer;

  constructor(items: number, shape: Shape) {
    const { latent } = shape;
    this.encoder = new Encoder("encoder", items, shape);
    this.output = new OutputLayer({ ...initial(latent), name: "decoder", inputs: latent, outputs: items });
  }

  get parameters() {
    return [...this.encoder.parameters, ...this.output.parameters];
  }

  activations(tape: Tape, histories: SparseTensor): Variable {
    return this.encoder.posterior(tape, histories).mean;
  }
}

type Half = "encoder" | "decoder";
type Key = (name: string) => RandomKey;

class RecVaeTraining {
  readonly network: RecVaeNetwork;
  /** The encoder of q_old. */
  readonly former: Encoder;
  readonly #engine: Engine;
  readonly #options: RecVaeOptions;
  readonly #mixture: CompositeMixture;
  readonly adams: Readonly<Record<Half, Adam>>;

  constructor(engine: Engine, items: number, options: RecVaeOptions) {
    this.#engine = engine;
    this.#options = options;
    const [standard, former, broad] = options.mixture;
    this.#mixture = { standard, former, broad, broadLogVariance: BROAD_LOG_VARIANCE };
    this.network = new RecVaeNetwork(items, options);
    this.former = new Encoder("former", items, options);
    for (const parameter of this.former.parameters) parameter.needsGradient = false;
    const { learningRate } = options;
    const sparse = isSparseAdam(options);
    this.adams = {
      encoder: new Adam(engine, this.network.encoder.parameters, { learningRate, sparse }),
      decoder: new Adam(engine, this.network.output.parameters, { learningRate, sparse }),
    };
  }

  /** From now on only this half gets gradients. */
  train(half: Half): void {
    const { encoder, output } = this.network;
    for (const parameter of encoder.parameters) parameter.needsGradient = half === "encoder";
    for (const parameter of output.parameters) parameter.needsGradient = half === "decoder";
  }

  /** Copies the current encoder to q_old. */
  updatePrior(): void {
    const { parameters } = this.network.encoder;
    this.former.parameters.forEach((parameter, i) => {
      this.#engine.copy(parameter.value, parameters[i].value);
      parameter.changed();
    });
  }

  /** -log p(x | z) + gamma n_u KL for the encoder, -log p(x | z) for the decoder: sums over the batch's users. */
  loss(tape: Tape, { x, target }: Prediction, half: Half, key: Key, selection?: ItemSample): BatchLoss {
    const { dropout: rate, gamma } = this.#options;
    const { encoder, output } = this.network;
    const dropout = half === "encoder" && rate > 0 ? { rate, key: key("dropout") } : undefined;
    const posterior = encoder.posterior(tape, x, dropout);
    const z = posterior.sample(tape, key("noise"));
    const negativeLogLikelihood = sum(output.loss(tape, z, target, { selection }));
    if (half === "decoder") return { loss: negativeLogLikelihood };
    const old = this.former.posterior(tape, x);
    const former = { mean: old.mean.value, logVariance: old.logVariance.value };
    const kl = compositeKl(tape, z, posterior, former, this.#mixture);
    const weighted = sum(product(tape, kl, rowSums(tape, target))).times(gamma);
    return { loss: negativeLogLikelihood.plus(weighted), parts: { kl: sum(kl) } };
  }

  pendingState(): StoredTensors {
    return {
      ...pendingParameters(this.parameters),
      ...renamed(this.adams.encoder.pending(), UPDATES, `encoder.${UPDATES}`),
      ...renamed(this.adams.decoder.pending(), UPDATES, `decoder.${UPDATES}`),
    };
  }

  async loadState(state: NamedTensors): Promise<void> {
    await loadParameters(this.parameters, state);
    for (const half of ["encoder", "decoder"] as const)
      await this.adams[half].load(renamed(state, `${half}.${UPDATES}`, UPDATES));
  }

  /** Sets q_old to the saved encoder: the posterior of the run that training starts from. */
  async startFrom(items: Vocabulary, files: ModelFiles): Promise<void> {
    await startFrom(this.network.parameters, recVae.name, items, files);
    this.updatePrior();
  }

  get parameters(): readonly Parameter[] {
    return [...this.network.parameters, ...this.former.parameters];
  }

  dispose(): void {
    release(this.parameters);
  }
}

/** The name under which Adam saves its number of updates; there are two of them here. */
const UPDATES = "adam.updates";

function renamed<Tensors extends StoredTensors>(state: Tensors, from: string, to: string): Tensors {
  return Object.fromEntries(
    Object.entries(state).map(([name, tensor]) => [name === from ? to : name, tensor]),
  ) as Tensors;
}

/** What the passes of an epoch need from the training code. */
interface RecVaePasses {
  readonly minimise: (pass: Minimisation) => Promise<PassReport>;
  readonly sample: NegativeSampler | undefined;
  readonly predict: Predict;
}

/** One epoch: the encoder passes, a new prior, the decoder passes; each pass takes all users in its own random order. */
async function trainable(
  dataset: Dataset,
  options: RecVaeOptions,
  run: RunContext,
  { minimise, sample, predict }: RecVaePasses,
): Promise<Trainable> {
  const { engine, communicator, seed } = run;
  const { encoderPasses, decoderPasses, batchSize } = options;
  const items = dataset.items.size;
  const training = new RecVaeTraining(engine, items, options);
  const { encoder, output } = training.network;
  const itemWeights = [encoder.itemWeights, output.weight];
  const embed = await implicitSlimOf(dataset.train, itemWeights, options, run);
  requireNetworkMemory(
    {
      ...{ algorithm: recVae.name, items, batchSize, parameters: training.network.parameters },
      averageDecay: options.averageDecay,
      fixed: numbersIn(training.former.parameters),
      sampled: sampledNeed(dataset.train, options),
      betweenUpdates: embed ? numbersOfImplicitSlim(itemWeights, run) : 0,
      smaller: "smaller layers (--set hidden=300 --set latent=100)",
    },
    run,
  );
  await allocated(training, run);
  const config = savedConfig(shape, options);
  const passes = encoderPasses + decoderPasses;

  async function epoch(whole: Epoch): Promise<EpochReport> {
    let { updates } = whole;
    let values: Record<string, number> = {};
    await embed?.(whole);
    for (let pass = 0; pass < passes; pass++) {
      const half = pass < encoderPasses ? "encoder" : "decoder";
      if (pass === encoderPasses) training.updatePrior();
      training.train(half);
      const stream = streamOf(`order of users, pass ${pass}`);
      const order = pass === 0 ? whole.order : permutation(seed, whole.number, stream, dataset.train.rows);
      const told = values;
      const report = await minimise({
        ...{ engine, communicator, optimizer: training.adams[half] },
        histories: dataset.train,
        division: run.division,
        batchSize,
        epoch: {
          ...whole,
          order,
          updates,
          onProgress: (share, now) =>
            whole.onProgress?.((pass + share) / passes, half === "encoder" ? now : told),
        },
        reports: half === "encoder" ? ["loss", "kl"] : ["loss"],
        loss(tape, batch, update, rows) {
          const prediction = predict(tape, batch, update, rows);
          return training.loss(
            tape,
            prediction,
            half,
            (name) => ({ seed, step: update, stream: streamOf(name) }),
            sample?.(prediction.target.touched, update),
          );
        },
      });
      updates = report.updates;
      values = half === "encoder" ? report.means : { ...values, reconstruction: report.means.loss };
    }
    return { updates, values };
  }

  return {
    parameters: training.network.parameters,
    saveState: () => readAll(training.pendingState()),
    pendingState: () => training.pendingState(),
    loadState: (state) => training.loadState(state),
    startFrom: (files) => training.startFrom(dataset.items, files),
    epoch,
    recommender: () =>
      networkRecommender(engine, training.network, { algorithm: recVae.name, config, items: dataset.items }),
    dispose: () => training.dispose(),
  };
}

export const recVae: Algorithm<RecVaeOptions> = {
  name: "rec-vae",
  summary:
    "Variational autoencoder with a deep encoder, a composite prior, and alternating updates of encoder and decoder.",
  source:
    "Shenbin, Alekseev, Tutubalina, Malykh, Nikolenko: RecVAE: a new variational autoencoder for top-N recommendations with implicit feedback, WSDM 2020",
  options,
  warmStart: true,
  distills: true,
  blocks: true,

  outline(items, { hidden, layers, latent, dropout }) {
    const outline = new OutlineBuilder();
    const x = outlineInput(outline, items, { dropout });
    const names: string[] = [];
    for (let layer = 0; layer < layers; layer++) {
      // W, b, and LayerNorm's scale and shift; the earlier layers' outputs are added before swish.
      const inputs = layer === 0 ? items : hidden;
      names.push(
        outline.add(`encoder_${layer}`, "Dense, swish, norm", {
          ...{ from: layer === 0 ? [x] : [...names].reverse(), output: hidden },
          parameters: inputs * hidden + 3 * hidden,
        }),
      );
    }
    outlineGaussian(outline, latent);
    outlineOutput(outline, items);
    return outline.layers;
  },

  async fit(dataset, options, run) {
    const [{ fit }, { minimise }, { negativeSampler }, { predictionFrom }] = await Promise.all([
      import("../../training/fit.js"),
      import("../../training/minimise.js"),
      import("../../training/negatives.js"),
      import("../../training/distillation.js"),
    ]);
    const { epochs, patience, averageDecay } = options;
    const sample = negativeSampler(dataset.train, options, run.seed);
    const predict = await predictionFrom(dataset.train, options, run);
    return fit(
      {
        algorithm: recVae,
        options,
        dataset,
        trainable: await trainable(dataset, options, run, { minimise, sample, predict }),
        epochs,
        patience,
        averageDecay,
      },
      run,
    );
  },

  async restore(files, { engine }) {
    const network = await restoreNetwork(
      engine,
      shape,
      files,
      (given) => new RecVaeNetwork(files.items.size, given),
    );
    return networkRecommender(engine, network, files, { final: true });
  },
};
