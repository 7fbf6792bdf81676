// CVAE, the collaborative variational autoencoder (Li and She, KDD 2017), after the paper and the authors' program
// (eelxpeng/CollaborativeVAE, lib/vae.py and lib/cvae.py). An item's factor is what its content says and what its clicks add:
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
// The paper's equation 1 has lambda_v / 2 before the coupling term, its program does not: `coupling`. The program takes log p
// from probabilities held to 1e-10; here it comes from the logits. An item without content has theta_j = 0, its prior mean.
// A history is folded in by the least squares for u with V held fixed; an item that nobody has by those for v.
//
// Bayesian inference (section 2.3) keeps q(u_i) and q(v_j) as Gaussians: their covariances enter the least squares, and scores
// come with their deviations (recommender/uncertain.ts). Towards E[v_j] the network is drawn by lambda_v (E[v_j] - z_j), as the
// evidence lower bound has it; the paper prints Lambda_vj in lambda_v's place.

import { z } from "zod";
import type { Engine } from "../compute/engine.js";
import { sum, sumOfSquares } from "../compute/objective.js";
import { add } from "../compute/ops/arithmetic.js";
import { halfSquaredDistance } from "../compute/ops/dense-likelihood.js";
import { Adam } from "../compute/optimizers.js";
import { type ContentForm, formOf, sizeOfForm } from "../data/content.js";
import type { Algorithm } from "../recommender/algorithm.js";
import { requireContent } from "./content/batches.js";
import {
  fitContentModel,
  likelihoodOf,
  networkEncoder,
  networkKinds,
  restoreFactorModel,
} from "./content/model.js";
import type { ContentModel } from "./content/network.js";
import { TiedMlp } from "./content/tied-mlp.js";
import { published, savedConfig, size } from "./multinomial-autoencoder.js";

const share = z.number().min(0).lt(1);
const weight = z.number().positive();

const options = z.strictObject({
  hidden: z
    .array(size)
    .min(1)
    .default([200, 100])
    .describe("units of the inference network's layers; the generation network mirrors them (section 3.3)"),
  latent: size.default(50).describe("K: dimensions of z and of the factors (section 3.3)"),
  likelihood: z
    .enum(["bernoulli", "gaussian"])
    .optional()
    .describe(
      "p(x | z); unset = bernoulli for bags of words (the paper) and pictures, gaussian for vectors (section 2.1)",
    ),
  lambdaX: weight
    .default(1)
    .describe("precision of a Gaussian likelihood (section 2.1 has it as lambda_x, without a value)"),
  lambdaU: weight.default(0.1).describe("lambda_u (the authors' program; section 3.4)"),
  lambdaV: weight.default(10).describe("lambda_v (the authors' program; section 3.4)"),
  lambdaR: weight
    .default(1)
    .describe(
      "lambda_r: weight of reconstruction and KL beside the ratings (the authors' program; section 3.4)",
    ),
  a: weight.default(1).describe("confidence of what a user has (section 3.3)"),
  b: weight.default(0.01).describe("confidence of what a user has not (section 3.3)"),
  coupling: z
    .enum(["program", "paper"])
    .default("program")
    .describe("lambda_v ||v - z||^2 as in the authors' program, or half of it as in the paper's equation 1"),
  inference: z
    .enum(["map", "bayes"])
    .default("map")
    .describe(
      "of u and v: map = points, as in all the paper's experiments; bayes = with covariances (section 2.3)",
    ),
  l2: z
    .number()
    .min(0)
    .default(2e-4)
    .describe("weight of the sum of the squares of W_1 ... W_L, nothing else (the authors' program)"),
  learningRate: weight.default(1e-3).describe("Adam's step size (the authors' program)"),
  batchSize: size.default(128).describe("items per update (section 2.2; the authors' program)"),
  epochs: published.epochs
    .default(100)
    .describe("network passes, each with its sweeps of least squares (the authors' program)"),
  patience: published.patience,
  sweeps: size.default(1).describe("sweeps of least squares per epoch (the authors' program, max_iter)"),
  layerEpochs: z
    .int()
    .min(0)
    .default(50)
    .describe("pretraining: epochs of each layer as a denoising autoencoder (the authors' program)"),
  latentEpochs: z
    .int()
    .min(0)
    .default(50)
    .describe(
      "pretraining: epochs of the latent part as a VAE on the last layer's codes (the authors' program)",
    ),
  wholeEpochs: z
    .int()
    .min(0)
    .default(100)
    .describe("pretraining: epochs of the whole VAE (the authors' program)"),
  pretrainingRate: weight.default(0.01).describe("pretraining: Adam's step size (the authors' program)"),
  corruption: share
    .default(0.3)
    .describe("pretraining: share of a layer's input that is masked (the authors' program)"),
  pretrainingShare: z
    .number()
    .gt(0)
    .max(1)
    .default(0.8)
    .describe(
      "pretraining: share of the items that it sees; the authors' program keeps the others for a validation loss that it prints",
    ),
});
export type CvaeOptions = z.infer<typeof options>;

