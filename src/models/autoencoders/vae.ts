// The variational autoencoder of the Keras notebooks (papers/keras-vae-notebook-v1 and -v2), with a Bernoulli likelihood:
//
//   h = relu(W dropout(x) + b),  q(z | x) = N(W_m h + b_m, diag(exp(W_v h + b_v))),  z ~ q(z | x)
//   p_i = sigmoid(output_i(relu(decoder(z))))
//   minimise  R + beta KL(q(z | x) || N(0, I)),  R = -(sum or mean over i) of x_i log p_i + (1 - x_i) log(1 - p_i)
//
// Sizes, optimiser and the cap of beta are those of notebook v2. Bugs of the notebooks are corrected by default (reconstruction
// is summed, not averaged; scores use the mean of z; NDCG@100 selects the epoch, and the best weights are kept; beta is annealed
// by update). The option group `compatibility` restores the notebooks' behaviour; the presets keras-notebook-v1 and -v2 set it.
// Keras clips p to [1e-7, 1 - 1e-7]; here the loss is computed from logits and needs no clipping.

import { z } from "zod";
import { sum } from "../../compute/objective.js";
import { relu } from "../../compute/ops/relu.js";
import { Tape, type Variable } from "../../compute/tape.js";
import { type SparseTensor, viewRows } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import { type RandomKey, streamOf } from "../../core/philox.js";
import type { HeldOutSplit } from "../../data/dataset.js";
import { glorotUniform, zeros } from "../../nn/initializers.js";
import { Linear, SparseLinear } from "../../nn/linear.js";
import { Mlp } from "../../nn/mlp.js";
import { DiagonalNormal } from "../../nn/normal.js";
import { OutputLayer } from "../../nn/output-layer.js";
import { allocated } from "../../nn/parameters.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { OutlineBuilder } from "../../recommender/outline.js";
import { type CsrMatrix, fromRows, rowIndices, sliceRows } from "../../sparse/csr.js";
import { averageDecay, layerSizes, published, savedConfig, size, sparseAdam, target } from "../settings.js";
import { requireNetworkMemory } from "../training-memory.js";
import { type BatchLoss, type Latent, type Network, networkRecommender, restoreNetwork } from "./network.js";
import { outlineGaussian, outlineInput, outlineOutput, outlineStack } from "./outline.js";
import { trainNetwork } from "./training.js";

/** Deviations of the notebooks from a correct implementation; the defaults are correct. */
const compatibility = z.strictObject({
  reconstruction: z
    .enum(["sum", "mean"])
    .default("sum")
    .describe(
      "cross-entropy over the items: sum, or mean as in Keras (the notebooks); beta with mean corresponds to beta x items with sum",
    ),
  anneal: z
    .enum(["update", "epoch", "batch-in-epoch"])
    .default("update")
    .describe(
      "how beta is annealed: update = by the number of updates, before each update; epoch = set at the end of each epoch to annealMultiplier x epoch index / annealSteps (notebook v2); batch-in-epoch = set at the end of each batch to its index within the epoch / annealSteps (notebook v1, a sawtooth)",
    ),
  annealMultiplier: z
    .number()
    .positive()
    .default(40)
    .describe(
      "with compatibility.anneal=epoch: number of updates that each epoch counts as (notebook v2's anneal_multiplier)",
    ),
  initialBeta: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "with compatibility.anneal=epoch or batch-in-epoch: beta until it is first set (1 in notebook v1; 0 in notebook v2 in a fresh kernel, .072 to .2 in its recorded run)",
    ),
  monitor: z
    .enum(["ndcg@100", "loss"])
    .default("ndcg@100")
    .describe(
      "validation metric for selecting the epoch and for early stopping; loss = Keras' val_loss (the notebooks)",
    ),
  restoreBest: z
    .boolean()
    .default(true)
    .describe("true = keep the weights of the best epoch; false = of the last epoch (the notebooks)"),
  validateOn: z
    .enum(["held-out", "complete", "full-histories"])
    .default("held-out")
    .describe(
      "input and target of the validation loss: held-out = fold-in items and held-out items; complete = fold-in items and complete histories (notebook v1); full-histories = complete histories for both (notebook v2)",
    ),
  recallCurve: z
    .enum(["held-out", "complete"])
    .default("held-out")
    .describe(
      "recall@20 of each epoch: held-out = fold-in items are masked, the held-out items count; complete = nothing is masked, all items of a history count (notebook v1's callback)",
    ),
  sampleAtPrediction: z
    .boolean()
    .default(false)
    .describe(
      "score from a sample of z instead of its mean (the notebooks); the noise is determined by the seed and the history",
    ),
});

