// What the autoencoders of histories have in common once they are trained: a network from histories to the activations of
// an output layer over all items, turned into a recommender, saved and restored. The models' own files hold the equations.

import { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { KeptParameters, loadParameters, type Parameter, saveParameters } from "../../compute/parameter.js";
import { Tape, type Variable } from "../../compute/tape.js";
import type { SparseTensor } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import type { OutputLayer } from "../../nn/output-layer.js";
import { ProductRanking } from "../../recommender/product-ranking.js";
import type { ModelFiles } from "../../recommender/recommender.js";
import { blockwiseScores } from "../../recommender/scores.js";
import { latentSpace, productSpace, type Vectors, vectorsFrom } from "../../recommender/vectors.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import type { BatchLoss } from "../../training/step.js";
import type { KeptModel } from "../../training/trainable.js";

export type { BatchLoss };

/** The log-variance is held to this interval (EVCF's Hardtanh; the original VampPrior has [-6, 2]). */
export const LOG_VARIANCE: readonly [number, number] = [-12, 4];

/** [inputs, outputs] of the layers of a gated or plain network, for counting its weights. */
export function hiddenLayers(sizes: readonly [number, number][], gated: boolean): [number, number][] {
  return gated ? [...sizes, ...sizes] : [...sizes];
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
  const ranking = new ProductRanking(engine, products, { final });
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
        { ranking, signal },
      ),
    save: async () => ({ algorithm, config, tensors: await saveParameters(network.parameters), items }),
    dispose() {
      ranking.dispose();
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
