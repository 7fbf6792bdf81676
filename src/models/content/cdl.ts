// CDL, collaborative deep learning (Wang, Wang, Yeung, KDD 2015), as in the authors' program (js05212/CDL, cdl.m): CVAE's
// predecessor, whose content network is a stacked denoising autoencoder; its code is a point instead of a distribution.
// Training first pretrains the layers one by one; after that, an epoch is
//
//   1. a pass over the items' content, masked and with dropout: minimise, on average over a batch,
//      -log p(x_j | x~_j) + (lambda_v / lambda_n) / 2 ||v_j - h(x~_j)||^2 + lambda_w / 2 sum_l ||W_l||^2
//      (whose gradient at the bottleneck is (lambda_v / lambda_n) (h - v), as the authors' code adds it), by AdaDelta
//   2. theta_j = h(x_j), clean, and a sweep of least squares over all u_i, then all v_j (content/factors.ts),
//
// and after the last epoch 100 more sweeps. All units are sigmoid, the bottleneck's too; weights are tied, biases shared
// (content/tied-mlp.ts). Dropout is over all hidden layers, but v_j is compared with the whole bottleneck; as published, nothing is
// rescaled. In pretraining, a layer's visible biases start from the log-odds of the means of its input, and its units' activity
// is penalised.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { sum, sumOfSquares } from "../../compute/objective.js";
import { halfSquaredDistance } from "../../compute/ops/dense-likelihood.js";
import { AdaDelta } from "../../compute/optimizers.js";
import { type ContentForm, formOf, sizeOfForm } from "../../data/content.js";
import { type Initializer, uniform } from "../../nn/initializers.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { published, savedConfig, size } from "../settings.js";
import { requireContent } from "./batches.js";
import { fitContentModel, likelihoodOf, networkEncoder, networkKinds, restoreFactorModel } from "./model.js";
import type { ContentModel } from "./network.js";
import { TiedLayers } from "./tied-mlp.js";

const weight = z.number().positive();
const share = z.number().min(0).lt(1);

const options = z.strictObject({
  hidden: z
    .array(size)
    .max(100)
    .default([200])
    .describe("sizes of the layers before the bottleneck; the decoder mirrors them (the authors' code)"),
  latent: size
    .default(50)
    .describe("K: size of the bottleneck and dimensions of the factors (the authors' code)"),
  likelihood: z
    .enum(["bernoulli", "gaussian"])
    .optional()
    .describe(
      "of the content; unset = bernoulli for bags of words (the authors' program) and pictures, gaussian for vectors",
    ),
  lambdaX: weight.default(1).describe("precision of a Gaussian likelihood (our choice)"),
  lambdaU: weight.default(1).describe("lambda_u (the authors' code; Li and She 2017, section 3.3)"),
  lambdaV: weight.default(10).describe("lambda_v (the authors' code; Li and She 2017, section 3.3)"),
  lambdaN: weight.default(1000).describe("lambda_n (the authors' code; Li and She 2017, section 3.3)"),
  lambdaW: z
    .number()
    .min(0)
    .default(1e-4)
    .describe("lambda_w, over the weights (the authors' program; Li and She 2017, section 3.3)"),
  a: weight.default(1).describe("confidence C_ij where user i has item j (Li and She 2017, section 3.3)"),
  b: weight.default(0.01).describe("confidence C_ij elsewhere (Li and She 2017, section 3.3)"),
  corruption: share
    .default(0.3)
    .describe("share of an item's content that masking noise sets to 0 (Li and She 2017, section 3.3)"),
  dropout: share.default(0.1).describe("dropout rate of the hidden units (the authors' code)"),
  rho: share.default(0.99).describe("AdaDelta's decay (the authors' code, which calls it momentum)"),
  epsilon: weight.default(1e-8).describe("AdaDelta's epsilon (the authors' code)"),
  batchSize: size.default(128).describe("items per update (the authors' code)"),
  epochs: published.epochs
    .default(200)
    .describe(
      "passes of the network, each followed by least-squares sweeps (Li and She 2017, section 3.3; 1000 in the authors' code)",
    ),
  patience: published.patience,
  sweeps: size.default(1).describe("least-squares sweeps per epoch (the authors' code)"),
  finalSweeps: z
    .int()
    .min(0)
    .default(100)
    .describe("least-squares sweeps after the last epoch (the authors' code)"),
  layerEpochs: z
    .int()
    .min(0)
    .default(500)
    .describe("pretraining: epochs of each layer as a denoising autoencoder (the authors' code)"),
  sparsity: z
    .number()
    .min(0)
    .default(0.1)
    .describe(
      "pretraining: weight of the penalty on the mean activity of a layer's units (the authors' code)",
    ),
  pretrainingShare: z
    .number()
    .gt(0)
    .max(1)
    .default(0.75)
    .describe("pretraining: share of the items that it uses (the authors' program)"),
});
export type CdlOptions = z.infer<typeof options>;

