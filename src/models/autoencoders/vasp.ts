// VASP (Vancura and Kordik: "Deep variational autoencoder with shallow parallel path for top-N recommendation", ICANN 2021), after the
// authors' program (zombak79/vasp, VASP.ipynb and utils.py): a deep variational autoencoder next to a linear one,
//
//   e_1 = LN(swish(W_1 x + b_1)),   e_k = LN(swish(W_k e_(k-1) + b_k + e_1 + ... + e_(k-1))),   7 layers
//   q(z | x) = N(mu(e_7), diag(sigma^2(e_7))),   d_1, ..., d_5 from z by the same equations
//   p = sigmoid(R d_5 + r) sigmoid(S z + s) sigmoid(x B),   diag B = 0
//   minimise  sum over items of the focal cross-entropy of p, + beta KL(q || N(0, I)) / dimensions of z
//
// x is a random half of a history, and the loss compares p with the other half. Each user is in an epoch twice, once with either half
// as x, in different updates. Optimiser (Nadam) and initial values are Keras'; LayerNorm's epsilon is 0.001. A history is scored by p
// at mu. Two things differ from the program: Nadam's state is kept when the learning rate is lowered (the notebook compiles the model
// anew), and B's diagonal is 0 from the start instead of from the first update on.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { readAll, type StoredTensors } from "../../compute/named-tensors.js";
import { sum } from "../../compute/objective.js";
import { focalLoss } from "../../compute/ops/focal-loss.js";
import { sparseLinear } from "../../compute/ops/sparse-linear.js";
import { transposedLinear } from "../../compute/ops/transposed-linear.js";
import { Nadam, type Optimizer } from "../../compute/optimizers.js";
import { loadParameters, Parameter, pendingParameters, saveParameters } from "../../compute/parameter.js";
import { Tape, type Variable } from "../../compute/tape.js";
import { type SparseTensor, type Tensor, viewDiagonal } from "../../compute/tensor.js";
import { type RandomKey, streamOf } from "../../core/philox.js";
import type { Dataset } from "../../data/dataset.js";
import { glorotUniform, type Initializer, zeros } from "../../nn/initializers.js";
import { Linear, SparseLinear } from "../../nn/linear.js";
import { DiagonalNormal } from "../../nn/normal.js";
import { OutputLayer } from "../../nn/output-layer.js";
import { allocated, release } from "../../nn/parameters.js";
import { ResidualStack } from "../../nn/residual-stack.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { OutlineBuilder } from "../../recommender/outline.js";
import type { ModelFiles, Recommender } from "../../recommender/recommender.js";
import type { RunContext } from "../../recommender/run-context.js";
import { scoresOfInput } from "../../recommender/scores.js";
import { stackRows } from "../../sparse/csr.js";
import type { Prediction } from "../../training/halves.js";
import type { Trainable } from "../../training/trainable.js";
import { averageDecay, depth, savedConfig, size } from "../settings.js";
import { requireNetworkMemory } from "../training-memory.js";
import { linearRange, logRange } from "../tuned.js";
import { type BatchLoss, keptModel, restoreNetwork } from "./network.js";
import { outlineGaussian } from "./outline.js";

