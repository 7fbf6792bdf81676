// Everything that a run needs from outside; nothing is read from globals.

import type { Communicator } from "../compute/communicator.js";
import type { Division } from "../compute/division.js";
import type { Engine, TopK } from "../compute/engine.js";
import type { StoredTensors } from "../compute/named-tensors.js";
import type { JsonObject } from "../core/json.js";
import type { ProgressListener } from "../core/progress.js";
import type { CsrMatrix } from "../sparse/csr.js";
import type { ModelFiles, NamedTensors } from "./recommender.js";
import type { InitialModel } from "./warm-start.js";

/** One line of `metrics.jsonl`. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Optimiser updates since the start of the run. */
  readonly updates: number;
  /** Wall-clock seconds of the epoch without validation. */
  readonly seconds: number;
  readonly validationSeconds: number;
  /** The epoch whose weights the model would have if the run ended here; absent in records of older versions. */
  readonly kept?: number;
  /** What the model reports (loss, beta, kl, ...) and the validation metrics ("validation ndcg@100"). */
  readonly values: Readonly<Record<string, number>>;
}

/** Everything needed to continue as if the run had not been interrupted. */
export interface Checkpoint {
  /** Finished epochs. */
  readonly epoch: number;
  /** The state of the training loop: updates, best score and epoch, epochs without improvement. */
  readonly loop: JsonObject;
  /** The model's changing tensors (weights, moments). */
  readonly state: NamedTensors;
  /** The best model so far, if there is one; its items are those of the dataset. */
  readonly best: Omit<ModelFiles, "items"> | undefined;
}

/** The best model so far, with tensors that may still have to be read. */
export type PendingModel = Omit<ModelFiles, "items" | "tensors"> & { readonly tensors: StoredTensors };

/** A checkpoint whose tensors are read as they are written. */
export interface PendingCheckpoint extends Omit<Checkpoint, "state" | "best"> {
  readonly state: StoredTensors;
  readonly best: PendingModel | undefined;
}

/** Stores checkpoints; implemented by run folders and by tests. */
export interface CheckpointStore {
  /** The checkpoint to resume from, or undefined to start a new run. */
  load(): Promise<Checkpoint | undefined>;
  /** Replaces the stored checkpoint atomically. */
  save(checkpoint: Checkpoint): Promise<void>;
  /** `save`, reading one tensor at a time, so that a large state is never copied as a whole. A failing read leaves the stored checkpoint. */
  savePending?(checkpoint: PendingCheckpoint): Promise<void>;
  /** Save after the first epoch, then after every epoch that ends at least this many seconds after the last save. */
  readonly everySeconds: number;
  /** Whether all members of the run save now; `due` is what this member decided by its clock. Absent with one member. */
  isDue?(due: boolean): Promise<boolean>;
}

/** Results that can be reused between runs, by name. */
export interface TensorCache {
  /** Its location, for messages. */
  readonly place: string;
  /** What was saved under the name; undefined if it is missing or cannot be read. */
  load(name: string): Promise<NamedTensors | undefined>;
  /** Saves atomically. */
  save(name: string, tensors: NamedTensors): Promise<void>;
}

/** A trained model that a student learns from. */
export interface Teacher {
  /** A hash that identifies the model. */
  readonly digest: string;
  /** The k best items of every history that are not in it. The model is in memory only during the call. Throws AbortedError. */
  best(histories: CsrMatrix, k: number, signal?: AbortSignal): Promise<TopK>;
}

export interface RunContext {
  readonly engine: Engine;
  /** The processes that train together. Default: only this process. */
  readonly communicator?: Communicator;
  /** The division of the items into blocks, and of the blocks among the processes that train together. Default: not divided. */
  readonly division?: Division;
  /** A non-negative integer below 2^53. */
  readonly seed: number;
  readonly progress?: ProgressListener;
  readonly signal?: AbortSignal;
  readonly checkpoints?: CheckpointStore;
  /** Stop after this epoch, with a checkpoint from which the run can be resumed. Needs `checkpoints`. Default: never. */
  readonly pauseAfter?: number;
  /** Initial weights instead of random ones, for algorithms with `warmStart`. */
  readonly initial?: InitialModel;
  /** The model to learn from, for algorithms with `distills`. */
  readonly teacher?: Teacher;
  /** A cache for pretraining that runs can share; without it, each run does its own. */
  readonly cache?: TensorCache;
  /** Called after every finished epoch, in order (after resuming, only for new epochs). */
  readonly onEpoch?: (record: EpochRecord) => void;
}
