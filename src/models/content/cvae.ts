// CVAE, the collaborative variational autoencoder (Li and She, KDD 2017), after the paper and the authors' code
// (eelxpeng/CollaborativeVAE, lib/vae.py and lib/cvae.py). An item's factor is its content code plus an offset learned from clicks:
//
//   u_i ~ N(0, I / lambda_u),  z_j ~ N(0, I),  x_j ~ p(x | z_j),  v_j ~ N(z_j, I / lambda_v),  R_ij ~ N(u_i'v_j, 1 / C_ij)
//
// C_ij is a where user i has item j and b elsewhere. Training first pretrains the network on content alone, layer by layer as
// denoising autoencoders, then its latent part as a VAE, then all of it (content/tied-mlp.ts). After that an epoch is
//
//   1. a pass of Adam over the items' content: minimise, on average over a batch,
//      -log p(x_j | z_j) + KL(q(z_j | x_j) || N(0, I)) + (lambda_v / lambda_r) ||v_j - z_j||^2 + 2e-4 sum_l ||W_l||^2,   z_j ~ q
//   2. theta_j = E[z_j], and a sweep of least squares over all u_i, then all v_j (content/factors.ts).
//
// The paper's equation 1 has lambda_v / 2 before the coupling term, the authors' code has lambda_v: see `coupling`. The code computes
// log p from probabilities clamped at 1e-10; here it is computed from the logits. An item without content has theta_j = 0, its prior mean.
// Pictures and sequences have their own networks (figure 3: content/convolutional-vae.ts, content/recurrent-vae.ts), which are
// pretrained as a whole. A history is folded in by least squares for u with V fixed; an item without interactions by least squares for v.
//
// Bayesian inference (section 2.3) keeps q(u_i) and q(v_j) as Gaussians: their covariances enter the least squares, and scores
// have standard deviations (recommender/uncertain.ts). The gradient that couples z_j to E[v_j] is lambda_v (E[v_j] - z_j), as
// the evidence lower bound gives it; the paper prints Lambda_vj instead of lambda_v.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { sum, sumOfSquares } from "../../compute/objective.js";
import { add } from "../../compute/ops/arithmetic.js";
import { halfQuadraticForm, halfSquaredDistance } from "../../compute/ops/dense-likelihood.js";
import { Adam } from "../../compute/optimizers.js";
import type { Tape, Variable } from "../../compute/tape.js";
import { UserError } from "../../core/errors.js";
import { type ContentForm, contentKinds, formOf, sizeOfForm } from "../../data/content.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { published, savedConfig, size } from "../settings.js";
import { requireContent } from "./batches.js";
import { ConvolutionalVae } from "./convolutional-vae.js";
import { fitContentModel, likelihoodOf, networkEncoder, restoreFactorModel } from "./model.js";
import type { BatchFactors, ContentModel, ContentVae } from "./network.js";
import { RecurrentVae } from "./recurrent-vae.js";
import { TiedMlp } from "./tied-mlp.js";

const share = z.number().min(0).lt(1);
const weight = z.number().positive();