/** What a trained model needs of the options. */
const shape = options
  .pick({
    ...{ hidden: true, latent: true, likelihood: true, lambdaX: true, inference: true },
    ...{ lambdaU: true, lambdaV: true, a: true, b: true },
  })
  .strip();
type Shape = z.infer<typeof shape>;

function networkOf(engine: Engine, form: ContentForm, given: Shape, corruption = 0, seed?: number): TiedMlp {
  return new TiedMlp(engine, {
    inputs: sizeOfForm(form),
    hidden: given.hidden,
    latent: given.latent,
    likelihood: likelihoodOf(form.kind, given.likelihood),
    precision: given.lambdaX,
    corruption,
    seed,
  });
}

/** What reads content: E[z] is the posterior's mean. */
function readingOf(network: TiedMlp) {
  const { parameters, scaffolding } = network;
  const code: ContentModel["code"] = (tape, x) => network.posterior(tape, x).mean;
  return { parameters, scaffolding, code };
}

/** The network in training. */
function modelOf(engine: Engine, network: TiedMlp, options: CvaeOptions): ContentModel {
  const { layerEpochs, latentEpochs, wholeEpochs, learningRate, pretrainingRate } = options;
  const { lambdaV, lambdaR, coupling, l2 } = options;
  const factor = ((coupling === "program" ? 2 : 1) * lambdaV) / lambdaR;
  return {
    ...readingOf(network),
    phases: [
      ...network.layers.parts.map((part) => ({ ...part, epochs: layerEpochs })),
      { ...network.latentPart, epochs: latentEpochs },
      {
        name: "whole",
        epochs: wholeEpochs,
        parameters: network.parameters,
        noisyInput: false,
        loss(tape, { clean }, key) {
          const posterior = network.posterior(tape, clean);
          const z = posterior.sample(tape, key("noise"));
          return add(tape, network.reconstruction(tape, z, clean), posterior.kl(tape));
        },
      },
    ],
    optimizer: (parameters, stage) =>
      new Adam(engine, parameters, { learningRate: stage === "epochs" ? learningRate : pretrainingRate }),
    reports: ["reconstruction", "kl", "coupling"],
    noisyInput: false,
    loss(tape, { clean }, v, key) {
      const posterior = network.posterior(tape, clean);
      const z = posterior.sample(tape, key("noise"));
      return {
        parts: {
          reconstruction: sum(network.reconstruction(tape, z, clean)),
          kl: sum(posterior.kl(tape)),
          coupling: sum(halfSquaredDistance(tape, z, tape.constant(v))).times(factor),
        },
        penalty: l2 > 0 ? sumOfSquares(network.weights).times(l2) : undefined,
      };
    },
  };
}

export const cvae: Algorithm<CvaeOptions> = {
  name: "cvae",
  summary:
    "Collaborative variational autoencoder: items' content and clicks together; knows new items by content.",
  source: "Li, She: Collaborative variational autoencoder for recommender systems, KDD 2017",
  options,

  async fit(dataset, options, run) {
    const { engine, seed } = run;
    const content = requireContent(dataset, cvae.name, networkKinds);
    const network = networkOf(engine, formOf(content), options, options.corruption, seed);
    return fitContentModel(cvae, dataset, options, run, {
      content,
      model: modelOf(engine, network, options),
      config: savedConfig(shape, options),
      batches: "independent",
      bayesian: options.inference === "bayes",
      pretrainedBy: [
        ...(["hidden", "latent", "likelihood", "lambdaX", "batchSize", "pretrainingRate"] as const),
        ...(["pretrainingShare", "corruption", "layerEpochs", "latentEpochs", "wholeEpochs"] as const),
      ],
    });
  },

  restore: (files, { engine }) =>
    restoreFactorModel(engine, files, shape, {
      network(given: Shape, form) {
        const sizes = [sizeOfForm(form), ...given.hidden];
        const [last, { latent }] = [sizes[sizes.length - 1], given];
        const layers = given.hidden.reduce((all, units, l) => all + (sizes[l] + 1) * units, sizes[0]);
        return {
          numbers: layers + 2 * (last + 1) * latent + (latent + 1) * last,
          make: () => networkEncoder(engine, readingOf(networkOf(engine, form, given)), latent),
        };
      },
      kinds: ({ inference }) => ({ bayesian: inference === "bayes" }),
      restore: (grown) => cvae.restore(grown, { engine }),
    }),
};
