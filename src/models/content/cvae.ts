// CVAE, the collaborative variational autoencoder (Li and She, KDD 2017), as in the paper and in the authors' program
// (eelxpeng/CollaborativeVAE, lib/vae.py and lib/cvae.py). An item's factor combines its content and its interactions:
//
//   u_i ~ N(0, I / lambda_u),  z_j ~ N(0, I),  x_j ~ p(x | z_j),  v_j ~ N(z_j, I / lambda_v),  R_ij ~ N(u_i'v_j, 1 / C_ij)
//
// C_ij is a where user i has item j and b elsewhere. Training first pretrains the network on content alone: layer by layer as
// denoising autoencoders, then its latent part as a VAE, then all of it (content/tied-mlp.ts). After that, an epoch is
//
//   1. a pass of Adam over the items' content: minimise, on average over a batch,
//      -log p(x_j | z_j) + KL(q(z_j | x_j) || N(0, I)) + (lambda_v / lambda_r) ||v_j - z_j||^2 + 2e-4 sum_l ||W_l||^2,   z_j ~ q
//   2. theta_j = E[z_j], and a sweep of least squares over all u_i, then all v_j (content/factors.ts).
//
// Where the paper and its program differ, the program is the default and the paper an option:
//
//   coupling        the program has lambda_v ||v_j - z_j||^2, equation 1 half of it
//   unclicked       the program leaves users and items without an interaction out of the sums weighted by b, the paper counts them
//   unseenItems     the program scores an item that no user has by its v_j, a sweep's (b U'U + lambda_v I)^-1 lambda_v E[z_j];
//                   section 2.4 scores it by u'E[z_j]
//   regularised     the program regularises W_1 ... W_L alone, equation 1 all weights and biases
//
// The program takes log p from probabilities clamped to 1e-10; here it comes from the logits. An item without content has
// theta_j = 0, its prior mean. Pictures and sequences have their own networks (figure 3: content/convolutional-vae.ts,
// content/recurrent-vae.ts), which are pretrained as a whole. A history is folded in by the least squares for u with V fixed,
// an item that no user has by those for v.
//
// Bayesian inference (section 2.3) keeps q(u_i) and q(v_j) as Gaussians: their covariances enter the least squares, and scores
// come with their standard deviations (recommender/uncertain.ts). The network's coupling term is then the evidence lower
// bound's, lambda_v ||E[v_j] - z_j||^2 / 2, whose gradient in z_j is -lambda_v (E[v_j] - z_j): `coupling` "paper", the default of
// inference=bayes. Section 2.3 prints Lambda_vj in lambda_v's place: "printed".

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { type Objective, sum, sumOfSquares } from "../../compute/objective.js";
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
  tied: z
    .boolean()
    .optional()
    .describe(
      "network=dense: whether the generation network uses the inference network's weights, transposed, and its biases; unset = true (the authors' program; section 3.3 compares both)",
    ),
  latent: size.default(50).describe("K: dimensions of z and of the factors (section 3.3)"),
  network: z
    .enum(["dense", "convolutional", "recurrent"])
    .optional()
    .describe(
      "the inference and generation networks; unset = convolutional for pictures, recurrent for sequences, dense for all other content (figure 3)",
    ),
  filters: z
    .array(size)
    .min(1)
    .max(100)
    .default([16, 32])
    .describe(
      "network=convolutional: filters of its layers, each of which halves the picture; the generation network mirrors them (ours)",
    ),
  embedding: size.default(64).describe("network=recurrent: dimensions of a token's embedding (ours)"),
  units: size.default(128).describe("network=recurrent: dimensions of its state (ours)"),
  sequenceLength: size
    .max(10_000)
    .default(50)
    .describe(
      "network=recurrent: tokens of a sequence that are used, from its start; memory and time grow with it (ours)",
    ),
  wordDropout: share
    .default(0.3)
    .describe(
      "network=recurrent: share of the tokens that are hidden from the generation network in training, so that it does not ignore z (Bowman et al. 2016; the value is ours)",
    ),
  likelihood: z
    .enum(["bernoulli", "gaussian"])
    .optional()
    .describe(
      "p(x | z); unset = bernoulli for bags of words (the paper) and pictures, gaussian for vectors (section 2.1); tokens of sequences are categorical",
    ),
  lambdaX: weight
    .default(1)
    .describe("precision of a Gaussian likelihood (lambda_x in section 2.1, which gives no value)"),
  lambdaU: weight.default(0.1).describe("lambda_u (the authors' program; section 3.4)"),
  lambdaV: weight.default(10).describe("lambda_v (the authors' program; section 3.4)"),
  lambdaR: weight
    .default(1)
    .describe(
      "lambda_r: weight of reconstruction and KL relative to the ratings (the authors' program; section 3.4)",
    ),
  a: weight.default(1).describe("confidence C_ij where user i has item j (section 3.3)"),
  b: weight.default(0.01).describe("confidence C_ij elsewhere (section 3.3)"),
  unclicked: z
    .enum(["left-out", "counted"])
    .optional()
    .describe(
      "users and items without a training interaction in the sums of C_ij = b: counted as in the paper (sections 2.2 and 2.3), or left-out as in the authors' program; unset = left-out",
    ),
  unseenItems: z
    .enum(["posterior", "content"])
    .optional()
    .describe(
      "how an item without a training interaction is scored: content = u'E[z] (section 2.4), posterior = u'v as in the authors' program; unset = posterior; training is the same",
    ),
  coupling: z
    .enum(["program", "paper", "printed"])
    .optional()
    .describe(
      "program = lambda_v ||v - z||^2 (the authors' program); paper = half of it (equation 1); printed = (v - z)' Lambda_v (v - z) / 2, whose gradient section 2.3 prints, with inference=bayes only; unset = program with inference=map, paper with inference=bayes",
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
    .describe("weight of the sum of squares of what is regularised (the authors' program)"),
  regularised: z
    .enum(["weights", "all"])
    .optional()
    .describe(
      "what l2 is over: weights = W_1 ... W_L, both networks' where they are not tied (the authors' program); all = every weight and bias of both networks, each once (equation 1, with lambda_w = 2 l2); unset = weights",
    ),
  learningRate: weight.default(1e-3).describe("Adam's step size (the authors' program)"),
  batchSize: size.default(128).describe("items per update (section 2.2; the authors' program)"),
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
      "pretraining: share of the items that it uses; the authors' program prints a validation loss of the others",
    ),
});
export type CvaeOptions = z.infer<typeof options>;

