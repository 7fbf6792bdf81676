// What Mult-VAE and Mult-DAE have in common: a network from histories to the activations of a multinomial output layer
// over all items. Here it is turned into something that trains (one pass of Adam per epoch) and something that scores.
// The models' own files hold the equations.

import { z } from "zod";
import type { Engine } from "../compute/engine.js";
import type { Objective } from "../compute/objective.js";
import { Adam, type AdamOptions } from "../compute/optimizers.js";
import { KeptParameters, loadParameters, type Parameter, saveParameters } from "../compute/parameter.js";
import { Tape, type Variable } from "../compute/tape.js";
import type { SparseTensor, Tensor } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import type { JsonObject } from "../core/json.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { OutputLayer } from "../nn/output-layer.js";
import { BestProducts } from "../recommender/best-products.js";
import type { ModelFiles } from "../recommender/recommender.js";
import { blockwiseScores } from "../recommender/scores.js";
import { latentSpace, productSpace, type Vectors, vectorsFrom } from "../recommender/vectors.js";
import { startFrom } from "../recommender/warm-start.js";
import type { CsrMatrix } from "../sparse/csr.js";
import type { Minimisation } from "../training/minimise.js";
import type { Plateau } from "../training/plateau.js";
import type { KeptModel, Trainable } from "../training/trainable.js";

/** A number of units, users, epochs. */
export const size = z.int().min(1);
/** Every layer is waited for, and a saved model may come from a stranger. */
const MOST_LAYERS = 100;
/** How many layers. */
export const depth = z.int().min(1).max(MOST_LAYERS);
/** The sizes of layers. */
export const layerSizes = z.array(size).max(MOST_LAYERS);

/** Options that Mult-VAE and Mult-DAE share, with the values of Liang et al. 2018. */
export const published = {
  dropout: z
    .number()
    .min(0)
    .lt(1)
    .default(0.5)
    .describe("share of a history that is dropped in training (Liang et al. 2018, section 4.4)"),
  learningRate: z.number().positive().default(1e-3).describe("Adam's step size (Liang et al.'s notebook)"),
  batchSize: size.default(500).describe("users per update (Liang et al. 2018, section 4.4)"),
  epochs: size.default(200).describe("passes over the training users (Liang et al. 2018, section 4.4)"),
  patience: size
    .optional()
    .describe(
      "stop after this many epochs without a better validation NDCG@100; unset = never, as published",
    ),
};

/** Options of training that Liang et al. do not use and RecoTour III does (jrzaurin/RecoTour, utils/parser.py). */
export const recoTour = {
  weightDecay: z
    .number()
    .min(0)
    .optional()
    .describe("AdamW's decay beside the gradient; unset = 0, which is Adam (RecoTour's default too)"),
  scheduler: z
    .enum(["plateau"])
    .optional()
    .describe(
      "plateau = the step size is multiplied by plateauFactor after more than plateauPatience epochs without a better validation NDCG@100 (PyTorch's ReduceLROnPlateau); unset = it stays",
    ),
  plateauFactor: z.number().gt(0).lt(1).optional().describe("see scheduler; unset = 0.4 (RecoTour)"),
  plateauPatience: z.int().min(0).optional().describe("see scheduler; unset = 5 (RecoTour)"),
  plateauMode: z
    .enum(["max", "min"])
    .optional()
    .describe(
      "what scheduler=plateau takes for better: max = a larger NDCG; min = a smaller one, RecoTour's slip; unset = max",
    ),
};

const recoTourSchema = z.object(recoTour);

/** Refuses the settings of a scheduler that is not asked for. */
export function checkScheduler(given: z.infer<typeof recoTourSchema>, context: z.RefinementCtx): void {
  if (given.scheduler !== undefined) return;
  for (const name of ["plateauFactor", "plateauPatience", "plateauMode"] as const)
    if (given[name] !== undefined)
      context.addIssue({ code: "custom", path: [name], message: "it needs scheduler=plateau" });
}

/** What a batch costs: each objective is a sum over the batch's users. */
export interface BatchLoss {
  /** To be minimised, as the sum over the batch's users. */
  readonly loss: Objective;
  /** Added to the objective as it is, whatever the size of the batch: an L2 term. */
  readonly penalty?: Objective;
  /** Other sums over the users that are worth showing: { kl }. */
  readonly parts?: Readonly<Record<string, Objective>>;
}

