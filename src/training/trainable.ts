// The interface between a model and the training loop: the model implements one epoch; the loop (fit.ts) does everything else.

import type { StoredTensors } from "../compute/named-tensors.js";
import type { Parameter } from "../compute/parameter.js";
import type { JsonObject } from "../core/json.js";
import type { ModelFiles, NamedTensors, Recommender } from "../recommender/recommender.js";
import type { PendingModel } from "../recommender/run-context.js";

/** One pass over the training users. */
export interface Epoch {
  /** From 1. */
  readonly number: number;
  /** The training users in this epoch's order. */
  readonly order: Uint32Array;
  /** Optimiser updates before this epoch, since the start of the run. */
  readonly updates: number;
  readonly signal?: AbortSignal;
  /** Called now and then with the finished share of the epoch and the current numbers. */
  readonly onProgress?: (share: number, values: Record<string, number>) => void;
}

export interface EpochReport {
  /** Optimiser updates after this epoch, since the start of the run. */
  readonly updates: number;
  /** The numbers to record, including `loss`; a loss that is not finite stops the run. */
  readonly values: Record<string, number>;
  /** Whether training has converged and ends with this epoch. Default false. */
  readonly converged?: boolean;
}

export type PhaseEpoch = Omit<Epoch, "order">;

interface PretrainingPhase {
  /** For messages: "layer 1". */
  readonly name: string;
  readonly epochs: number;
  /**
   * Everything that the outcome of this phase and of those before it depends on, except the seed and the engine: the digest of
   * the content, options. Absent = not cached.
   */
  readonly key?: JsonObject;
  /** Called before its first epoch, also after `loadState` between two phases, but not within a phase. */
  begin(): void | Promise<void>;
  epoch(epoch: PhaseEpoch): Promise<EpochReport>;
}

export interface Pretraining {
  readonly phases: readonly PretrainingPhase[];
  /** The outcome of the phases up to this index, and nothing else. */
  save(phase: number): Promise<NamedTensors>;
  load(phase: number, outcome: NamedTensors): void | Promise<void>;
  /** Called once when all phases are done, or their outcome was loaded: resets the optimisers. */
  end(): Promise<void>;
}

/** A snapshot of a model while training continues. */
export interface KeptModel {
  /** Whether a quick check found only finite weights; if false, check them one by one. */
  readonly finite: Promise<boolean>;
  files(): Promise<Omit<ModelFiles, "items">>;
  /** The same with tensors that are read one by one, before `dispose`. */
  pending?(): PendingModel;
  /** Returns its memory to the engine. */
  dispose(): void;
}

export interface Trainable {
  /** Pretraining before the first epoch; `saveState` and `loadState` must also work in the middle of it. */
  readonly pretraining?: Pretraining;
  /** The complete state that changes during training, copied to the host for a checkpoint. */
  saveState(): Promise<NamedTensors>;
  /** The same state, whose tensors are read one by one, before the next update. */
  pendingState?(): StoredTensors;
  /** Restores the state of `saveState`. Throws RangeError if it does not match. */
  loadState(state: NamedTensors): void | Promise<void>;
  /** Loads the weights of a saved model before the first epoch, matching items by id. Throws UserError if they do not match. */
  startFrom?(files: ModelFiles): Promise<void>;
  epoch(epoch: Epoch): Promise<EpochReport>;
  /** Called with the validation metrics of an epoch, { "ndcg@100": .41 }, for schedules that depend on them. Changes are part of the state. */
  validated?(validation: Readonly<Record<string, number>>): void;
  /** The current model, which shares the trainable's memory: valid until the next epoch, must not be disposed of. */
  recommender(): Recommender;
  /** The parameters of the model, if its weights can be averaged: everything that `recommender` has from training. */
  readonly parameters?: readonly Parameter[];
  /** A snapshot of the current model, for models that can create one faster than by `recommender().save()`. */
  keep?(): KeptModel;
  /** Returns its memory to the engine. */
  dispose(): void;
}
