// Mult-VAE^PR (Liang, Krishnan, Hoffman, Jebara: "Variational autoencoders for collaborative filtering", WWW 2018):
//
//   z_u ~ N(0, I),   x_u ~ Multinomial(n_u, softmax(f(z_u)))                                        (equation 1)
//   q(z_u | x_u) = N(mu(x_u), diag(sigma^2(x_u))),   x_u divided by its L2 norm, then dropout       (section 2.2, 2.4)
//   minimise  -E_q[log p(x_u | z_u)] + beta KL(q(z_u | x_u) || N(0, I))                             (equation 7)
//
// with beta annealed from 0 to a cap (section 2.2.2). A history is scored by f(mu). Settings as in the authors' notebook
// (dawenl/vae_cf, VAE_ML20M_WWW2018.ipynb). As there, the log-variance is not clamped: a clamp would change the gradient
// where it takes effect, and a run that overflows is stopped by the check of its loss.
//
// Options make it the baseline of EVCF (Kim and Suh, RecSys 2019, section 5.2; psywaves/EVCF): gated layers, a Bernoulli likelihood,
// He-normal initial values, a clamped log-variance, KL at one sample, normalised gradients and beta warmed up by epochs. There mean
// and log-variance are two layers; here they are the halves of one, so one norm divides the gradients of both. Other options are
// RecoTour III's: dropout before every layer, and a decoder that does not mirror the encoder.

import { z } from "zod";
import type { ItemSample } from "../../compute/item-selection.js";
import { sum } from "../../compute/objective.js";
import { dropout } from "../../compute/ops/dropout.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { SparseTensor } from "../../compute/tensor.js";
import { type RandomKey, streamOf } from "../../core/philox.js";
import { SparseHiddenLayer } from "../../nn/hidden-layer.js";
import { heNormal, pytorchBias } from "../../nn/initializers.js";
import { SparseLinear } from "../../nn/linear.js";
import { Mlp } from "../../nn/mlp.js";
import { DiagonalNormal } from "../../nn/normal.js";
import { OutputLayer } from "../../nn/output-layer.js";
import { allocated } from "../../nn/parameters.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { OutlineBuilder } from "../../recommender/outline.js";
import type { Prediction } from "../../training/halves.js";
import { sampledNeed } from "../sampled-memory.js";
import {
  averageDecay,
  checkSampledOutput,
  checkSparseAdam,
  depth,
  distillation,
  isSparseAdam,
  layerSizes,
  likelihood,
  published,
  sampledOutput,
  savedConfig,
  size,
  sparseAdam,
  target,
} from "../settings.js";
import { requireNetworkMemory } from "../training-memory.js";
import { linearRange, logRange, oneOf } from "../tuned.js";
import { checkLayerDropout, layerDropout, layerOptions } from "./layer-options.js";
import {
  type BatchLoss,
  type Latent,
  LOG_VARIANCE,
  type Network,
  networkRecommender,
  restoreNetwork,
} from "./network.js";
import { outlineDropout, outlineGaussian, outlineInput, outlineOutput, outlineStack } from "./outline.js";
import { checkScheduler, recoTour } from "./plateau-options.js";
import { trainNetwork } from "./training.js";

