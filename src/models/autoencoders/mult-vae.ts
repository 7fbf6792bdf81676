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
// Options make it the baseline of EVCF, Vamp's table (Kim and Suh, RecSys 2019; psywaves/EVCF): gated layers, He-normal initial
// values, a clamped log-variance, a one-sample KL, normalised gradients and a warm-up of beta by epochs. EVCF has separate
// layers for mean and log-variance; here they are the halves of one, so one norm divides the gradients of both.

import { z } from "zod";
import { sum } from "../../compute/objective.js";
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
import { checkSparseAdam, depth, layerSizes, published, savedConfig, size, sparseAdam } from "../settings.js";
import { requireNetworkMemory } from "../training-memory.js";
import {
  type BatchLoss,
  type Latent,
  LOG_VARIANCE,
  type Network,
  networkRecommender,
  restoreNetwork,
} from "./network.js";
import { checkScheduler, recoTour } from "./plateau-options.js";
import { trainNetwork } from "./training.js";

const settings = z.strictObject({
  hidden: layerSizes
    .default([600])
    .describe(
      "sizes of the encoder's hidden layers; the decoder mirrors them (Liang et al. 2018, section 4.4)",
    ),
  latent: size.default(200).describe("dimensions of z (Liang et al. 2018, section 4.4)"),
  layers: depth
    .optional()
    .describe(
      "number of hidden layers in the encoder and in the decoder, all of the one size in hidden (EVCF's num_layers); unset = one per entry of hidden",
    ),
  gated: z
    .boolean()
    .default(false)
    .describe("hidden layers are gated linear units instead of tanh (Kim and Suh 2019, section 4.2)"),
  dropout: published.dropout,
  beta: z
    .number()
    .min(0)
    .default(0.2)
    .describe("weight of the KL term once annealed (Liang et al.'s notebook, anneal_cap)"),
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
  sparseAdam,
  batchSize: published.batchSize,
  epochs: published.epochs,
  patience: published.patience,
  ...recoTour,
});
const options = settings
  .refine(({ hidden, layers }) => layers === undefined || hidden.length === 1, {
    path: ["layers"],
    message: "layers repeats the size in hidden, so hidden must have exactly one entry",
  })
  .refine(({ warmup, annealSteps }) => warmup === undefined || annealSteps === undefined, {
    path: ["warmup"],
    message: "warmup anneals beta by epoch and annealSteps by update: give only one of them",
  })
  .superRefine(checkScheduler)
  .superRefine(checkSparseAdam);
export type MultVaeOptions = z.infer<typeof options>;

/** The options that determine the shape of the network. */
const shape = z.object({
  hidden: settings.shape.hidden,
  layers: settings.shape.layers,
  gated: settings.shape.gated,
  latent: settings.shape.latent,
});
type Shape = z.infer<typeof shape>;

/** The encoder's hidden layers. */
function widths({ hidden, layers }: Shape): number[] {
  return layers === undefined ? hidden : new Array<number>(layers).fill(hidden[0]);
}

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
    const decoder = [latent, ...hidden.toReversed()];
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

  /** q(z | x): tanh (or gates) on all layers but the last, which holds [mu | log sigma^2]. */
  posterior(tape: Tape, histories: SparseTensor, dropout?: { rate: number; key: RandomKey }): DiagonalNormal {
    const first = this.#input.forward(tape, histories, { rowScale: "l2", dropout });
    return DiagonalNormal.fromHalves(tape, this.#encoder.forward(tape, first));
  }

  decode(tape: Tape, z: Variable): Variable {
    return this.#decoder.forward(tape, z);
  }

  activations(tape: Tape, histories: SparseTensor): Variable {
    return this.decode(tape, this.posterior(tape, histories).mean);
  }

  /** The negative ELBO with weight beta on its KL term, summed over the batch's users. */
  loss(
    tape: Tape,
    x: SparseTensor,
    beta: number,
    { dropout, clampLogVariance, kl: estimate }: Pick<MultVaeOptions, "dropout" | "clampLogVariance" | "kl">,
    key: (name: string) => RandomKey,
  ): BatchLoss {
    const encoded = this.posterior(tape, x, dropout > 0 ? { rate: dropout, key: key("dropout") } : undefined);
    const posterior = clampLogVariance ? encoded.clamped(tape, LOG_VARIANCE) : encoded;
    const z = posterior.sample(tape, key("noise"));
    const negativeLogLikelihood = sum(this.output.loss(tape, this.decode(tape, z), x));
    const kl =
      estimate === "closed-form"
        ? sum(posterior.kl(tape))
        : sum(posterior.logDensity(tape, z)).plus(sum(standard(tape, z).logDensity(tape, z)).times(-1));
    return { loss: negativeLogLikelihood.plus(kl.times(beta)), parts: { kl } };
  }
}

const standard = (tape: Tape, z: Variable) => DiagonalNormal.standard(tape, z.value.rows, z.value.columns);

export const multVae: Algorithm<MultVaeOptions> = {
  name: "mult-vae",
  summary: "Variational autoencoder with a multinomial likelihood and an annealed KL term.",
  source: "Liang, Krishnan, Hoffman, Jebara: Variational autoencoders for collaborative filtering, WWW 2018",
  options,
  warmStart: true,

  async fit(dataset, options, run) {
    const [{ fit }, { minimise, updatesPerPass }, { annealedBeta, warmedUpBeta }, { plateauOf }] =
      await Promise.all([
        import("../../training/fit.js"),
        import("../../training/minimise.js"),
        import("../../training/annealing.js"),
        import("../../training/plateau.js"),
      ]);
    const { engine, seed } = run;
    const { batchSize, learningRate, epochs, patience, annealSteps, warmup, normaliseGradients } = options;
    const updatesPerEpoch = updatesPerPass(dataset.train.rows, batchSize);
    const plannedUpdates = epochs * updatesPerEpoch;
    const beta =
      warmup === undefined
        ? annealedBeta({ cap: options.beta, annealSteps, plannedUpdates })
        : warmedUpBeta({ cap: options.beta, warmup, updatesPerEpoch });
    const network = new MultVaeNetwork(dataset.items.size, options, options.initialValues);
    requireNetworkMemory(
      {
        algorithm: multVae.name,
        items: dataset.items.size,
        parameters: network.parameters,
        batchSize,
        smaller: "smaller layers (--set hidden=200 --set latent=100)",
      },
      run,
    );
    await allocated(network, run);
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
      adam: { normaliseGradients, weightDecay: options.weightDecay, sparse: options.sparseAdam },
      plateau: plateauOf(options),
      parts: ["kl"],
      loss: (tape, batch, update) =>
        network.loss(tape, batch, beta(update - 1), options, (name) => ({
          seed,
          step: update,
          stream: streamOf(name),
        })),
      report: (updates) => ({ beta: beta(updates - 1) }),
      minimise,
    });
    const patienceHeldUntil = Math.max(0, (warmup ?? 0) - 1);
    return fit({ algorithm: multVae, options, dataset, trainable, epochs, patience, patienceHeldUntil }, run);
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