export interface Network {
  /** All of it that is trained, the output layer included; unique names. */
  readonly parameters: readonly Parameter[];
  readonly output: OutputLayer;
  /** The activations [rows, width] for scoring, `rows` being the histories on the host: no dropout, and no sampling but where a model is said to. */
  activations(tape: Tape, histories: SparseTensor, rows: CsrMatrix): Variable;
  /** Where z is, and is not the activations themselves: the mean of its posterior. */
  readonly latent?: Latent;
}

export interface Latent {
  readonly dimensions: number;
  /** For people. */
  readonly what: string;
  /** [rows, dimensions] */
  readonly mean: (tape: Tape, histories: SparseTensor) => Variable;
}

/**
 * The network as a recommender. `config` is what `restore` needs; `dispose` gives the parameters back. `final` = they never
 * change again, as those of a saved model.
 */
export function networkRecommender(
  engine: Engine,
  network: Network,
  { algorithm, config, items }: Omit<ModelFiles, "tensors">,
  { final = false }: { readonly final?: boolean } = {},
): Vectors {
  const { output, latent } = network;
  /** What `make` makes of some histories, with a tape that lives as long. */
  const onTape = <T>(block: CsrMatrix, make: (tape: Tape, histories: SparseTensor) => T): T => {
    const tape = new Tape(engine, { gradients: false });
    try {
      return make(tape, tape.sparse(block));
    } finally {
      tape.dispose();
    }
  };
  const copied = ({ value }: Variable) => {
    const copy = engine.empty(value.rows, value.columns);
    engine.copy(copy, value);
    return copy;
  };
  const products = {
    encode: (block: CsrMatrix) => onTape(block, (tape, x) => copied(network.activations(tape, x, block))),
    weights: output.weight.value,
    bias: output.bias.value,
  };
  const best = final ? new BestProducts(engine, products) : undefined;
  const scores = productSpace(engine, {
    users: latent ? "the decoder's last hidden layer" : "what the encoder makes of the history",
    items: "the item's row of the output layer",
    ...products,
  });
  const spaces = latent
    ? [
        scores,
        latentSpace(engine, {
          ...{ dimensions: latent.dimensions, items: items.size, users: latent.what },
          encode: (block) => onTape(block, (tape, x) => copied(latent.mean(tape, x))),
        }),
      ]
    : [scores];
  return {
    algorithm,
    items,
    ...vectorsFrom({ algorithm, items }, spaces),
    score: (histories, { signal } = {}) =>
      blockwiseScores(
        engine,
        histories,
        items.size,
        (block) => onTape(block, (tape, x) => output.scores(network.activations(tape, x, block).value)),
        { best, signal },
      ),
    save: async () => ({ algorithm, config, tensors: await saveParameters(network.parameters), items }),
    dispose() {
      best?.dispose();
      releaseAll(network);
    },
  };
}

/** The parameters' values as a model, kept on the engine while training goes on. */
export function keptModel(
  engine: Engine,
  parameters: readonly Parameter[],
  { algorithm, config }: Pick<ModelFiles, "algorithm" | "config">,
): KeptModel {
  const kept = new KeptParameters(engine, parameters);
  return {
    finite: kept.finite,
    files: async () => ({ algorithm, config, tensors: await kept.read() }),
    dispose: () => kept.release(),
  };
}

/** The options that shape the network, as a saved model keeps them. */
export function savedConfig<Shape>(shape: z.ZodType<Shape>, options: Shape): JsonObject {
  return JSON.parse(JSON.stringify(shape.parse(options))) as JsonObject;
}

/** Neighbours in a list of layer sizes: [inputs, outputs] of each layer. */
export function pairs(sizes: readonly number[]): [number, number][] {
  return sizes.slice(1).map((outputs, i) => [sizes[i], outputs]);
}

