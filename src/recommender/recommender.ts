// The interface of a trained model: a function from a history to scores. New users are folded in without retraining.

import type { Division } from "../compute/division.js";
import type { TopK } from "../compute/engine.js";
import type { EnginePrecision, HostTensor, NamedTensors } from "../compute/tensor.js";
import type { JsonObject } from "../core/json.js";
import type { ContentForm } from "../data/content.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { CsrMatrix } from "../sparse/csr.js";

export type { HostTensor, NamedTensors };

/** Everything that `restore` needs. */
export interface ModelFiles {
  readonly algorithm: string;
  /** The options and sizes that the algorithm needs to rebuild the model. */
  readonly config: JsonObject;
  readonly tensors: NamedTensors;
  readonly items: Vocabulary;
  /** The form of the content of new items, for content-based models. */
  readonly content?: ContentForm;
  /** Present if the tensors have only the items of a member of the run. Not saved. */
  readonly division?: Division;
  /** The precision that the model was trained with. Default "float32". */
  readonly precision?: EnginePrecision;
}

/** The scores of every item for every history, computed lazily: nothing of size [users, items] exists unless `read` is called. */
export interface Scores {
  /** Number of histories. */
  readonly rows: number;
  /**
   * For each history, the k best items (at most the catalogue) except those in the same row of `without`. Ties: lower index first.
   * `allowed`: the items to choose from, as a set of bits (32 items in a word, the lowest first), or one set for each history, one
   * after the other.
   */
  topK(k: number, without?: CsrMatrix, allowed?: Uint32Array): Promise<TopK>;
  /** The scores of the given items: [rows, items.length], row-major. */
  at(items: Uint32Array): Promise<Float32Array>;
  /** All scores: [rows, catalogue], row-major. For small inputs and tests. */
  read(): Promise<Float32Array>;
}

export interface ScoreOptions {
  /** Aborts the computation with AbortedError (a request's deadline, Ctrl-C). Checked before each block of histories, and within slow blocks. */
  readonly signal?: AbortSignal;
}

/** A trained model. */
export interface Recommender {
  /** The registered name of its algorithm. */
  readonly algorithm: string;
  readonly items: Vocabulary;
  /** Scores for histories [users, items]; columns are indices of `items`. An empty history is allowed. Throws RangeError if the number of columns is not items.size. */
  score(histories: CsrMatrix, options?: ScoreOptions): Scores;
  /** Configuration and named tensors, copied to the host. */
  save(): Promise<ModelFiles>;
  /** Releases its memory in the engine. */
  dispose(): void;
}
