// The interface of the network of a content-based factor model: how it is pretrained, the loss of an epoch's updates, and the
// encoding of an item. training.ts uses it.

import type { Objective } from "../../compute/objective.js";
import type { Optimizer } from "../../compute/optimizers.js";
import type { Parameter } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { Tensor } from "../../compute/tensor.js";
import type { RandomKey } from "../../core/philox.js";
import type { DiagonalNormal } from "../../nn/normal.js";
import type { ContentBatch, ContentRows } from "./batches.js";

/** The key of the random bits of one update, by purpose: `key("noise")`. */
export type UpdateKey = (name: string) => RandomKey;

export interface TrainingBatch {
  readonly clean: ContentBatch;
  /** The batch with masking noise if the pass has it, otherwise the clean batch. */
  readonly noisy: ContentBatch;
  /** The precisions of q(v), [rows, k k], if the pass needs them. */
  readonly precisions?: Tensor;
}

/** A part of the network that is trained only on content. */
export interface NetworkPart {
  /** For messages: "layer 1". */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** Whether the batch has masking noise. */
  readonly noisyInput: boolean;
  /** Called before the first update: sets initial values that depend on the data. `content` is everything that the part will be trained on. */
  begin?(content: AsyncIterable<ContentRows>): Promise<void>;
  /** The loss per row: [rows, 1]. */
  loss(tape: Tape, batch: TrainingBatch, key: UpdateKey): Variable;
}

/** The networks of a variational autoencoder of content: q(z | x) and p(x | z). */
export interface ContentVae {
  /** The parameters of a saved model; names are unique. */
  readonly parameters: readonly Parameter[];
  /** Parameters that only pretraining needs. */
  readonly scaffolding: readonly Parameter[];
  /** The weights in the L2 term of training. */
  readonly weights: readonly Parameter[];
  /** The parts that are pretrained separately before the whole network: layer after layer, then the latent part. */
  readonly parts: readonly (NetworkPart & { readonly kind: "layer" | "latent" })[];
  posterior(tape: Tape, x: ContentBatch): DiagonalNormal;
  /** -log p(x | z) per row: [rows, 1], in nats, without constants. */
  reconstruction(tape: Tape, z: Variable, x: ContentBatch, key: UpdateKey): Variable;
}

export interface Phase extends NetworkPart {
  readonly epochs: number;
  /** The options of pretraining on which neither this phase nor those before it depend. Default none. */
  readonly independentOf?: readonly string[];
  /** Added to the mean over a batch. */
  readonly penalty?: Objective;
}

/** The factors of the items of a batch, to which their codes are coupled. */
export interface BatchFactors {
  /** [rows, k] */
  readonly v: Tensor;
  /** The precisions of q(v), [rows, k k], row-major; present if the model needs them. */
  readonly precisions?: Tensor;
}

export interface JointLoss {
  /** The terms of the loss by name, each summed over the batch's items. */
  readonly parts: Readonly<Record<string, Objective>>;
  /** Added to the mean over the batch. */
  readonly penalty?: Objective;
}

/** The encoder of a trained model. */
export interface ContentReading {
  /** The parameters of a saved model; names are unique. */
  readonly parameters: readonly Parameter[];
  /** theta: the codes of the items' content, [rows, k]. */
  code(tape: Tape, x: ContentBatch): Variable;
}

export interface ContentModel extends ContentReading {
  /** What only pretraining needs. */
  readonly scaffolding: readonly Parameter[];
  readonly phases: readonly Phase[];
  /** A fresh optimiser. */
  optimizer(parameters: readonly Parameter[], stage: "pretraining" | "epochs"): Optimizer;
  /** The names of the parts of `loss`. */
  readonly reports: readonly string[];
  readonly noisyInput: boolean;
  /** Whether its loss needs the precisions of q(v): Bayesian inference only. */
  readonly needsPrecisions?: boolean;
  /** One update of an epoch. */
  loss(tape: Tape, batch: TrainingBatch, factors: BatchFactors, key: UpdateKey): JointLoss;
}
