// Shared code of trained autoencoders of histories: turns a network from histories to the activations of an output layer over
// all items into a recommender, saves it and restores it. The equations are in the models' own files.

import type { z } from "zod";
import type { Engine } from "../../compute/engine.js";
import { readAll } from "../../compute/named-tensors.js";
import { KeptParameters, type Parameter, saveParameters } from "../../compute/parameter.js";
import { Tape, type Variable } from "../../compute/tape.js";
import type { SparseTensor } from "../../compute/tensor.js";
import type { OutputLayer } from "../../nn/output-layer.js";
import { checkSaved, divide, release, restoreParameters } from "../../nn/parameters.js";
import { DividedRecommender } from "../../recommender/divided.js";
import { ProductRanking } from "../../recommender/product-ranking.js";
import type { ModelFiles, Recommender } from "../../recommender/recommender.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { blockwiseScores } from "../../recommender/scores.js";
import { latentSpace, productSpace, vectorsFrom } from "../../recommender/vectors.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import type { BatchLoss } from "../../training/step.js";
import type { KeptModel } from "../../training/trainable.js";

export type { BatchLoss };

/** The log-variance is clamped to this interval (EVCF's Hardtanh; the original VampPrior has [-6, 2]). */
export const LOG_VARIANCE: readonly [number, number] = [-12, 4];

export interface Network {
  /** All trained parameters, including the output layer; names are unique. */
  readonly parameters: readonly Parameter[];
  readonly output: OutputLayer;
  /** The activations [rows, width] for scoring, without dropout, and without sampling unless a model's options ask for it. `rows` are the histories on the host. */
  activations(tape: Tape, histories: SparseTensor, rows: CsrMatrix): Variable;
  /** The posterior mean of z; absent if there is no z or the activations are z. */
  readonly latent?: Latent;
}

export interface Latent {
  readonly dimensions: number;
  /** Description for messages. */
  readonly what: string;
  /** [rows, dimensions] */
  readonly mean: (tape: Tape, histories: SparseTensor) => Variable;
}

/**
 * The network as a recommender. `config` is what `restore` needs; `dispose` releases the parameters. `final` = the parameters
 * never change again, like those of a saved model.
 */
export function networkRecommender(
  engine: Engine,
  network: Network,
  { algorithm, config, items }: Omit<ModelFiles, "tensors">,
  { final = false }: { readonly final?: boolean } = {},
): Recommender {
  const { output, latent } = network;
  const save = async () => ({ algorithm, config, tensors: await saveParameters(network.parameters), items });
  const { division } = output.weight;
  if (division)
    return new DividedRecommender(
      { algorithm, items },
      {
        ...{ division, save, weights: output.weight.value, bias: output.bias.value },
        activations: (tape, histories, rows) => network.activations(tape, histories, rows),
        dispose: () => release(network.parameters),
      },
      final,
    );
  /** The result of `make` on some histories, with a tape that is released afterwards. */
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
    users: latent ? "the decoder's last hidden layer" : "the encoding of the history",
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
    ...(final && { ranking }),
    ...vectorsFrom({ algorithm, items }, spaces),
    score: (histories, { signal } = {}) =>
      blockwiseScores(
        engine,
        histories,
        items.size,
        (block) => onTape(block, (tape, x) => output.scores(network.activations(tape, x, block).value)),
        { ranking, signal },
      ),
    save,
    dispose() {
      ranking.dispose();
      release(network.parameters);
    },
  };
}

/** A copy of the parameters as a model, kept on the engine while training continues. */
export function keptModel(
  engine: Engine,
  parameters: readonly Parameter[],
  { algorithm, config }: Pick<ModelFiles, "algorithm" | "config">,
): KeptModel {
  const kept = new KeptParameters(engine, parameters);
  return {
    finite: kept.finite,
    files: async () => ({ algorithm, config, tensors: await readAll(kept.pending()) }),
    pending: () => ({ algorithm, config, tensors: kept.pending() }),
    dispose: () => kept.release(),
  };
}

/** Restores a saved network. Throws UserError if its configuration is invalid or its tensors are not those that the network declares. */
export async function restoreNetwork<Shape, Restored extends Pick<Network, "parameters">>(
  engine: Engine,
  shape: z.ZodType<Shape>,
  files: ModelFiles,
  declare: (shape: Shape) => Restored,
): Promise<Restored> {
  const saved = new SavedModel(files);
  const network = declare(saved.config(shape));
  if (files.division) divide(network.parameters, files.division);
  checkSaved(saved, network.parameters);
  saved.end();
  await restoreParameters(engine, saved, network.parameters);
  return network;
}