/** The options that a trained model needs. */
const shape = options
  .pick({
    ...{
      hidden: true,
      tied: true,
      latent: true,
      likelihood: true,
      lambdaX: true,
      inference: true,
      network: true,
    },
    ...{ unseenItems: true },
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
  const { latent, hidden, tied, filters, embedding, units, sequenceLength: length } = given;
  const { corruption = 0, wordDropout = 0 } = training ?? {};
  const kind = kindOf(form, given.network);
  if (form.kind === "sequences")
    return new RecurrentVae(form.tokens.length, { latent, embedding, units, length, wordDropout });
  const content = { likelihood: likelihoodOf(form.kind, given.likelihood), precision: given.lambdaX };
  if (form.kind === "images" && kind === "convolutional")
    return new ConvolutionalVae(form, { ...content, filters, latent });
  return new TiedMlp({ ...content, inputs: sizeOfForm(form), hidden, latent, corruption, tied });
}

/** What a trained model uses of the network: E[z], the posterior's mean. */
function readingOf(network: ContentVae) {
  const { parameters, scaffolding } = network;
  const code: ContentModel["code"] = (tape, x) => network.posterior(tape, x).mean;
  return { parameters, scaffolding, code };
}

/** The term that couples v and z: as given, or what fits the inference. */
const couplingOf = ({ coupling, inference }: Pick<CvaeOptions, "coupling" | "inference">) =>
  coupling ?? (inference === "bayes" ? "paper" : "program");

/** What is added to the mean loss of a batch. */
export function penaltyOf(
  network: ContentVae,
  { l2, regularised }: Pick<CvaeOptions, "l2" | "regularised">,
): Objective | undefined {
  const penalised = regularised === "all" ? network.parameters : network.weights;
  return l2 > 0 ? sumOfSquares(penalised).times(l2) : undefined;
}

/** The network in training. */
function modelOf(engine: Engine, network: ContentVae, options: CvaeOptions): ContentModel {
  const { layerEpochs, latentEpochs, wholeEpochs, learningRate, pretrainingRate } = options;
  const { lambdaV, lambdaR } = options;
  const coupling = couplingOf(options);
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
        ...(part.kind === "layer"
          ? { epochs: layerEpochs, independentOf: ["latent", "latentEpochs", "wholeEpochs"] }
          : { epochs: latentEpochs, independentOf: ["wholeEpochs"] }),
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
        penalty: penaltyOf(network, options),
      };
    },
  };
}

export const cvae: Algorithm<CvaeOptions> = {
  name: "cvae",
  summary:
    "Collaborative variational autoencoder: learns from items' content and interactions; scores new items by content.",
  source: "Li, She: Collaborative variational autoencoder for recommender systems, KDD 2017",
  options,

  async fit(dataset, options, run) {
    const { engine } = run;
    if (options.coupling === "printed" && options.inference !== "bayes")
      throw new UserError({
        place: "coupling",
        problem: "printed uses the precisions of the items' factors, which inference=map does not have",
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
        ...(["hidden", "tied", "latent", "likelihood", "lambdaX", "batchSize", "pretrainingRate"] as const),
        ...(["network", "filters", "embedding", "units", "sequenceLength", "wordDropout"] as const),
        ...(["pretrainingShare", "corruption", "layerEpochs", "latentEpochs", "wholeEpochs"] as const),
      ],
    });
  },

  restore: (files, { engine }) =>
    restoreFactorModel(engine, files, shape, {
      network: (given: Shape, form) =>
        networkEncoder(engine, readingOf(networkOf(form, given)), given.latent),
      kinds: ({ inference, unseenItems }) => ({
        bayesian: inference === "bayes",
        scored: unseenItems === "content",
      }),
      restore: (grown) => cvae.restore(grown, { engine }),
    }),
};