const options = z.strictObject({
  hidden: size
    .default(4096)
    .describe(
      "width of the hidden layers (the authors' program, for ML-20M); some hundreds suit catalogues of a few thousand items",
    ),
  latent: size
    .default(2048)
    .describe("dimensions of z (the authors' program, for ML-20M); half of hidden is a good start"),
  encoderLayers: depth.default(7).describe("hidden layers of the encoder (the authors' program)"),
  decoderLayers: depth.default(5).describe("hidden layers of the decoder (the authors' program)"),
  alpha: z
    .number()
    .min(0)
    .max(1)
    .default(0.25)
    .describe(
      "focal loss: weight of the items of the target; the others have 1 - alpha (the authors' program, fl_alpha)",
    )
    .meta(linearRange(0.1, 0.75)),
  focus: z
    .number()
    .min(0)
    .default(2)
    .describe(
      "focal loss: exponent gamma that lessens the weight of items that are already predicted well; 0 = weighted cross-entropy (the authors' program, fl_gamma)",
    ),
  beta: z
    .number()
    .min(0)
    .default(1)
    .describe("weight of the KL term, which is the mean over the dimensions of z (the authors' program)")
    .meta(logRange(0.1, 10)),
  learningRate: z
    .number()
    .positive()
    .default(5e-5)
    .describe(
      "Nadam's learning rate (the authors' notebook, for 112 updates an epoch); data with fewer updates needs a higher one, up to 1e-3",
    )
    .meta(logRange(5e-5, 3e-3)),
  lateShare: z
    .number()
    .min(0)
    .max(1)
    .default(4 / 9)
    .describe(
      "share of the epochs, the last ones, that are trained with a lower learning rate (40 of 90 in the authors' notebook)",
    ),
  lateFactor: z
    .number()
    .positive()
    .max(1)
    .default(0.2)
    .describe(
      "by what the learning rate is multiplied in these epochs (5e-5 to 1e-5 in the authors' notebook)",
    ),
  batchSize: size
    .default(1024)
    .describe(
      "users per half-batch: an update has that many histories of either direction (the authors' program); smaller data needs smaller batches",
    )
    .meta(logRange(32, 1024)),
  epochs: size.default(90).describe("passes over the training users (the authors' notebook)"),
  averageDecay,
  patience: size
    .optional()
    .describe("stop after this many epochs without a better validation NDCG@100; unset = never"),
});
export type VaspOptions = z.infer<typeof options>;

/** The options that determine the shape of the network. */
const shape = options.pick({ hidden: true, latent: true, encoderLayers: true, decoderLayers: true }).strip();
type Shape = z.infer<typeof shape>;

const LAYER_NORM_EPSILON = 1e-3;
const KERAS = { weight: glorotUniform, bias: zeros };

/** Glorot-uniform with zeros on the diagonal of a square matrix. */
const zeroDiagonal: Initializer = (rows, columns, key, inputs) => {
  const fill = glorotUniform(rows, columns, key, inputs);
  const step = columns + 1;
  return (out, first) => {
    fill(out, first);
    for (let at = (step - (first % step)) % step; at < out.length; at += step) out[at] = 0;
  };
};

class VaspNetwork {
  readonly #input: SparseLinear;
  readonly #encoder: ResidualStack;
  readonly #mean: Linear;
  readonly #logVariance: Linear;
  readonly #fromLatent: Linear;
  readonly #decoder: ResidualStack;
  /** R and S. */
  readonly #output: OutputLayer;
  readonly #latentOutput: OutputLayer;
  /** B */
  readonly shallow: Parameter;

  constructor(items: number, { hidden, latent, encoderLayers, decoderLayers }: Shape) {
    const stack = { ...KERAS, width: hidden, epsilon: LAYER_NORM_EPSILON };
    const head = { ...KERAS, inputs: hidden, outputs: latent };
    this.#input = new SparseLinear({ ...KERAS, name: "encoder.1", inputs: items, outputs: hidden });
    this.#encoder = new ResidualStack({ ...stack, name: "encoder", layers: encoderLayers });
    this.#mean = new Linear({ ...head, name: "encoder.mean" });
    this.#logVariance = new Linear({ ...head, name: "encoder.logVariance" });
    this.#fromLatent = new Linear({ ...KERAS, name: "decoder.1", inputs: latent, outputs: hidden });
    this.#decoder = new ResidualStack({ ...stack, name: "decoder", layers: decoderLayers });
    this.#output = new OutputLayer({ ...KERAS, name: "decoder.output", inputs: hidden, outputs: items });
    this.#latentOutput = new OutputLayer({ ...KERAS, name: "latent.output", inputs: latent, outputs: items });
    this.shallow = Parameter.declare({
      ...{ name: "shallow.weight", rows: items, columns: items, initial: zeroDiagonal, itemAxis: "rows" },
    });
  }

