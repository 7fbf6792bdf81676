// Vamp, and Vamp (gated): Mult-VAE with a VampPrior (Kim and Suh: "Enhancing VAEs for collaborative filtering", RecSys 2019,
// sections 4.1 and 4.2; psywaves/EVCF, models/Vamp.py):
//
//   q(z | x) = N(mu(x), diag(sigma^2(x))),  x divided by its L2 norm, then dropout, then n hidden layers
//   p(x | z): n hidden layers, then a multinomial or Bernoulli output
//   p(z) = 1/K sum over k of q(z | u_k),  u_k in [0, 1]^items learned, with dropout like histories, not normalised
//   minimise  -log p(x | z) + beta (log q(z | x) - log p(z))  at one sample of z
//
// A history is scored by the mean of q(z | x). The output's softmax can be sampled (`negatives`); the pseudo-inputs are dense over all
// items, so the first layer's gradient and Adam stay dense, and an update still costs K rows of all items.

import { z } from "zod";
import type { ItemSample } from "../../compute/item-selection.js";
import { sum } from "../../compute/objective.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { SparseTensor } from "../../compute/tensor.js";
import type { RandomKey } from "../../core/philox.js";
import { Mlp } from "../../nn/mlp.js";
import type { OutputLayer } from "../../nn/output-layer.js";
import { type PseudoInputs, vampLogDensity } from "../../nn/vamp-prior.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { OutlineBuilder } from "../../recommender/outline.js";
import type { Prediction } from "../../training/halves.js";
import { checkSampledOutput, sampledOutput, size } from "../settings.js";
import {
  droppedAt,
  type EvcfNetwork,
  type EvcfTraining,
  evcfAlgorithm,
  evcfOptions,
  evcfShape,
  HistoryEncoder,
  layerStart,
  outputLayer,
  pseudoInputs,
  type Terms,
} from "./evcf.js";
import type { Latent } from "./network.js";
import { outlineGaussian, outlineInput, outlineOutput, outlineStack } from "./outline.js";

const { hidden, ...others } = evcfOptions;
const settings = z.strictObject({
  hidden,
  latent: size.default(200).describe("dimensions of z (EVCF's program; the paper does not say)"),
  ...others,
  ...sampledOutput,
});
const options = settings.superRefine(checkSampledOutput);
export type VampOptions = z.infer<typeof options>;

/** The options that determine the shape of the network. */
const shape = z.object({ ...evcfShape, latent: settings.shape.latent });
type Shape = z.infer<typeof shape>;

class VampNetwork implements EvcfNetwork {
  readonly output: OutputLayer;
  readonly latent: Latent;
  readonly #encoder: HistoryEncoder;
  readonly #decoder: Mlp;
  readonly #pseudoInputs: PseudoInputs;
  readonly #likelihood: VampOptions["likelihood"];

  constructor(
    items: number,
    given: Shape,
    { likelihood = "multinomial", pseudoInputStart }: Partial<EvcfTraining> = {},
  ) {
    const { hidden, latent, layers, gated } = given;
    const sizes = [latent, ...new Array<number>(layers).fill(hidden)];
    this.#likelihood = likelihood;
    this.latent = {
      dimensions: latent,
      what: "the mean of q(z | x)",
      mean: (tape, x) => this.#encoder.forward(tape, x).mean,
    };
    this.#encoder = new HistoryEncoder("encoder", { ...given, items, latent });
    this.#decoder = new Mlp({ ...layerStart, name: "decoder", sizes, activateLast: true, gated });
    this.output = outputLayer(items, given);
    this.#pseudoInputs = pseudoInputs(items, given, pseudoInputStart);
  }

  get parameters() {
    const { output } = this;
    return [this.#encoder, this.#decoder, output, this.#pseudoInputs].flatMap(({ parameters }) => parameters);
  }

  activations(tape: Tape, histories: SparseTensor): Variable {
    return this.#decoder.forward(tape, this.#encoder.forward(tape, histories).mean);
  }

  terms(
    tape: Tape,
    { x, target }: Prediction,
    rate: number,
    key: (name: string) => RandomKey,
    selection?: ItemSample,
  ): Terms {
    const posterior = this.#encoder.forward(tape, x, droppedAt(rate, key("dropout")));
    const z = posterior.sample(tape, key("noise"));
    const hidden = this.#decoder.forward(tape, z);
    const u = this.#pseudoInputs.forward(tape, droppedAt(rate, key("dropout of pseudo-inputs")));
    const components = this.#encoder.forwardPseudoInputs(tape, u);
    const logQ = posterior.logDensity(tape, z);
    const logP = vampLogDensity(tape, z, components);
    return {
      negativeLogLikelihood: sum(
        this.output.loss(tape, hidden, target, { likelihood: this.#likelihood, selection }),
      ),
      kl: sum(logQ).plus(sum(logP).times(-1)),
    };
  }
}

export const vamp: Algorithm<VampOptions> = evcfAlgorithm({
  name: "vamp",
  summary: "Variational autoencoder with a VampPrior: a mixture of the posteriors of learned pseudo-inputs.",
  options,
  shape,
  outline(items, { hidden, layers, gated, latent, dropout, likelihood, pseudoInputs: count }) {
    const outline = new OutlineBuilder();
    const sizes = new Array<number>(layers).fill(hidden);
    outlineInput(outline, items, { dropout });
    outlineStack(outline, "encoder", sizes, { gated });
    const z = outlineGaussian(outline, latent);
    const u = outline.add("pseudo_inputs", "Learned, in [0, 1]", {
      ...{ from: [], output: items, rows: count, parameters: count * items, column: 2 },
    });
    outline.add("prior", "Mixture of q(z | u)", { from: [u], output: latent, rows: count });
    for (const [layer, size] of sizes.entries())
      outline.dense(`decoder_${layer}`, size, "tanh", {
        ...{ gated, from: layer === 0 ? [z] : [`decoder_${layer - 1}`] },
      });
    outlineOutput(outline, items, likelihood);
    return outline.layers;
  },
  Network: VampNetwork,
});
