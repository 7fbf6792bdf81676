// What CVAE and its relatives ask of a network over the content of items: an inference network q(z | x), a generation
// network p(x | z), and the phases in which it is trained on content alone before the clicks come in.

import type { Parameter } from "../../compute/parameter.js";
import type { Tape, Variable } from "../../compute/tape.js";
import type { RandomKey } from "../../core/philox.js";
import type { DiagonalNormal } from "../../nn/normal.js";
import type { ContentBatch } from "./batches.js";

export interface ContentNetwork {
  /** All that is trained once the clicks come in; unique names. A saved model has them all. */
  readonly parameters: readonly Parameter[];
  /** What only pretraining needs. */
  readonly scaffolding: readonly Parameter[];
  /** The matrices that the L2 term of training is over. */
  readonly weights: readonly Parameter[];
  /** Before the whole network is trained: phases of its parts, in order; none where the network has no such. */
  readonly layerPhases: readonly LayerPhase[];
  /** q(z | x) */
  posterior(tape: Tape, x: ContentBatch): DiagonalNormal;
  /** -log p(x | z) per row: [rows, 1], in nats; constants left out. */
  reconstruction(tape: Tape, z: Variable, x: ContentBatch): Variable;
}

/** One part of the network, trained on content alone. */
export interface LayerPhase {
  /** For people: "layer 1". */
  readonly name: string;
  readonly kind: "layer" | "latent";
  readonly parameters: readonly Parameter[];
  /** Whether the batch comes with masking noise, the clean one beside it. */
  readonly noisyInput: boolean;
  /** What is minimised, per row: [rows, 1]. */
  loss(tape: Tape, clean: ContentBatch, noisy: ContentBatch, key: (name: string) => RandomKey): Variable;
}