/** A saved network. Throws UserError where its configuration is no shape, or its tensors do not fit one. */
export async function restoreNetwork<Shape, N extends Network>(
  shape: z.ZodType<Shape>,
  { algorithm, config, tensors, items }: ModelFiles,
  layersOf: (items: number, shape: Shape) => [number, number][],
  make: (shape: Shape) => N,
): Promise<N> {
  const unfit = (problem: string, cause?: unknown) =>
    new UserError({
      place: algorithm,
      problem: `the saved model is not sound: ${problem}`,
      remedy: "Copy or train it again",
      cause,
    });
  const parsed = shape.safeParse(config);
  if (!parsed.success) throw unfit(z.prettifyError(parsed.error), parsed.error);
  // Before anything is allocated: a hostile configuration may ask for any size.
  const needed = layersOf(items.size, parsed.data).reduce(
    (sum, [inputs, outputs]) => sum + (inputs + 1) * outputs,
    0,
  );
  const given = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0);
  if (needed !== given) throw unfit(`its network needs ${needed} weights, it has ${given}`);
  const network = make(parsed.data);
  try {
    await loadParameters(network.parameters, tensors);
  } catch (error) {
    releaseAll(network);
    throw error instanceof UserError ? unfit(error.message, error) : error;
  }
  return network;
}

export function releaseAll({ parameters }: Pick<Network, "parameters">): void {
  for (const parameter of parameters) parameter.release();
}

export interface NetworkTraining {
  readonly engine: Engine;
  readonly network: Network;
  readonly histories: CsrMatrix;
  readonly items: Vocabulary;
  readonly algorithm: string;
  readonly config: JsonObject;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Adam's other settings. */
  readonly adam?: AdamOptions;
  /** How the step size follows the validation; handed in for the same reason as `minimise`. */
  readonly plateau?: Plateau;
  /** Names of the loss's parts, which are reported beside it. */
  readonly parts?: readonly string[];
  /** The loss of a batch in the `update`-th update of the run (from 1). */
  readonly loss: (tape: Tape, batch: SparseTensor, update: number) => BatchLoss;
  /** More numbers for an epoch's report, after `updates` updates: { beta }. */
  readonly report?: (updates: number) => Record<string, number>;
  /** The pass over the batches; handed in so that loading a model loads no training code. */
  readonly minimise: (pass: Minimisation) => Promise<{ updates: number; means: Record<string, number> }>;
}

/** The network in training: an epoch is one pass of Adam (Kingma and Ba 2015) over all users. */
export function trainNetwork(training: NetworkTraining): Trainable {
  const { engine, network, plateau, parts = [], report = () => ({}) } = training;
  const adam = new Adam(engine, network.parameters, {
    ...training.adam,
    learningRate: training.learningRate,
  });
  const reports = ["loss", ...parts];

  function step(batch: SparseTensor, update: number, totals: readonly Tensor[]): void {
    const tape = new Tape(engine);
    try {
      const { loss, penalty, parts: partial = {} } = training.loss(tape, batch, update);
      for (const [column, name] of reports.entries()) {
        const sums = name === "loss" ? loss : partial[name];
        for (const term of sums.terms)
          if (term.kind === "sum") engine.addSum(totals[column], term.of.value, term.weight);
      }
      const perUser = loss.times(1 / batch.rows);
      tape.backward(penalty ? perUser.plus(penalty) : perUser);
    } finally {
      tape.dispose();
    }
    adam.step();
  }

  return {
    saveState: async () => ({
      ...(await saveParameters(network.parameters)),
      ...(await adam.save()),
      ...plateau?.save(),
    }),
    async loadState(state) {
      await loadParameters(network.parameters, state);
      await adam.load(state);
      if (plateau) {
        plateau.load(state);
        adam.learningRate = plateau.learningRate;
      }
    },
    validated(validation) {
      if (plateau) adam.learningRate = plateau.next(validation["ndcg@100"]);
    },
    startFrom: (files) => startFrom(network.parameters, training.algorithm, training.items, files),
    async epoch(epoch) {
      const { histories, batchSize } = training;
      const { updates, means } = await training.minimise({
        engine,
        histories,
        batchSize,
        epoch,
        reports,
        step,
      });
      const rate: Record<string, number> = plateau ? { "learning rate": adam.learningRate } : {};
      return { updates, values: { ...means, ...report(updates), ...rate } };
    },
    recommender: () => networkRecommender(engine, network, training),
    keep: () => keptModel(engine, network.parameters, training),
    dispose: () => releaseAll(network),
  };
}