const settings = z.strictObject({
  hidden: layerSizes
    .default([600])
    .describe(
      "sizes of the encoder's hidden layers; the decoder mirrors them (Liang et al. 2018, section 4.4)",
    )
    .meta(oneOf([300], [600], [1000])),
  latent: size
    .default(200)
    .describe("dimensions of z (Liang et al. 2018, section 4.4)")
    .meta(logRange(50, 400)),
  layers: depth
    .optional()
    .describe(
      "number of hidden layers in the encoder and in the decoder, all of the one size in hidden (EVCF's num_layers); unset = one per entry of hidden",
    ),
  gated: z
    .boolean()
    .default(false)
    .describe("hidden layers are gated linear units instead of tanh (Kim and Suh 2019, section 4.2)"),
  likelihood,
  ...layerOptions,
  dropout: published.dropout,
  beta: z
    .number()
    .min(0)
    .default(0.2)
    .describe("weight of the KL term after annealing (Liang et al.'s notebook, anneal_cap)")
    .meta(linearRange(0.05, 1)),
  annealSteps: z
    .number()
    .min(0)
    .optional()
    .describe(
      "updates after which an uncapped beta would reach 1: beta in use = min(beta, updates / annealSteps), 200,000 in Liang et al.'s notebook; 0 = no annealing; unset = beta is reached after 85 % of the planned updates, as in the notebook on ML-20M",
    ),
  warmup: z
    .int()
    .min(0)
    .optional()
    .describe(
      "anneal by epoch instead of by update: beta in use = beta * min(1, epoch / warmup) (100 in EVCF's code); epochs of the warm-up do not count towards patience; unset = by update",
    ),
  kl: z
    .enum(["closed-form", "one-sample"])
    .default("closed-form")
    .describe(
      "closed-form = the exact KL term; one-sample = log q(z | x) - log p(z) at the sampled z (EVCF's code)",
    ),
  clampLogVariance: z.boolean().default(false).describe("clamp the log-variance to [-12, 4] (EVCF's code)"),
  initialValues: z
    .enum(["xavier", "he"])
    .default("xavier")
    .describe(
      "xavier = Glorot-uniform weights (Liang et al.'s notebook); he = He-normal weights and PyTorch's default biases (EVCF's code)",
    ),
  normaliseGradients: z
    .boolean()
    .default(false)
    .describe(
      "divide the gradient of every parameter by its norm before the Adam update (EVCF's AdamNormGrad)",
    ),
  learningRate: published.learningRate,
  target,
  ...distillation,
  ...sampledOutput,
  sparseAdam,
  batchSize: published.batchSize,
  epochs: published.epochs,
  averageDecay,
  patience: published.patience,
  ...recoTour,
});
const options = settings
  .refine(({ hidden, layers }) => layers === undefined || hidden.length === 1, {
    path: ["layers"],
    message: "layers repeats the size in hidden, so hidden must have exactly one entry",
  })
  .refine(({ layers, decoderHidden }) => layers === undefined || decoderHidden === undefined, {
    path: ["decoderHidden"],
    message: "layers gives the decoder as many layers as the encoder: list the sizes in hidden instead",
  })
  .refine(({ warmup, annealSteps }) => warmup === undefined || annealSteps === undefined, {
    path: ["warmup"],
    message: "warmup anneals beta by epoch and annealSteps by update: give only one of them",
  })
  .superRefine((given, context) => checkLayerDropout(given, widths(given), decoderWidths(given), context))
  .superRefine(checkScheduler)
  .superRefine(checkSampledOutput)
  .superRefine(checkSparseAdam);
export type MultVaeOptions = z.infer<typeof options>;

/** The options that determine the shape of the network. */
const shape = z.object({
  hidden: settings.shape.hidden,
  layers: settings.shape.layers,
  gated: settings.shape.gated,
  latent: settings.shape.latent,
  decoderHidden: settings.shape.decoderHidden,
});
type Shape = z.infer<typeof shape>;

/** The encoder's hidden layers. */
function widths({ hidden, layers }: Pick<Shape, "hidden" | "layers">): number[] {
  return layers === undefined ? hidden : new Array<number>(layers).fill(hidden[0]);
}

/** The decoder's hidden layers, from z to the output. */
function decoderWidths(given: Pick<Shape, "hidden" | "layers" | "decoderHidden">): number[] {
  return given.decoderHidden ?? widths(given).toReversed();
}

type Key = (name: string) => RandomKey;

class MultVaeNetwork implements Network {
  readonly output: OutputLayer;
  readonly latent: Latent;
  readonly #input: SparseLinear | SparseHiddenLayer;
  readonly #encoder: Mlp;
  readonly #decoder: Mlp;

