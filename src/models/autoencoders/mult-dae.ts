// Mult-DAE (Liang, Krishnan, Hoffman, Jebara: "Variational autoencoders for collaborative filtering", WWW 2018, section
// 2.3): the denoising autoencoder with the same likelihood and no sampling,
//
//   minimise  -log p(x_u | f(g(dropout(x_u / ||x_u||)))) + lambda sum over W of ||W||^2
//
// Settings as in the authors' notebook (dawenl/vae_cf, VAE_ML20M_WWW2018.ipynb): items -> 200 -> items, tanh at the bottleneck,
// lambda = 0.01 / 500 over weights, not biases.

import { z } from "zod";
import type { ItemSample } from "../../compute/item-selection.js";
import { sum, sumOfSquares } from "../../compute/objective.js";
import { dropout } from "../../compute/ops/dropout.js";
import { tanh } from "../../compute/ops/tanh.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { SparseTensor } from "../../compute/tensor.js";
import { type RandomKey, streamOf } from "../../core/philox.js";
import { SparseLinear } from "../../nn/linear.js";
import { Mlp } from "../../nn/mlp.js";
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
import { logRange } from "../tuned.js";
import { checkLayerDropout, layerDropout, layerOptions } from "./layer-options.js";
import { type BatchLoss, type Network, networkRecommender, restoreNetwork } from "./network.js";
import { outlineDropout, outlineInput, outlineOutput, outlineStack } from "./outline.js";
import { checkScheduler, recoTour } from "./plateau-options.js";
import { trainNetwork } from "./training.js";