/** The options that a trained model needs. */
const shape = options
  .pick({
    ...{ hidden: true, latent: true, likelihood: true, lambdaX: true },
    ...{ lambdaU: true, lambdaV: true, a: true, b: true },
  })
  .strip();
type Shape = z.infer<typeof shape>;

/** Uniform in +-sqrt(6) / sqrt(fan-in + fan-out + 1) (the authors' code). */
const published6: Initializer = (rows, columns, key) =>
  uniform(Math.sqrt(6) / Math.sqrt(rows + columns + 1))(rows, columns, key);

function layersOf(form: ContentForm, given: Shape, training?: CdlOptions): TiedLayers {
  return new TiedLayers({
    inputs: sizeOfForm(form),
    hidden: [...given.hidden, given.latent],
    likelihood: likelihoodOf(form.kind, given.likelihood),
    precision: given.lambdaX,
    corruption: training?.corruption ?? 0,
    dropout: training?.dropout ?? 0,
    sparsity: training?.sparsity ?? 0,
    visible: "means",
    weight: published6,
  });
}

/** The encoder of content: the activations of the bottleneck. */
function readingOf(layers: TiedLayers) {
  const code: ContentModel["code"] = (tape, x) => layers.encode(tape, x);
  return { parameters: layers.parameters, scaffolding: layers.visibleBiases, code };
}

/** The network in training. */
function modelOf(engine: Engine, layers: TiedLayers, options: CdlOptions): ContentModel {
  const { lambdaV, lambdaN, lambdaW, layerEpochs, rho, epsilon } = options;
  const decay = (weights: TiedLayers["weights"]) =>
    lambdaW > 0 ? sumOfSquares(weights).times(lambdaW / 2) : undefined;
  return {
    ...readingOf(layers),
    phases: layers.parts.map((part, l) => ({
      ...part,
      epochs: layerEpochs,
      independentOf: l < layers.weights.length - 1 ? ["latent"] : [],
      penalty: decay([layers.weights[l]]),
    })),
    optimizer: (parameters) => new AdaDelta(engine, parameters, { rho, epsilon }),
    reports: ["reconstruction", "coupling"],
    noisyInput: true,
    loss(tape, { clean, noisy }, { v }, key) {
      const h = layers.encode(tape, noisy, { dropout: key });
      const coupling = sum(halfSquaredDistance(tape, h, tape.constant(v))).times(lambdaV / lambdaN);
      const reconstruction = sum(layers.reconstruction(tape, h, clean, { dropout: key }));
      return { parts: { reconstruction, coupling }, penalty: decay(layers.weights) };
    },
  };
}

export const cdl: Algorithm<CdlOptions> = {
  name: "cdl",
  summary:
    "Collaborative deep learning: a stacked denoising autoencoder of items' content, and matrix factorisation.",
  source: "Wang, Wang, Yeung: Collaborative deep learning for recommender systems, KDD 2015",
  options,

  async fit(dataset, options, run) {
    const { engine } = run;
    const content = requireContent(dataset, cdl.name, networkKinds);
    return fitContentModel(cdl, dataset, options, run, {
      content,
      model: modelOf(engine, layersOf(formOf(content), options, options), options),
      config: savedConfig(shape, options),
      batches: "shuffled",
      pretrainedBy: [
        ...([
          "hidden",
          "latent",
          "likelihood",
          "lambdaX",
          "lambdaW",
          "corruption",
          "rho",
          "epsilon",
        ] as const),
        ...(["batchSize", "pretrainingShare", "layerEpochs", "sparsity"] as const),
      ],
    });
  },

  restore: (files, { engine }) =>
    restoreFactorModel(engine, files, shape, {
      network: (given: Shape, form) => networkEncoder(engine, readingOf(layersOf(form, given)), given.latent),
      restore: (grown) => cdl.restore(grown, { engine }),
    }),
};