const options = z.strictObject({
  hidden: layerSizes
    .min(1)
    .default([100])
    .describe("sizes of the encoder's hidden layers; the decoder mirrors them (notebook v2; 120 in v1)"),
  latent: size.default(25).describe("dimensions of z (notebook v2; 40 in v1)"),
  inputNorm: z
    .enum(["none", "l2"])
    .default("none")
    .describe(
      "normalisation of the input: none = 0/1 rows (the notebooks); l2 = rows divided by their L2 norm, as in Mult-VAE",
    ),
  dropout: published.dropout.describe("dropout rate of a history in training (the notebooks)"),
  beta: z
    .number()
    .min(0)
    .default(0.2)
    .describe("weight of the KL term once annealed (the notebooks' anneal_cap)"),
  annealSteps: z
    .number()
    .min(0)
    .default(5000)
    .describe(
      "updates after which an uncapped beta would reach 1 (the notebooks' total_anneal_steps); 0 = no annealing",
    ),
  learningRate: z.number().positive().default(1e-3).describe("Adam's learning rate (Keras' default)"),
  target,
  sparseAdam,
  batchSize: size.default(32).describe("users per update (notebook v2; 128 in v1)"),
  epochs: size
    .default(75)
    .describe("maximum number of passes over the training users (notebook v2; 50 in v1)"),
  averageDecay,
  patience: size
    .optional()
    .describe(
      "stop after this many epochs without improvement of the monitored metric (8 in notebook v2, 5 in v1); unset = never",
    ),
  compatibility: compatibility.prefault({}).describe("bugs of the notebooks, for reproducing their results"),
});
export type VaeOptions = z.infer<typeof options>;

/** The options that determine the shape of the network and its scores. */
const shape = z.object({
  hidden: options.shape.hidden,
  latent: options.shape.latent,
  inputNorm: options.shape.inputNorm,
  /** The seed of the noise at prediction; absent = none. */
  samplingSeed: z.int().min(0).optional(),
});
type Shape = z.infer<typeof shape>;

class VaeNetwork implements Network {
  readonly output: OutputLayer;
  readonly latent: Latent;
  readonly #input: SparseLinear;
  readonly #encoder: Mlp;
  readonly #mean: Linear;
  readonly #logVariance: Linear;
  readonly #decoder: Mlp;
  readonly #shape: Shape;

  /** Initial values: Glorot-uniform weights, zero biases (Keras' defaults). */
  constructor(items: number, given: Shape) {
    const { hidden, latent } = given;
    const init = { weight: glorotUniform, bias: zeros };
    const last = hidden[hidden.length - 1];
    const decoder = [latent, ...hidden.toReversed()];
    const mlp = { ...init, activateLast: true, activation: relu };
    const head = { ...init, inputs: last, outputs: latent };
    this.#shape = given;
    this.latent = {
      dimensions: latent,
      what: "the mean of q(z | x)",
      mean: (tape, x) => this.posterior(tape, x).mean,
    };
    this.#input = new SparseLinear({ ...init, name: "encoder.input", inputs: items, outputs: hidden[0] });
    this.#encoder = new Mlp({ ...mlp, name: "encoder", sizes: hidden });
    this.#mean = new Linear({ ...head, name: "encoder.mean" });
    this.#logVariance = new Linear({ ...head, name: "encoder.logVariance" });
    this.#decoder = new Mlp({ ...mlp, name: "decoder", sizes: decoder });
    this.output = new OutputLayer({ ...init, name: "decoder.output", inputs: hidden[0], outputs: items });
  }

  get parameters() {
    const { output } = this;
    return [this.#input, this.#encoder, this.#mean, this.#logVariance, this.#decoder, output].flatMap(
      ({ parameters }) => parameters,
    );
  }

