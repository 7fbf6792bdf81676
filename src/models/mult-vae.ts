// Mult-VAE^PR (Liang, Krishnan, Hoffman, Jebara: "Variational autoencoders for collaborative filtering", WWW 2018):
//
//   z_u ~ N(0, I),   x_u ~ Multinomial(n_u, softmax(f(z_u)))                                        (equation 1)
//   q(z_u | x_u) = N(mu(x_u), diag(sigma^2(x_u))),   x_u divided by its L2 norm, then dropout       (section 2.2, 2.4)
//   minimise  -E_q[log p(x_u | z_u)] + beta KL(q(z_u | x_u) || N(0, I))                             (equation 7)
//
// with beta annealed from 0 to a cap (section 2.2.2). A history is scored by f(mu). Settings as in the authors' notebook
// (dawenl/vae_cf, VAE_ML20M_WWW2018.ipynb). As there, the log-variance is not clamped: a clamp would change the gradient
// where it acts, and a run that overflows is stopped by the check of its loss.

import { z } from "zod";
import type { Engine } from "../compute/engine.js";
import { sum } from "../compute/objective.js";
import { tanh } from "../compute/ops/tanh.js";
import type { Tape, Variable } from "../compute/tape.js";
import type { SparseTensor } from "../compute/tensor.js";
import { type RandomKey, streamOf } from "../core/philox.js";
import { zeros } from "../nn/initializers.js";
import { SparseLinear } from "../nn/linear.js";
import { Mlp } from "../nn/mlp.js";
import { DiagonalNormal } from "../nn/normal.js";
import { OutputLayer } from "../nn/output-layer.js";
import type { Algorithm } from "../recommender/algorithm.js";
import {
  type BatchLoss,
  type Network,
  networkRecommender,
  pairs,
  published,
  restoreNetwork,
  savedConfig,
  size,
  trainNetwork,
} from "./multinomial-autoencoder.js";

const options = z.strictObject({
  hidden: z
    .array(size)
    .default([600])
    .describe(
      "sizes of the encoder's hidden layers; the decoder mirrors them (Liang et al. 2018, section 4.4)",
    ),
  latent: size.default(200).describe("dimensions of z (Liang et al. 2018, section 4.4)"),
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
      "updates in which beta would grow to 1: beta = min(cap, updates / annealSteps), 200,000 in Liang et al.'s notebook; 0 = no annealing; unset = the cap is reached at 85 % of the planned updates, as there on ML-20M",
    ),
  learningRate: published.learningRate,
  batchSize: published.batchSize,
  epochs: published.epochs,
  patience: published.patience,
});
export type MultVaeOptions = z.infer<typeof options>;

/** What of the options shapes the network. */
const shape = z.object({ hidden: options.shape.hidden, latent: options.shape.latent });

/** [inputs, outputs] of every layer, from a history to the logits. */
function layersOf(items: number, { hidden, latent }: z.infer<typeof shape>): [number, number][] {
  return [...pairs([items, ...hidden, 2 * latent]), ...pairs([latent, ...hidden.toReversed(), items])];
}

class MultVaeNetwork implements Network {
  readonly output: OutputLayer;
  readonly #input: SparseLinear;
  readonly #encoder: Mlp;
  readonly #decoder: Mlp;

  /** Initial values depend on the seed; without one all are zero, to be loaded. */
  constructor(engine: Engine, items: number, { hidden, latent }: z.infer<typeof shape>, seed?: number) {
    const init = seed === undefined ? { seed: 0, weight: zeros, bias: zeros } : { seed };
    const [first, ...rest] = [...hidden, 2 * latent];
    const decoder = [latent, ...hidden.toReversed()];
    this.#input = new SparseLinear(engine, { ...init, name: "encoder.input", inputs: items, outputs: first });
    this.#encoder = new Mlp(engine, {
      ...init,
      name: "encoder",
      sizes: [first, ...rest],
      activateLast: false,
    });
    this.#decoder = new Mlp(engine, { ...init, name: "decoder", sizes: decoder, activateLast: true });
    this.output = new OutputLayer(engine, {
      ...init,
      name: "decoder.output",
      inputs: decoder[decoder.length - 1],
      outputs: items,
    });
  }

  get parameters() {
    return [this.#input, this.#encoder, this.#decoder, this.output].flatMap(({ parameters }) => parameters);
  }

  /** q(z | x): tanh on all layers but the last, which holds [mu | log sigma^2]. */
  posterior(tape: Tape, histories: SparseTensor, dropout?: { rate: number; key: RandomKey }): DiagonalNormal {
    const first = this.#input.forward(tape, histories, { rowScale: "l2", dropout });
    const isLast = this.#encoder.layers.length === 0;
    return DiagonalNormal.fromHalves(tape, isLast ? first : this.#encoder.forward(tape, tanh(tape, first)));
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
    dropout: number,
    key: (name: string) => RandomKey,
  ): BatchLoss {
    const posterior = this.posterior(
      tape,
      x,
      dropout > 0 ? { rate: dropout, key: key("dropout") } : undefined,
    );
    const z = posterior.sample(tape, key("noise"));
    const negativeLogLikelihood = sum(this.output.loss(tape, this.decode(tape, z), x));
    const kl = sum(posterior.kl(tape));
    return { loss: negativeLogLikelihood.plus(kl.times(beta)), parts: { kl } };
  }
}

export const multVae: Algorithm<MultVaeOptions> = {
  name: "mult-vae",
  summary: "Variational autoencoder with a multinomial likelihood and an annealed KL term.",
  source: "Liang, Krishnan, Hoffman, Jebara: Variational autoencoders for collaborative filtering, WWW 2018",
  options,

  async fit(dataset, options, run) {
    const [{ fit }, { minimise, updatesPerPass }, { annealedBeta }] = await Promise.all([
      import("../training/fit.js"),
      import("../training/minimise.js"),
      import("../training/annealing.js"),
    ]);
    const { engine, seed } = run;
    const { batchSize, learningRate, epochs, patience, annealSteps } = options;
    const plannedUpdates = epochs * updatesPerPass(dataset.train.rows, batchSize);
    const beta = annealedBeta({ cap: options.beta, annealSteps, plannedUpdates });
    const network = new MultVaeNetwork(engine, dataset.items.size, options, seed);
    const trainable = trainNetwork({
      engine,
      network,
      algorithm: multVae.name,
      config: savedConfig(shape, options),
      items: dataset.items,
      histories: dataset.train,
      batchSize,
      learningRate,
      parts: ["kl"],
      loss: (tape, batch, update) =>
        network.loss(tape, batch, beta(update - 1), options.dropout, (name) => ({
          seed,
          step: update,
          stream: streamOf(name),
        })),
      report: (updates) => ({ beta: beta(updates - 1) }),
      minimise,
    });
    return fit({ algorithm: multVae, options, dataset, trainable, epochs, patience }, run);
  },

  async restore(files, { engine }) {
    const network = restoreNetwork(
      shape,
      files,
      layersOf,
      (sizes) => new MultVaeNetwork(engine, files.items.size, sizes),
    );
    return networkRecommender(engine, network, files);
  },
};