const options = z.strictObject({
  hidden: z
    .array(size)
    .min(1)
    .max(100)
    .default([200, 100])
    .describe(
      "network=dense: sizes of the inference network's layers; the generation network mirrors them (section 3.3)",
    ),
  latent: size.default(50).describe("K: dimensions of z and of the factors (section 3.3)"),
  network: z
    .enum(["dense", "convolutional", "recurrent"])
    .optional()
    .describe(
      "type of the inference and generation networks; unset = convolutional for pictures, recurrent for sequences, dense otherwise (figure 3)",
    ),
  filters: z
    .array(size)
    .min(1)
    .max(100)
    .default([16, 32])
    .describe(
      "network=convolutional: filters per layer, each of which halves the picture; the generation network mirrors them (our choice)",
    ),
  embedding: size.default(64).describe("network=recurrent: dimensions of a token's embedding (our choice)"),
  units: size.default(128).describe("network=recurrent: size of the hidden state (our choice)"),
  sequenceLength: size
    .max(10_000)
    .default(50)
    .describe(
      "network=recurrent: maximum number of tokens read from the start of a sequence; memory and time grow with it (our choice)",
    ),
  wordDropout: share
    .default(0.3)
    .describe(
      "network=recurrent: share of input tokens hidden from the generation network in training, so that it does not ignore z (Bowman et al. 2016; the value is our choice)",
    ),
  likelihood: z
    .enum(["bernoulli", "gaussian"])
    .optional()
    .describe(
      "p(x | z); unset = bernoulli for bags of words (the paper) and pictures, gaussian for vectors (section 2.1); tokens of sequences are categorical",
    ),
  lambdaX: weight
    .default(1)
    .describe("lambda_x: precision of a Gaussian likelihood (section 2.1, which gives no value)"),
  lambdaU: weight.default(0.1).describe("lambda_u (the authors' code; section 3.4)"),
  lambdaV: weight.default(10).describe("lambda_v (the authors' code; section 3.4)"),
  lambdaR: weight
    .default(1)
    .describe(
      "lambda_r: weight of the reconstruction and KL terms relative to the rating terms (the authors' code; section 3.4)",
    ),
  a: weight.default(1).describe("confidence of a user's items (section 3.3)"),
  b: weight.default(0.01).describe("confidence of all other items (section 3.3)"),
  coupling: z
    .enum(["program", "paper", "printed"])
    .default("program")
    .describe(
      "the term that couples v and z: program = lambda_v ||v - z||^2 (the authors' code); paper = half of it (equation 1); printed = (v - z)' Lambda_v (v - z) / 2, whose gradient section 2.3 prints (needs inference=bayes)",
    ),
  inference: z
    .enum(["map", "bayes"])
    .default("map")
    .describe(
      "map = point estimates of u and v, as in the paper's experiments; bayes = posteriors with covariances (section 2.3)",
    ),
  l2: z
    .number()
    .min(0)
    .default(2e-4)
    .describe("weight of the L2 penalty on W_1 ... W_L only (the authors' code)"),
  learningRate: weight.default(1e-3).describe("Adam's learning rate (the authors' code)"),
  batchSize: size.default(128).describe("items per update (section 2.2; the authors' code)"),
  epochs: published.epochs
    .default(100)
    .describe("passes of the network, each followed by least-squares sweeps (the authors' code)"),
  patience: published.patience,
  sweeps: size.default(1).describe("least-squares sweeps per epoch (the authors' code, max_iter)"),
  layerEpochs: z
    .int()
    .min(0)
    .default(50)
    .describe("pretraining: epochs of each layer as a denoising autoencoder (the authors' code)"),
  latentEpochs: z
    .int()
    .min(0)
    .default(50)
    .describe(
      "pretraining: epochs of the latent layers as a VAE on the outputs of the last hidden layer (the authors' code)",
    ),
  wholeEpochs: z
    .int()
    .min(0)
    .default(100)
    .describe("pretraining: epochs of the whole VAE (the authors' code)"),
  pretrainingRate: weight.default(0.01).describe("pretraining: Adam's learning rate (the authors' code)"),
  corruption: share
    .default(0.3)
    .describe("pretraining: share of a layer's input that is masked (the authors' code)"),
  pretrainingShare: z
    .number()
    .gt(0)
    .max(1)
    .default(0.8)
    .describe(
      "pretraining: share of the items that are used (the authors' code uses the others to print a validation loss)",
    ),
});
export type CvaeOptions = z.infer<typeof options>;

/** The options that a trained model needs. */
const shape = options
  .pick({
    ...{ hidden: true, latent: true, likelihood: true, lambdaX: true, inference: true, network: true },
    ...{ filters: true, embedding: true, units: true, sequenceLength: true },
    ...{ lambdaU: true, lambdaV: true, a: true, b: true },
  })
  .strip();
type Shape = z.infer<typeof shape>;

/** The type of network for a kind of content. Throws UserError when the requested type does not support it. */
function kindOf({ kind }: ContentForm, asked: Shape["network"]): NonNullable<Shape["network"]> {
  const usual = kind === "images" ? "convolutional" : kind === "sequences" ? "recurrent" : "dense";
  if (asked === undefined || asked === usual || (asked === "dense" && kind === "images"))
    return asked ?? usual;
  throw new UserError({
    place: "network",
    problem: `${asked} does not support content of the kind ${kind}`,
    expected: kind === "images" ? "convolutional or dense" : usual,
    remedy: "Leave the option unset to choose the network by the content",
  });
}

interface NetworkTraining {
  readonly corruption: number;
  readonly wordDropout: number;
}