  /** q(z | x) */
  posterior(tape: Tape, histories: SparseTensor, dropout?: { rate: number; key: RandomKey }): DiagonalNormal {
    const input = this.#input.forward(tape, histories, { rowScale: this.#shape.inputNorm, dropout });
    const h = this.#encoder.forward(tape, relu(tape, input));
    return new DiagonalNormal(this.#mean.forward(tape, h), this.#logVariance.forward(tape, h));
  }

  activations(tape: Tape, histories: SparseTensor, rows: CsrMatrix): Variable {
    const { samplingSeed } = this.#shape;
    const posterior = this.posterior(tape, histories);
    const z =
      samplingSeed === undefined ? posterior.mean : sampleByHistory(tape, posterior, rows, samplingSeed);
    return this.#decoder.forward(tape, z);
  }

  /** R and KL per user, [rows, 1] each: R summed over the items, z sampled if a key is given. */
  terms(
    tape: Tape,
    x: SparseTensor,
    target: SparseTensor,
    noise: RandomKey | undefined,
    dropout?: { rate: number; key: RandomKey },
  ): { reconstruction: Variable; kl: Variable } {
    const posterior = this.posterior(tape, x, dropout);
    const z = noise ? posterior.sample(tape, noise) : posterior.mean;
    return {
      reconstruction: this.output.loss(tape, this.#decoder.forward(tape, z), target, {
        likelihood: "bernoulli",
      }),
      kl: posterior.kl(tape),
    };
  }
}

/** A sample of z per history. The noise depends on the seed and the set of items, so it does not depend on the batch. */
function sampleByHistory(tape: Tape, posterior: DiagonalNormal, rows: CsrMatrix, seed: number): Variable {
  const [mean, logVariance] = [posterior.mean.value, posterior.logVariance.value];
  const out = tape.empty(mean.rows, mean.columns);
  for (let r = 0; r < mean.rows; r++) {
    const items = Uint32Array.from(rowIndices(rows, r)).sort();
    const key = { seed, step: streamOf(items.join()), stream: streamOf("noise at prediction") };
    const [to, m, v] = [out, mean, logVariance].map((tensor) => viewRows(tensor, r, r + 1));
    tape.engine.gaussianSample(to, m, v, key);
  }
  return tape.constant(out);
}

type Compatibility = VaeOptions["compatibility"];
type Schedule = Pick<VaeOptions, "beta" | "annealSteps"> &
  Pick<Compatibility, "anneal" | "annealMultiplier" | "initialBeta">;

/** Beta in the `update`-th update of the run (from 1), with `updatesPerEpoch` updates per epoch. */
export function betaAt(
  { beta: cap, anneal, annealSteps, annealMultiplier, initialBeta }: Schedule,
  update: number,
  updatesPerEpoch: number,
): number {
  const grown = (steps: number) => (annealSteps === 0 ? cap : Math.min(cap, steps / annealSteps));
  switch (anneal) {
    case "update":
      return grown(update - 1);
    case "epoch": {
      // Set at the end of epoch e (from 0) to the value of e: epoch e itself uses the value of e - 1.
      const epoch = Math.floor((update - 1) / updatesPerEpoch);
      return epoch === 0 ? initialBeta : grown(annealMultiplier * (epoch - 1));
    }
    case "batch-in-epoch":
      // Set at the end of a batch to the value of its index within its epoch.
      return update === 1 ? initialBeta : grown((update - 2) % updatesPerEpoch);
    default:
      return anneal satisfies never;
  }
}

/** Input and target of the validation loss. */
function validationRows(
  { foldIn, heldOut }: HeldOutSplit,
  validateOn: Compatibility["validateOn"],
): { input: CsrMatrix; target: CsrMatrix } {
  if (validateOn === "held-out") return { input: foldIn, target: heldOut };
  const rows = Array.from({ length: foldIn.rows }, (_, r) => [
    ...rowIndices(foldIn, r),
    ...rowIndices(heldOut, r),
  ]);
  const complete = fromRows(foldIn.columns, rows);
  return { input: validateOn === "complete" ? foldIn : complete, target: complete };
}

