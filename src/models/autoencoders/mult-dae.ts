// Mult-DAE (Liang, Krishnan, Hoffman, Jebara: "Variational autoencoders for collaborative filtering", WWW 2018, section
// 2.3): the denoising autoencoder with the same likelihood and no sampling,
//
//   minimise  -log p(x_u | f(g(dropout(x_u / ||x_u||)))) + lambda sum over W of ||W||^2
//
// Settings as in the authors' notebook (dawenl/vae_cf, VAE_ML20M_WWW2018.ipynb): items -> 200 -> items, tanh at the bottleneck,
// lambda = 0.01 / 500 over weights, not biases.

import { z } from "zod";
import { sum, sumOfSquares } from "../../compute/objective.js";
import { tanh } from "../../compute/ops/tanh.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { SparseTensor } from "../../compute/tensor.js";
import { type RandomKey, streamOf } from "../../core/philox.js";
import { SparseLinear } from "../../nn/linear.js";
import { Mlp } from "../../nn/mlp.js";
import { OutputLayer } from "../../nn/output-layer.js";
import { allocated } from "../../nn/parameters.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { checkSparseAdam, layerSizes, published, savedConfig, size, sparseAdam } from "../settings.js";
import { requireNetworkMemory } from "../training-memory.js";
import { type BatchLoss, type Network, networkRecommender, restoreNetwork } from "./network.js";
import { checkScheduler, recoTour } from "./plateau-options.js";
import { trainNetwork } from "./training.js";

const settings = z.strictObject({
  hidden: layerSizes
    .default([])
    .describe(
      "sizes of the layers before the bottleneck; the decoder mirrors them (none in Liang et al.'s notebook)",
    ),
  latent: size.default(200).describe("size of the bottleneck (Liang et al. 2018, section 4.4)"),
  dropout: published.dropout,
  l2: z
    .number()
    .min(0)
    .default(0.01 / 500)
    .describe(
      "lambda: weight of the L2 penalty, the sum of all squared weights without biases (Liang et al.'s notebook, 0.01 / batch size)",
    ),
  learningRate: published.learningRate,
  sparseAdam,
  batchSize: published.batchSize,
  epochs: published.epochs,
  patience: published.patience,
  ...recoTour,
});
const options = settings.superRefine(checkScheduler).superRefine(checkSparseAdam);
export type MultDaeOptions = z.infer<typeof options>;

/** The options that determine the shape of the network. */
const shape = z.object({ hidden: settings.shape.hidden, latent: settings.shape.latent });

class MultDaeNetwork implements Network {
  readonly output: OutputLayer;
  readonly #input: SparseLinear;
  readonly #inner: Mlp;

  constructor(items: number, { hidden, latent }: z.infer<typeof shape>) {
    const sizes = [...hidden, latent, ...hidden.toReversed()];
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

  /** tanh on all layers except the output, including the bottleneck. */
  #hidden(tape: Tape, histories: SparseTensor, dropout?: { rate: number; key: RandomKey }): Variable {
    const first = this.#input.forward(tape, histories, { rowScale: "l2", dropout });
    return this.#inner.forward(tape, tanh(tape, first));
  }

  /** The negative log-likelihood summed over the batch's users, and the L2 term. */
  loss(tape: Tape, x: SparseTensor, lambda: number, dropout?: { rate: number; key: RandomKey }): BatchLoss {
    const weights = this.parameters.filter(({ name }) => name.endsWith(".weight"));
    return {
      loss: sum(this.output.loss(tape, this.#hidden(tape, x, dropout), x)),
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

  async fit(dataset, options, run) {
    const [{ fit }, { minimise }, { plateauOf }] = await Promise.all([
      import("../../training/fit.js"),
      import("../../training/minimise.js"),
      import("../../training/plateau.js"),
    ]);
    const { engine, seed } = run;
    const { batchSize, learningRate, epochs, patience, l2, dropout: rate } = options;
    const network = new MultDaeNetwork(dataset.items.size, options);
    requireNetworkMemory(
      {
        algorithm: multDae.name,
        items: dataset.items.size,
        parameters: network.parameters,
        batchSize,
        smaller: "a smaller bottleneck (--set latent=100)",
      },
      run,
    );
    await allocated(network, run);
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
      adam: { weightDecay: options.weightDecay, sparse: options.sparseAdam },
      plateau: plateauOf(options),
      loss(tape, batch, update) {
        const key = { seed, step: update, stream: streamOf("dropout") };
        return network.loss(tape, batch, l2, rate > 0 ? { rate, key } : undefined);
      },
      minimise,
    });
    return fit({ algorithm: multDae, options, dataset, trainable, epochs, patience }, run);
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