function networkOf(form: ContentForm, given: Shape, training?: NetworkTraining): ContentVae {
  const { latent, hidden, filters, embedding, units, sequenceLength: length } = given;
  const { corruption = 0, wordDropout = 0 } = training ?? {};
  const kind = kindOf(form, given.network);
  if (form.kind === "sequences")
    return new RecurrentVae(form.tokens.length, { latent, embedding, units, length, wordDropout });
  const content = { likelihood: likelihoodOf(form.kind, given.likelihood), precision: given.lambdaX };
  if (form.kind === "images" && kind === "convolutional")
    return new ConvolutionalVae(form, { ...content, filters, latent });
  return new TiedMlp({ ...content, inputs: sizeOfForm(form), hidden, latent, corruption });
}

/** The encoder of content: E[z] is the posterior mean. */
function readingOf(network: ContentVae) {
  const { parameters, scaffolding } = network;
  const code: ContentModel["code"] = (tape, x) => network.posterior(tape, x).mean;
  return { parameters, scaffolding, code };
}

/** The network in training. */
function modelOf(engine: Engine, network: ContentVae, options: CvaeOptions): ContentModel {
  const { layerEpochs, latentEpochs, wholeEpochs, learningRate, pretrainingRate } = options;
  const { lambdaV, lambdaR, coupling, l2 } = options;
  const factor = ((coupling === "program" ? 2 : 1) * lambdaV) / lambdaR;
  const drawn = (tape: Tape, z: Variable, { v, precisions }: BatchFactors) =>
    precisions
      ? sum(halfQuadraticForm(tape, z, v, precisions)).times(1 / lambdaR)
      : sum(halfSquaredDistance(tape, z, tape.constant(v))).times(factor);
  return {
    ...readingOf(network),
    phases: [
      ...network.parts.map((part) => ({
        ...part,
        epochs: part.kind === "layer" ? layerEpochs : latentEpochs,
      })),
      {
        name: "whole",
        epochs: wholeEpochs,
        parameters: network.parameters,
        noisyInput: false,
        loss(tape, { clean }, key) {
          const posterior = network.posterior(tape, clean);
          const z = posterior.sample(tape, key("noise"));
          return add(tape, network.reconstruction(tape, z, clean, key), posterior.kl(tape));
        },
      },
    ],
    optimizer: (parameters, stage) =>
      new Adam(engine, parameters, { learningRate: stage === "epochs" ? learningRate : pretrainingRate }),
    reports: ["reconstruction", "kl", "coupling"],
    noisyInput: false,
    needsPrecisions: coupling === "printed",
    loss(tape, { clean }, factors, key) {
      const posterior = network.posterior(tape, clean);
      const z = posterior.sample(tape, key("noise"));
      return {
        parts: {
          reconstruction: sum(network.reconstruction(tape, z, clean, key)),
          kl: sum(posterior.kl(tape)),
          coupling: drawn(tape, z, factors),
        },
        penalty: l2 > 0 ? sumOfSquares(network.weights).times(l2) : undefined,
      };
    },
  };
}

export const cvae: Algorithm<CvaeOptions> = {
  name: "cvae",
  summary:
    "Collaborative variational autoencoder: learns from content and clicks together; scores new items by their content.",
  source: "Li, She: Collaborative variational autoencoder for recommender systems, KDD 2017",
  options,

  async fit(dataset, options, run) {
    const { engine } = run;
    if (options.coupling === "printed" && options.inference !== "bayes")
      throw new UserError({
        place: "coupling",
        problem: "printed needs the precisions of the item factors, which do not exist with inference=map",
        expected: "program or paper",
        remedy: "Set inference=bayes, or choose another coupling",
      });
    const content = requireContent(dataset, cvae.name, contentKinds);
    return fitContentModel(cvae, dataset, options, run, {
      content,
      model: modelOf(engine, networkOf(formOf(content), options, options), options),
      config: savedConfig(shape, options),
      batches: "independent",
      bayesian: options.inference === "bayes",
      pretrainedBy: [
        ...(["hidden", "latent", "likelihood", "lambdaX", "batchSize", "pretrainingRate"] as const),
        ...(["network", "filters", "embedding", "units", "sequenceLength", "wordDropout"] as const),
        ...(["pretrainingShare", "corruption", "layerEpochs", "latentEpochs", "wholeEpochs"] as const),
      ],
    });
  },

  restore: (files, { engine }) =>
    restoreFactorModel(engine, files, shape, {
      network: (given: Shape, form) =>
        networkEncoder(engine, readingOf(networkOf(form, given)), given.latent),
      kinds: ({ inference }) => ({ bayesian: inference === "bayes" }),
      restore: (grown) => cvae.restore(grown, { engine }),
    }),
};
