// Everything a run needs from outside: nothing reads globals.

import type { Communicator } from "../compute/communicator.js";
import type { Engine } from "../compute/engine.js";
import type { JsonObject } from "../core/json.js";
import type { ProgressListener } from "../core/progress.js";
import type { ModelFiles, NamedTensors } from "./recommender.js";
import type { InitialModel } from "./warm-start.js";

/** One line of `metrics.jsonl`. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Optimiser updates since the start of the run. */
  readonly updates: number;
  /** Wall-clock seconds of the epoch, validation apart. */
  readonly seconds: number;
  readonly validationSeconds: number;
  /** The epoch whose weights a run that ended here would have; absent in records of older versions. */
  readonly kept?: number;
  /** What the model reports (loss, beta, kl, ...) and the validation metrics ("validation ndcg@100"). */
  readonly values: Readonly<Record<string, number>>;
}

/** Everything needed to go on as if never interrupted. */
export interface Checkpoint {
  /** Finished epochs. */
  readonly epoch: number;
  /** What the loop remembers: updates, best score and epoch, epochs without improvement. */
  readonly loop: JsonObject;
  /** The model's changing tensors (weights, moments). */
  readonly state: NamedTensors;
  /** The best model so far, where there is one; its items are the dataset's. */
  readonly best: Omit<ModelFiles, "items"> | undefined;
}

/** Where checkpoints go; a run folder provides one, and so may a test. */
export interface CheckpointStore {
  /** The checkpoint to resume from, or undefined to start afresh. */
  load(): Promise<Checkpoint | undefined>;
  /** Replaces the stored checkpoint; whole or not at all. */
  save(checkpoint: Checkpoint): Promise<void>;
  /** Save after the first epoch of a run, then after each that ends at least this many seconds after the last save. */
  readonly everySeconds: number;
}

/** Results worth keeping from one run to the next, by name. */
export interface TensorCache {
  /** Where it is, for people. */
  readonly place: string;
  /** What was saved under the name, or undefined; what cannot be read counts as not there. */
  load(name: string): Promise<NamedTensors | undefined>;
  /** Whole or not at all. */
  save(name: string, tensors: NamedTensors): Promise<void>;
}

export interface RunContext {
  readonly engine: Engine;
  /** The members that train together. Default: this process alone. */
  readonly communicator?: Communicator;
  /** A non-negative integer below 2^53. */
  readonly seed: number;
  readonly progress?: ProgressListener;
  readonly signal?: AbortSignal;
  readonly checkpoints?: CheckpointStore;
  /** Weights to start from instead of random ones, for algorithms that say `warmStart`. */
  readonly initial?: InitialModel;
  /** For pretraining, which several runs may share; without one each does its own. */
  readonly cache?: TensorCache;
  /** Hears of every finished epoch, in order (also while resuming, only of new ones). */
  readonly onEpoch?: (record: EpochRecord) => void;
}
