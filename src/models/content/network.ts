// What a model of content and factors is made of: how it is pretrained, what an epoch's updates minimise, and what it says of
// an item. training.ts drives it.

import type { Objective } from "../../compute/objective.js";
import type { Optimizer } from "../../compute/optimizers.js";
import type { Parameter } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { Tensor } from "../../compute/tensor.js";
import type { RandomKey } from "../../core/philox.js";
import type { DiagonalNormal } from "../../nn/normal.js";
import type { ContentBatch, ContentRows } from "./batches.js";

/** Names the random bits of one update: `key("noise")`. */
export type UpdateKey = (name: string) => RandomKey;

export interface TrainingBatch {
  readonly clean: ContentBatch;
  /** With masking noise where the pass has it, else the clean one. */
  readonly noisy: ContentBatch;
  /** The precisions of q(v), [rows, k k], where the pass asks for them. */
  readonly precisions?: Tensor;
}

/** A part of the network that is trained on content alone. */
export interface NetworkPart {
  /** For people: "layer 1". */
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** Whether the batch comes with masking noise. */
  readonly noisyInput: boolean;
  /** Before its first update: sets what starts from the data. `content` is all that the part will see. */
  begin?(content: AsyncIterable<ContentRows>): Promise<void>;
  /** What is minimised, per row: [rows, 1]. */
  loss(tape: Tape, batch: TrainingBatch, key: UpdateKey): Variable;
}

/** The networks of a variational autoencoder of content, of whatever kind: q(z | x) and p(x | z). */
export interface ContentVae {
  /** All that a saved model has of it; unique names. */
  readonly parameters: readonly Parameter[];
  /** What only pretraining needs. */
  readonly scaffolding: readonly Parameter[];
  /** What the L2 term of training is over. */
  readonly weights: readonly Parameter[];
  /** What is trained by itself before the whole is: layer after layer, then the latent part. */
  readonly parts: readonly (NetworkPart & { readonly kind: "layer" | "latent" })[];
  posterior(tape: Tape, x: ContentBatch): DiagonalNormal;
  /** -log p(x | z) per row: [rows, 1], in nats; constants left out. */
  reconstruction(tape: Tape, z: Variable, x: ContentBatch, key: UpdateKey): Variable;
}

export interface Phase extends NetworkPart {
  readonly epochs: number;
  /** Added to the mean over a batch. */
  readonly penalty?: Objective;
}

/** What the items of a batch are drawn towards. */
export interface BatchFactors {
  /** [rows, k] */
  readonly v: Tensor;
  /** The precisions of q(v), [rows, k k], row-major; present where the model asks for them. */
  readonly precisions?: Tensor;
}

export interface JointLoss {
  /** Sums over the batch's items, by name; together what is minimised. */
  readonly parts: Readonly<Record<string, Objective>>;
  /** Added to the mean over the batch. */
  readonly penalty?: Objective;
}

/** What reads content once a model is trained. */
export interface ContentReading {
  /** All that a saved model has of it; unique names. */
  readonly parameters: readonly Parameter[];
  /** theta: what the content of items says, [rows, k]. */
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