  constructor(items: number, given: Shape, initialValues: MultVaeOptions["initialValues"] = "xavier") {
    const { latent, gated } = given;
    this.latent = {
      dimensions: latent,
      what: "the mean of q(z | x)",
      mean: (tape, x) => this.posterior(tape, x).mean,
    };
    const hidden = widths(given);
    const he = initialValues === "he";
    const init = he ? { weight: heNormal("rows"), bias: pytorchBias } : {};
    const [first, ...rest] = [...hidden, 2 * latent];
    const decoder = [latent, ...decoderWidths(given)];
    const input = { ...init, name: "encoder.input", inputs: items, outputs: first };
    // Without a hidden layer the input layer is the last one, which is linear.
    this.#input = hidden.length > 0 ? new SparseHiddenLayer({ ...input, gated }) : new SparseLinear(input);
    this.#encoder = new Mlp({
      ...init,
      name: "encoder",
      sizes: [first, ...rest],
      activateLast: false,
      gated,
    });
    this.#decoder = new Mlp({ ...init, name: "decoder", sizes: decoder, activateLast: true, gated });
    this.output = new OutputLayer({
      ...init,
      ...(he && { weight: heNormal("columns") }),
      name: "decoder.output",
      inputs: decoder[decoder.length - 1],
      outputs: items,
    });
  }

  get parameters() {
    return [this.#input, this.#encoder, this.#decoder, this.output].flatMap(({ parameters }) => parameters);
  }

  /** q(z | x): tanh (or gates) on all layers but the last, which holds [mu | log sigma^2]; dropout where it is given. */
  posterior(tape: Tape, histories: SparseTensor, dropped?: Dropped): DiagonalNormal {
    const first = this.#input.forward(tape, histories, { rowScale: "l2", dropout: dropped?.input });
    return DiagonalNormal.fromHalves(tape, this.#encoder.forward(tape, first, dropped?.encoder));
  }

  /** The last hidden layer. */
  decode(tape: Tape, z: Variable, dropped?: Dropped): Variable {
    const hidden = this.#decoder.forward(tape, z, dropped?.decoder);
    // The rate after those of the hidden layers is the output layer's.
    const beforeOutput = dropped?.decoder[this.#decoder.layers.length];
    return beforeOutput ? dropout(tape, hidden, beforeOutput) : hidden;
  }

  activations(tape: Tape, histories: SparseTensor): Variable {
    return this.decode(tape, this.posterior(tape, histories).mean);
  }

  /** The negative ELBO with weight beta on its KL term, summed over the batch's users; with a sample, its sampled softmax. */
  loss(
    tape: Tape,
    { x, target }: Prediction,
    beta: number,
    options: LossOptions,
    key: Key,
    selection?: ItemSample,
  ): BatchLoss {
    const { clampLogVariance, kl: estimate, likelihood } = options;
    const dropped = droppedBy(options, key);
    const encoded = this.posterior(tape, x, dropped);
    const posterior = clampLogVariance ? encoded.clamped(tape, LOG_VARIANCE) : encoded;
    const z = posterior.sample(tape, key("noise"));
    const decoded = this.decode(tape, z, dropped);
    const negativeLogLikelihood = sum(this.output.loss(tape, decoded, target, { likelihood, selection }));
    const kl =
      estimate === "closed-form"
        ? sum(posterior.kl(tape))
        : sum(posterior.logDensity(tape, z)).plus(sum(standard(tape, z).logDensity(tape, z)).times(-1));
    return { loss: negativeLogLikelihood.plus(kl.times(beta)), parts: { kl } };
  }
}

type LossOptions = Pick<
  MultVaeOptions,
  "dropout" | "encoderDropout" | "decoderDropout" | "clampLogVariance" | "kl" | "likelihood"
>;

/** Dropout of an update, by what it is applied to. */
interface Dropped {
  readonly input: { readonly rate: number; readonly key: RandomKey } | undefined;
  /** Of the inputs of the encoder's layers after the first. */
  readonly encoder: ReturnType<typeof layerDropout>;
  /** Of the inputs of the decoder's layers, the output layer's last. */
  readonly decoder: ReturnType<typeof layerDropout>;
}

function droppedBy({ dropout: rate, encoderDropout, decoderDropout }: LossOptions, key: Key): Dropped {
  return {
    input: rate > 0 ? { rate, key: key("dropout") } : undefined,
    encoder: layerDropout("encoder", encoderDropout, key),
    decoder: layerDropout("decoder", decoderDropout, key),
  };
}

const standard = (tape: Tape, z: Variable) => DiagonalNormal.standard(tape, z.value.rows, z.value.columns);

export const multVae: Algorithm<MultVaeOptions> = {
  name: "mult-vae",
  summary: "Variational autoencoder with a multinomial likelihood and an annealed KL term.",
  source: "Liang, Krishnan, Hoffman, Jebara: Variational autoencoders for collaborative filtering, WWW 2018",
  options,
  warmStart: true,
  distills: true,
  blocks: true,

  outline(items, options) {
    const { dropout, encoderDropout = [], decoderDropout = [], gated, latent, likelihood } = options;
    const outline = new OutlineBuilder();
    outlineInput(outline, items, { dropout });
    const encoder = widths(options);
    // The first rate is the second layer's: the input has its own.
    outlineStack(outline, "encoder", encoder, { gated, rates: [0, ...encoderDropout] });
    outlineDropout(outline, "z_dropout", encoderDropout.at(-1));
    outlineGaussian(outline, latent);
    outlineStack(outline, "decoder", decoderWidths(options), { gated, rates: decoderDropout });
    outlineDropout(outline, "output_dropout", decoderDropout.at(-1));
    outlineOutput(outline, items, likelihood);
    return outline.layers;
  },

  async fit(dataset, options, run) {
    const [
      { fit },
      { minimise, updatesPerPass },
      { annealedBeta, warmedUpBeta },
      { plateauOf },
      { negativeSampler },
      { predictionFrom },
    ] = await Promise.all([
      import("../../training/fit.js"),
      import("../../training/minimise.js"),
      import("../../training/annealing.js"),
      import("../../training/plateau.js"),
      import("../../training/negatives.js"),
      import("../../training/distillation.js"),
    ]);
    const { engine, seed } = run;
    const {
      batchSize,
      learningRate,
      epochs,
      patience,
      averageDecay,
      annealSteps,
      warmup,
      normaliseGradients,
    } = options;
    const updatesPerEpoch = updatesPerPass(dataset.train.rows, batchSize);
    const plannedUpdates = epochs * updatesPerEpoch;
    const beta =
      warmup === undefined
        ? annealedBeta({ cap: options.beta, annealSteps, plannedUpdates })
        : warmedUpBeta({ cap: options.beta, warmup, updatesPerEpoch });
    // A teacher is in memory only before the network is.
    const predict = await predictionFrom(dataset.train, options, run);
    const network = new MultVaeNetwork(dataset.items.size, options, options.initialValues);
    requireNetworkMemory(
      {
        algorithm: multVae.name,
        items: dataset.items.size,
        parameters: network.parameters,
        batchSize,
        averageDecay,
        sampled: sampledNeed(dataset.train, options),
        smaller: "smaller layers (--set hidden=200 --set latent=100)",
      },
      run,
    );
    await allocated(network, run);
    const sample = negativeSampler(dataset.train, options, seed);
    const trainable = trainNetwork({
      engine,
      communicator: run.communicator,
      network,
      algorithm: multVae.name,
      config: savedConfig(shape, options),
      items: dataset.items,
      histories: dataset.train,
      batchSize,
      learningRate,
      adam: { normaliseGradients, weightDecay: options.weightDecay, sparse: isSparseAdam(options) },
      plateau: plateauOf(options),
      parts: ["kl"],
      loss(tape, batch, update, rows) {
        const prediction = predict(tape, batch, update, rows);
        return network.loss(
          tape,
          prediction,
          beta(update - 1),
          options,
          (name) => ({ seed, step: update, stream: streamOf(name) }),
          sample?.(prediction.target.touched, update),
        );
      },
      report: (updates) => ({ beta: beta(updates - 1) }),
      minimise,
    });
    const patienceHeldUntil = Math.max(0, (warmup ?? 0) - 1);
    return fit(
      { algorithm: multVae, options, dataset, trainable, epochs, patience, averageDecay, patienceHeldUntil },
      run,
    );
  },

  async restore(files, { engine }) {
    const network = await restoreNetwork(
      engine,
      shape,
      files,
      (given) => new MultVaeNetwork(files.items.size, given),
    );
    return networkRecommender(engine, network, files, { final: true });
  },
};
