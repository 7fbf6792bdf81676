// The networks of CVAE for pictures (Li and She 2017, figure 3a): convolutions for inference, transposed convolutions for generation.
//
//   inference   h_l = relu(windows(h_(l-1)) W_l + b_l);   mu = h_L M + m,   log sigma^2 = h_L S + t
//   generation  g_L = relu(z G + g),  g_(l-1) = relu(spread(g_l V_l) + c_l);   x ~ p(spread(g_1 V_1) + c_1)
//
// Each layer has 4 x 4 windows with stride 2 and halves the picture (Radford, Metz, Chintala 2016). p is
// Bernoulli(sigmoid(.)) or N(., 1 / lambda_x) per channel of a pixel.

import { scale } from "../../compute/ops/arithmetic.js";
import { denseBernoulliLoss, halfSquaredDistance } from "../../compute/ops/dense-likelihood.js";
import { relu } from "../../compute/ops/relu.js";
import type { Parameter } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import { glorotUniform, zeros } from "../../nn/initializers.js";
import { Linear } from "../../nn/linear.js";
import { DiagonalNormal } from "../../nn/normal.js";
import { type ContentBatch, denseRows } from "./batches.js";
import type { ContentVae } from "./network.js";
import { type Filters, type ImageForm, PictureLayers } from "./picture-layers.js";
import type { ContentLikelihood } from "./tied-mlp.js";

export interface ConvolutionalOptions {
  readonly filters: readonly number[];
  readonly latent: number;
}

export class ConvolutionalVae implements ContentVae {
  readonly scaffolding: readonly Parameter[] = [];
  readonly parts = [];
  readonly #layers: PictureLayers;
  readonly #encoder: readonly Filters[];
  readonly #mean: Linear;
  readonly #logVariance: Linear;
  readonly #top: Linear;
  readonly #decoder: readonly Filters[];
  readonly #likelihood: ContentLikelihood;
  readonly #precision: number;

  constructor(
    form: ImageForm,
    options: ConvolutionalOptions & {
      readonly likelihood: ContentLikelihood;
      /** lambda_x */
      readonly precision: number;
    },
  ) {
    const { filters, latent, likelihood, precision } = options;
    const layers = new PictureLayers(form, filters);
    const init = { weight: glorotUniform, bias: zeros };
    const head = { ...init, inputs: layers.outputs, outputs: latent };
    this.#layers = layers;
    this.#encoder = layers.filters("encoder", glorotUniform);
    this.#mean = new Linear({ ...head, name: "mean" });
    this.#logVariance = new Linear({ ...head, name: "logVariance" });
    this.#top = new Linear({ ...init, name: "top", inputs: latent, outputs: layers.outputs });
    this.#decoder = layers.filtersBack("decoder", glorotUniform);
    this.#likelihood = likelihood;
    this.#precision = precision;
  }

  get parameters(): readonly Parameter[] {
    const layers = [...this.#encoder, this.#mean, this.#logVariance, this.#top, ...this.#decoder];
    return layers.flatMap(({ weight, bias }) => [weight, bias]);
  }

  /** The weights of the convolutions in both directions. */
  get weights(): readonly Parameter[] {
    return [...this.#encoder, ...this.#decoder].map(({ weight }) => weight);
  }

  posterior(tape: Tape, x: ContentBatch): DiagonalNormal {
    const turned = this.#layers.turned(tape, denseRows(x));
    const h = this.#layers.forward(tape, turned, this.#encoder);
    return new DiagonalNormal(this.#mean.forward(tape, h), this.#logVariance.forward(tape, h));
  }

  reconstruction(tape: Tape, z: Variable, x: ContentBatch): Variable {
    const top = relu(tape, this.#top.forward(tape, z));
    const output = this.#layers.back(tape, top, this.#decoder);
    const turned = this.#layers.turned(tape, denseRows(x));
    if (this.#likelihood === "bernoulli") return denseBernoulliLoss(tape, output, turned);
    return scale(tape, halfSquaredDistance(tape, output, tape.constant(turned)), this.#precision);
  }
}