  get parameters(): readonly Parameter[] {
    const layers = [
      ...[this.#input, this.#encoder, this.#mean, this.#logVariance],
      ...[this.#fromLatent, this.#decoder, this.#output, this.#latentOutput],
    ];
    return [...layers.flatMap(({ parameters }) => parameters), this.shallow];
  }

  /** q(z | x) */
  #posterior(tape: Tape, x: SparseTensor): DiagonalNormal {
    const e = this.#encoder.forward(tape, this.#input.forward(tape, x));
    return new DiagonalNormal(this.#mean.forward(tape, e), this.#logVariance.forward(tape, e));
  }

  /** The logits of the three factors of p, [rows, items] each. */
  #logits(tape: Tape, x: SparseTensor, z: Variable): readonly [Variable, Variable, Variable] {
    const d = this.#decoder.forward(tape, this.#fromLatent.forward(tape, z));
    const outputs = [
      [d, this.#output],
      [z, this.#latentOutput],
    ] as const;
    const [deep, fromLatent] = outputs.map(([h, { weight, bias }]) =>
      transposedLinear(tape, h, weight, bias),
    );
    return [deep, fromLatent, sparseLinear(tape, x, this.shallow, undefined)];
  }

  /** The loss, summed over the rows of the batch, and the KL term as a mean over the dimensions of z. */
  loss(
    tape: Tape,
    { x, target }: Prediction,
    { alpha, focus: gamma, beta }: VaspOptions,
    noise: RandomKey,
  ): BatchLoss {
    const posterior = this.#posterior(tape, x);
    const z = posterior.sample(tape, noise);
    const kl = sum(posterior.kl(tape)).times(1 / z.value.columns);
    const focal = sum(focalLoss(tape, this.#logits(tape, x, z), target, { alpha, gamma }));
    return { loss: focal.plus(kl.times(beta)), parts: { kl } };
  }

  /** p for some histories: scores [rows, items]. */
  score(engine: Engine, scores: Tensor, histories: SparseTensor): void {
    const tape = new Tape(engine, { gradients: false });
    try {
      const [deep, fromLatent, shallow] = this.#logits(
        tape,
        histories,
        this.#posterior(tape, histories).mean,
      );
      const [first, two] = [deep, fromLatent].map(({ value }) => tape.empty(value.rows, value.columns));
      engine.sigmoid(first, deep.value);
      engine.gate(two, first, fromLatent.value);
      engine.gate(scores, two, shallow.value);
    } finally {
      tape.dispose();
    }
  }
}

/** The network as a recommender, which releases the parameters when it is disposed of. */
function vaspRecommender(
  engine: Engine,
  network: VaspNetwork,
  { config, items }: Pick<ModelFiles, "config" | "items">,
): Recommender {
  const algorithm = vasp.name;
  return {
    algorithm,
    items,
    score: (histories, given) =>
      scoresOfInput(
        engine,
        histories,
        items.size,
        (scores, input) => network.score(engine, scores, input),
        given,
      ),
    save: async () => ({ algorithm, config, items, tensors: await saveParameters(network.parameters) }),
    dispose: () => release(network.parameters),
  };
}

/** The optimiser, which sets B's diagonal to 0 after every update. */
function zeroingDiagonal(optimizer: Optimizer, shallow: Parameter): Optimizer {
  return {
    parameters: optimizer.parameters,
    sparse: optimizer.sparse,
    step() {
      optimizer.step();
      shallow.engine.fill(viewDiagonal(shallow.value), 0);
      shallow.changed();
    },
    save: () => optimizer.save(),
    load: (saved) => optimizer.load(saved),
  };
}

/** The learning rate of an epoch, from 1. */
export function learningRateOf(
  { learningRate, lateShare, lateFactor, epochs }: VaspOptions,
  epoch: number,
): number {
  return epoch > Math.round(epochs * (1 - lateShare)) ? learningRate * lateFactor : learningRate;
}

async function vaspTrainable(dataset: Dataset, options: VaspOptions, run: RunContext): Promise<Trainable> {
  const [{ minimiseBatches }, { halvesOf }] = await Promise.all([
    import("../../training/minimise.js"),
    import("../../training/halves.js"),
  ]);
  const { engine, communicator, seed } = run;
  const { items, train } = dataset;
  const { batchSize } = options;
  const network = new VaspNetwork(items.size, options);
  const { parameters } = network;
  const rows = 2 * Math.min(batchSize, train.rows);
  requireNetworkMemory(
    {
      ...{ algorithm: vasp.name, items: items.size, parameters, batchSize: rows },
      averageDecay: options.averageDecay,
      // Three logits and their gradients, of which the estimate already has one.
      perStep: 5 * rows * items.size,
      smaller: "smaller layers (--set hidden=600 --set latent=200)",
    },
    run,
  );
  await allocated(network, run);
  const { learningRate } = options;
  const nadam = new Nadam(engine, parameters, { learningRate, epsilon: 1e-7, sparse: false });
  const optimizer = zeroingDiagonal(nadam, network.shallow);
  const config = savedConfig(shape, options);
  const histories = { ...train, values: undefined };
  const pendingState = (): StoredTensors => ({ ...pendingParameters(parameters), ...nadam.pending() });

  return {
    parameters,
    saveState: () => readAll(pendingState()),
    pendingState,
    async loadState(state) {
      await loadParameters(parameters, state);
      await nadam.load(state);
    },
    async epoch(epoch) {
      const { order, number } = epoch;
      nadam.learningRate = learningRateOf(options, number);
      const key = { seed, step: number, stream: streamOf("halves") };
      const parts = Array.from({ length: Math.ceil(order.length / batchSize) }, (_, b) =>
        order.subarray(b * batchSize, (b + 1) * batchSize),
      );
      // As in the authors' program: some users with the larger half as input, the next ones with the smaller half.
      const pairs = parts.map((there, b) => [there, parts[(b + 1) % parts.length]] as const);
      const batches = pairs.map(([there, back]) => Uint32Array.of(...there, ...back));
      let next = 0;
      const { updates, means } = await minimiseBatches<Prediction>({
        ...{ engine, communicator, optimizer, epoch, batches, reports: ["loss", "kl"] },
        take() {
          const [there, back] = pairs[next++].map((users) => halvesOf(histories, users, key));
          const both = [
            [there.larger, back.smaller],
            [there.smaller, back.larger],
          ];
          const [x, target] = both.map((halves) => engine.sparse(stackRows(items.size, halves)));
          return { x, target };
        },
        release({ x, target }) {
          engine.releaseSparse(x);
          engine.releaseSparse(target);
        },
        loss: (tape, batch, update) =>
          network.loss(tape, batch, options, { seed, step: update, stream: streamOf("noise") }),
      });
      return { updates, values: { ...means, "learning rate": nadam.learningRate } };
    },
    recommender: () => vaspRecommender(engine, network, { config, items }),
    keep: () => keptModel(engine, parameters, { algorithm: vasp.name, config }),
    dispose: () => release(parameters),
  };
}

export const vasp: Algorithm<VaspOptions> = {
  name: "vasp",
  summary:
    "Deep variational autoencoder times a linear one; a random half of each history predicts the other half.",
  source:
    "Vancura, Kordik: Deep variational autoencoder with shallow parallel path for top-N recommendation (VASP), ICANN 2021",
  options,

  outline(items, { hidden, latent, encoderLayers, decoderLayers }) {
    const outline = new OutlineBuilder();
    const history = outline.add("history", "Input", { output: items, from: [], column: 0.5 });
    const stack = (name: string, layers: number, from: string, inputs: number) => {
      const names: string[] = [];
      for (let layer = 0; layer < layers; layer++)
        names.push(
          outline.add(`${name}_${layer}`, "Dense, swish, norm", {
            ...{ from: layer === 0 ? [from] : [...names].reverse(), output: hidden },
            // W, b, and LayerNorm's scale and shift.
            parameters: (layer === 0 ? inputs : hidden) * hidden + 3 * hidden,
          }),
        );
      return names[layers - 1];
    };
    stack("encoder", encoderLayers, history, items);
    const z = outlineGaussian(outline, latent);
    const d = stack("decoder", decoderLayers, z, latent);
    const factors = [
      outline.dense("output", items, "sigmoid", { from: [d] }),
      outline.dense("latent_output", items, "sigmoid", { from: [z], column: 1.5 }),
      outline.add("shallow", "Dense without diagonal, sigmoid", {
        ...{ from: [history], output: items, parameters: items * items, column: 2.5 },
      }),
    ];
    outline.add("probability", "Product", { from: factors });
    return outline.layers;
  },

  async fit(dataset, options, run) {
    const { fit } = await import("../../training/fit.js");
    const { epochs, patience, averageDecay } = options;
    const trainable = await vaspTrainable(dataset, options, run);
    return fit({ algorithm: vasp, options, dataset, trainable, epochs, patience, averageDecay }, run);
  },

  async restore(files, { engine }) {
    const network = await restoreNetwork(
      engine,
      shape,
      files,
      (given) => new VaspNetwork(files.items.size, given),
    );
    return vaspRecommender(engine, network, files);
  },
};
