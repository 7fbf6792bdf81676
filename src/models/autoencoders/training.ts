// Training a network of histories: an epoch is one pass of Adam over all users.

import type { Communicator } from "../../compute/communicator.js";
import type { Engine } from "../../compute/engine.js";
import { readAll, type StoredTensors } from "../../compute/named-tensors.js";
import { Adam, type AdamOptions } from "../../compute/optimizers.js";
import { loadParameters, pendingParameters } from "../../compute/parameter.js";
import type { Tape } from "../../compute/tape.js";
import type { SparseTensor } from "../../compute/tensor.js";
import type { JsonObject } from "../../core/json.js";
import type { Vocabulary } from "../../data/vocabulary.js";
import { release } from "../../nn/parameters.js";
import { startFrom } from "../../recommender/warm-start.js";
import type { CsrMatrix } from "../../sparse/csr.js";
import type { Minimisation } from "../../training/minimise.js";
import type { Plateau } from "../../training/plateau.js";
import type { Trainable } from "../../training/trainable.js";
import { type BatchLoss, keptModel, type Network, networkRecommender } from "./network.js";

export interface NetworkTraining {
  readonly engine: Engine;
  /** The communicator of the run. */
  readonly communicator?: Communicator;
  readonly network: Network;
  readonly histories: CsrMatrix;
  readonly items: Vocabulary;
  readonly algorithm: string;
  readonly config: JsonObject;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Further settings of Adam. */
  readonly adam?: AdamOptions;
  /** Reduces the learning rate on plateaus of the validation metric; passed in for the same reason as `minimise`. */
  readonly plateau?: Plateau;
  /** Names of the parts of the loss that are reported with it. */
  readonly parts?: readonly string[];
  /** The loss of a batch, the histories of `rows`, in the `update`-th update of the run (from 1). */
  readonly loss: (tape: Tape, batch: SparseTensor, update: number, rows: Uint32Array) => BatchLoss;
  /** Further numbers for an epoch's report, after `updates` updates: { beta }. */
  readonly report?: (updates: number) => Record<string, number>;
  /** The pass over the batches; passed in so that loading a model does not load training code. */
  readonly minimise: (pass: Minimisation) => Promise<{ updates: number; means: Record<string, number> }>;
}

/** The network in training: an epoch is one pass of Adam (Kingma and Ba 2015) over all users. */
export function trainNetwork(training: NetworkTraining): Trainable {
  const { engine, communicator, network, loss, plateau, parts = [], report = () => ({}) } = training;
  const adam = new Adam(engine, network.parameters, {
    ...training.adam,
    learningRate: training.learningRate,
  });
  const reports = ["loss", ...parts];
  const pendingState = (): StoredTensors => ({
    ...pendingParameters(network.parameters),
    ...adam.pending(),
    ...plateau?.save(),
  });

  return {
    parameters: network.parameters,
    saveState: () => readAll(pendingState()),
    pendingState,
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
        ...{ engine, communicator, optimizer: adam },
        ...{ histories, batchSize, epoch, reports, loss, division: network.output.weight.division },
      });
      const rate: Record<string, number> = plateau ? { "learning rate": adam.learningRate } : {};
      return { updates, values: { ...means, ...report(updates), ...rate } };
    },
    recommender: () => networkRecommender(engine, network, training),
    keep: () => keptModel(engine, network.parameters, training),
    dispose: () => release(network.parameters),
  };
}