export const vae: Algorithm<VaeOptions> = {
  name: "vae",
  summary: "Variational autoencoder with a Bernoulli likelihood, after the Keras notebooks.",
  source:
    "Keras notebooks on VAEs for collaborative filtering, v1 and v2, after Liang et al. 2018 (logistic likelihood)",
  options,
  warmStart: true,
  blocks: true,

  /** The layers as Keras' `summary()` has them, named after the notebooks'. */
  outline(items, { hidden, latent, dropout, inputNorm }) {
    const outline = new OutlineBuilder();
    outlineInput(outline, items, { dropout, l2: inputNorm === "l2" });
    outlineStack(outline, "encoder", hidden, { activation: "relu" });
    outlineGaussian(outline, latent);
    outlineStack(outline, "decoder", hidden.toReversed(), { activation: "relu" });
    outlineOutput(outline, items, "bernoulli");
    return outline.layers;
  },

  async fit(dataset, options, run) {
    const [{ fit }, { minimise, updatesPerPass }, { evaluateSplit }, { predictionOf }] = await Promise.all([
      import("../../training/fit.js"),
      import("../../training/minimise.js"),
      import("../../evaluation/evaluate.js"),
      import("../../training/halves.js"),
    ]);
    const { engine, seed } = run;
    const { batchSize, learningRate, epochs, patience, averageDecay, dropout: rate, compatibility } = options;
    const { restoreBest, sampleAtPrediction, monitor, recallCurve } = compatibility;
    const items = dataset.items.size;
    if (items === 0)
      throw new UserError({ place: dataset.name, problem: "has no items", remedy: "Prepare it again" });
    const updatesPerEpoch = updatesPerPass(dataset.train.rows, batchSize);
    const beta = (update: number) => betaAt({ ...options, ...compatibility }, update, updatesPerEpoch);
    const weight = compatibility.reconstruction === "mean" ? 1 / items : 1;
    const given = { ...options, samplingSeed: sampleAtPrediction ? seed : undefined };
    const network = new VaeNetwork(items, given);
    requireNetworkMemory(
      {
        algorithm: vae.name,
        items,
        parameters: network.parameters,
        batchSize,
        averageDecay,
        smaller: "smaller layers (--set hidden=200 --set latent=50)",
      },
      run,
    );
    await allocated(network, run);

    const predict = predictionOf(dataset.train, options, run);
    const trainable = trainNetwork({
      engine,
      communicator: run.communicator,
      network,
      algorithm: vae.name,
      config: savedConfig(shape, given),
      items: dataset.items,
      histories: dataset.train,
      batchSize,
      learningRate,
      // Keras' Adam. Gradients of a mean over thousands of items can be as small as this epsilon.
      adam: { epsilon: 1e-7, epsilonHat: true, sparse: options.sparseAdam },
      parts: ["kl"],
      loss(tape, batch, update, rows): BatchLoss {
        const key = (name: string) => ({ seed, step: update, stream: streamOf(name) });
        const { x, target } = predict(tape, batch, update, rows);
        const dropout = rate > 0 ? { rate, key: key("dropout") } : undefined;
        const terms = network.terms(tape, x, target, key("noise"), dropout);
        const kl = sum(terms.kl);
        return {
          loss: sum(terms.reconstruction)
            .times(weight)
            .plus(kl.times(beta(update))),
          parts: { kl },
        };
      },
      report: (updates) => ({ beta: beta(updates) }),
      minimise,
    });

    // Keras validates after the callback at the end of the last batch, but before the callback at the end of the epoch.
    const betaAtValidation = (updates: number) =>
      beta(compatibility.anneal === "batch-in-epoch" ? updates + 1 : updates);
    const { input, target } = validationRows(dataset.validation, compatibility.validateOn);

    /** The mean loss over the validation users, without dropout; z as at prediction. */
    async function validationLoss(updates: number): Promise<number> {
      const total = engine.zeros(1, 1);
      try {
        for (let first = 0; first < input.rows; first += batchSize) {
          const last = Math.min(input.rows, first + batchSize);
          const tape = new Tape(engine, { gradients: false });
          try {
            const [x, y] = [input, target].map((matrix) =>
              tape.histories(sliceRows(matrix, first, last), run.division),
            );
            const stream = streamOf(`validation noise ${first}`);
            const noise = sampleAtPrediction ? { seed, step: updates, stream } : undefined;
            const { reconstruction, kl } = network.terms(tape, x, y, noise);
            engine.addSum(total, reconstruction.value, weight);
            engine.addSum(total, kl.value, betaAtValidation(updates));
          } finally {
            tape.dispose();
          }
        }
        return (await engine.read(total))[0] / input.rows;
      } finally {
        engine.release(total);
      }
    }

    return fit(
      {
        algorithm: vae,
        options,
        dataset,
        trainable,
        epochs,
        patience,
        averageDecay,
        restoreBest,
        monitor: { value: monitor, lowerIsBetter: monitor === "loss" },
        async validate(model, { updates }, signal) {
          const complete = recallCurve === "complete";
          const { metrics } = await evaluateSplit(model, dataset.validation, {
            metrics: ["recall@20"],
            truth: recallCurve,
            maskKnown: !complete,
            signal,
          });
          return { "recall@20": metrics["recall@20"].mean, loss: await validationLoss(updates) };
        },
      },
      run,
    );
  },

  async restore(files, { engine }) {
    const network = await restoreNetwork(
      engine,
      shape,
      files,
      (given) => new VaeNetwork(files.items.size, given),
    );
    return networkRecommender(engine, network, files, { final: true });
  },
};