const settings = z.strictObject({
  hidden: layerSizes
    .default([])
    .describe(
      "sizes of the layers before the bottleneck; the decoder mirrors them (none in Liang et al.'s notebook)",
    ),
  latent: size
    .default(200)
    .describe("size of the bottleneck (Liang et al. 2018, section 4.4)")
    .meta(logRange(50, 500)),
  likelihood,
  ...layerOptions,
  dropout: published.dropout,
  l2: z
    .number()
    .min(0)
    .default(0.01 / 500)
    .describe(
      "lambda: weight of the L2 penalty, the sum of all squared weights without biases (Liang et al.'s notebook, 0.01 / batch size)",
    )
    .meta(logRange(1e-6, 1e-3)),
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
  .superRefine((given, context) => checkLayerDropout(given, given.hidden, decoderWidths(given), context))
  .superRefine(checkScheduler)
  .superRefine(checkSampledOutput)
  .superRefine(checkSparseAdam);
export type MultDaeOptions = z.infer<typeof options>;

/** What of the options shapes the network. */
const shape = z.object({
  hidden: settings.shape.hidden,
  latent: settings.shape.latent,
  decoderHidden: settings.shape.decoderHidden,
});
type Shape = z.infer<typeof shape>;

/** The decoder's hidden layers, from the bottleneck to the output. */
function decoderWidths({ hidden, decoderHidden }: Pick<Shape, "hidden" | "decoderHidden">): number[] {
  return decoderHidden ?? hidden.toReversed();
}

/** Dropout of an update, by what it is applied to. */
interface Dropped {
  readonly input: { readonly rate: number; readonly key: RandomKey } | undefined;
  /** Of the inputs of the layers after the first, the output layer's last. */
  readonly layers: ReturnType<typeof layerDropout>;
}

function droppedBy(
  { hidden, decoderHidden, dropout: rate, encoderDropout, decoderDropout }: MultDaeOptions,
  key: (name: string) => RandomKey,
): Dropped {
  const decoder = decoderWidths({ hidden, decoderHidden }).length + 1;
  return {
    input: rate > 0 ? { rate, key: key("dropout") } : undefined,
    layers: [
      ...layerDropout("encoder", encoderDropout ?? hidden.map(() => 0), key),
      ...layerDropout("decoder", decoderDropout ?? new Array<number>(decoder).fill(0), key),
    ],
  };
}

class MultDaeNetwork implements Network {
  readonly output: OutputLayer;
  readonly #input: SparseLinear;
  readonly #inner: Mlp;

  constructor(items: number, given: Shape) {
    const sizes = [...given.hidden, given.latent, ...decoderWidths(given)];
    this.#input = new SparseLinear({ name: "input", inputs: items, outputs: sizes[0] });
    this.#inner = new Mlp({ name: "inner", sizes, activateLast: true });
    this.output = new OutputLayer({ name: "output", inputs: sizes[sizes.length - 1], outputs: items });
  }

  get parameters() {
    return [this.#input, this.#inner, this.output].flatMap(({ parameters }) => parameters);
  }

  activations(tape: Tape, histories: SparseTensor): Variable {
    return this.#hidden(tape, histories);
  }

  /** tanh on all layers but the output, the bottleneck's included. */
  #hidden(tape: Tape, histories: SparseTensor, dropped?: Dropped): Variable {
    const first = this.#input.forward(tape, histories, { rowScale: "l2", dropout: dropped?.input });
    const hidden = this.#inner.forward(tape, tanh(tape, first), dropped?.layers);
    const beforeOutput = dropped?.layers[this.#inner.layers.length];
    return beforeOutput ? dropout(tape, hidden, beforeOutput) : hidden;
  }

  /** The negative log-likelihood summed over the batch's users, and the L2 term. */
  loss(
    tape: Tape,
    { x, target }: Prediction,
    options: MultDaeOptions,
    key: (name: string) => RandomKey,
    selection?: ItemSample,
  ): BatchLoss {
    const { l2: lambda, likelihood } = options;
    const weights = this.parameters.filter(({ name }) => name.endsWith(".weight"));
    const hidden = this.#hidden(tape, x, droppedBy(options, key));
    return {
      loss: sum(this.output.loss(tape, hidden, target, { likelihood, selection })),
      penalty: lambda > 0 ? sumOfSquares(weights).times(lambda) : undefined,
    };
  }
}

export const multDae: Algorithm<MultDaeOptions> = {
  name: "mult-dae",
  summary: "Denoising autoencoder with a multinomial likelihood.",
  source: "Liang, Krishnan, Hoffman, Jebara: Variational autoencoders for collaborative filtering, WWW 2018",
  options,
  warmStart: true,
  distills: true,
  blocks: true,

  outline(items, options) {
    const { dropout, hidden, latent, encoderDropout = [], decoderDropout = [], likelihood } = options;
    const outline = new OutlineBuilder();
    outlineInput(outline, items, { dropout });
    // The first rate is the second layer's: the input has its own.
    outlineStack(outline, "encoder", hidden, { rates: [0, ...encoderDropout] });
    outlineDropout(outline, "bottleneck_dropout", encoderDropout.at(-1));
    outline.dense("bottleneck", latent, "tanh");
    outlineStack(outline, "decoder", decoderWidths(options), { rates: decoderDropout });
    outlineDropout(outline, "output_dropout", decoderDropout.at(-1));
    outlineOutput(outline, items, likelihood);
    return outline.layers;
  },

  async fit(dataset, options, run) {
    const [{ fit }, { minimise }, { plateauOf }, { negativeSampler }, { predictionFrom }] = await Promise.all(
      [
        import("../../training/fit.js"),
        import("../../training/minimise.js"),
        import("../../training/plateau.js"),
        import("../../training/negatives.js"),
        import("../../training/distillation.js"),
      ],
    );
    const { engine, seed } = run;
    const { batchSize, learningRate, epochs, patience, averageDecay } = options;
    // A teacher is in memory only before the network is.
    const predict = await predictionFrom(dataset.train, options, run);
    const network = new MultDaeNetwork(dataset.items.size, options);
    requireNetworkMemory(
      {
        algorithm: multDae.name,
        items: dataset.items.size,
        parameters: network.parameters,
        batchSize,
        averageDecay,
        sampled: sampledNeed(dataset.train, options),
        smaller: "a smaller bottleneck (--set latent=100)",
      },
      run,
    );
    await allocated(network, run);
    const sample = negativeSampler(dataset.train, options, seed);
    const trainable = trainNetwork({
      engine,
      communicator: run.communicator,
      network,
      algorithm: multDae.name,
      config: savedConfig(shape, options),
      items: dataset.items,
      histories: dataset.train,
      batchSize,
      learningRate,
      adam: { weightDecay: options.weightDecay, sparse: isSparseAdam(options) },
      plateau: plateauOf(options),
      loss(tape, batch, update, rows) {
        const prediction = predict(tape, batch, update, rows);
        return network.loss(
          tape,
          prediction,
          options,
          (name) => ({ seed, step: update, stream: streamOf(name) }),
          sample?.(prediction.target.touched, update),
        );
      },
      minimise,
    });
    return fit({ algorithm: multDae, options, dataset, trainable, epochs, patience, averageDecay }, run);
  },

  async restore(files, { engine }) {
    const network = await restoreNetwork(
      engine,
      shape,
      files,
      (given) => new MultDaeNetwork(files.items.size, given),
    );
    return networkRecommender(engine, network, files, { final: true });
  },
};
