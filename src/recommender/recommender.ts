// What every model is, once trained: a function from a history to scores. A new user is folded in, never retrained.

import type { TopK } from "../compute/engine.js";
import type { HostTensor, NamedTensors } from "../compute/tensor.js";
import type { JsonObject } from "../core/json.js";
import type { ContentForm } from "../data/content.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { CsrMatrix } from "../sparse/csr.js";

export type { HostTensor, NamedTensors };

/** All that `restore` needs. */
export interface ModelFiles {
  readonly algorithm: string;
  /** The options and sizes that the algorithm needs to rebuild the model. */
  readonly config: JsonObject;
  readonly tensors: NamedTensors;
  readonly items: Vocabulary;
  /** What the content of new items must look like, where the model can take any in. */
  readonly content?: ContentForm;
}

/** The scores of every item for every history, not yet computed: nothing of size [users, items] exists until `read`. */
export interface Scores {
  /** Number of histories. */
  readonly rows: number;
  /** Per history the k best items (at most the catalogue), leaving out those in the same row of `without`. Ties: lower index first. */
  topK(k: number, without?: CsrMatrix): Promise<TopK>;
  /** The scores of the given items: [rows, items.length], row-major. */
  at(items: Uint32Array): Promise<Float32Array>;
  /** All scores: [rows, catalogue], row-major. For small inputs and tests. */
  read(): Promise<Float32Array>;
}

export interface ScoreOptions {
  /** Ends a computation with AbortedError: a request's deadline, Ctrl-C. Looked at before each block of histories, and within one where that takes long. */
  readonly signal?: AbortSignal;
}

/** A trained model. */
export interface Recommender {
  /** The registered name of its algorithm. */
  readonly algorithm: string;
  readonly items: Vocabulary;
  /** Scores for histories [users, items]; columns are indices of `items`. An empty history is allowed. Throws RangeError where columns differ from items.size. */
  score(histories: CsrMatrix, options?: ScoreOptions): Scores;
  /** Configuration and named tensors, copied to the host. */
  save(): Promise<ModelFiles>;
  /** Gives its memory back to the engine. */
  dispose(): void;
}
