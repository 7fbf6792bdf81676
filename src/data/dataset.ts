// A dataset: histories to train on, and held-out users (or items of the same users) to judge with.
// The dataset folder on disk (manifest.json and Parquet tables) is read and written here; see docs/datasets.md.

import type { CsrMatrix } from "../sparse/csr.js";
import type { Vocabulary } from "./vocabulary.js";

/** Users to judge with: what the model may see of each, and what it should rank high. */
export interface HeldOutSplit {
  /** The users' external ids; row u of both matrices is user u. */
  readonly users: Vocabulary;
  /** [users, items]: the histories to fold in. */
  readonly foldIn: CsrMatrix;
  /** [users, items]: what was held out; disjoint from `foldIn`. A row may be empty (the user is then not judged). */
  readonly heldOut: CsrMatrix;
}

export interface Dataset {
  /** A short name: the source's ("ml-1m") or the folder's. */
  readonly name: string;
  readonly items: Vocabulary;
  /** The training users' ids; row u of `train` is user u. */
  readonly users: Vocabulary;
  /** [users, items]. */
  readonly train: CsrMatrix;
  readonly validation: HeldOutSplit;
  readonly test: HeldOutSplit;
}
