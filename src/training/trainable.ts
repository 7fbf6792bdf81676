// What the training loop drives. The model owns what one epoch does; the loop (fit.ts) owns everything around it.

import type { JsonObject } from "../core/json.js";
import type { ModelFiles, NamedTensors, Recommender } from "../recommender/recommender.js";

/** One pass over the training users. */
export interface Epoch {
  /** From 1. */
  readonly number: number;
  /** The training users in this epoch's order. */
  readonly order: Uint32Array;
  /** Optimiser updates before this epoch, since the start of the run. */
  readonly updates: number;
  readonly signal?: AbortSignal;
  /** Told now and then which share of the epoch is done, with the numbers so far. */
  readonly onProgress?: (share: number, values: Record<string, number>) => void;
}

export interface EpochReport {
  /** Optimiser updates after this epoch, since the start of the run. */
  readonly updates: number;
  /** Numbers worth recording; `loss` must be among them: a loss that is not finite stops the run. */
  readonly values: Record<string, number>;
  /** Whether there is nothing left to learn: training ends with this epoch. Default false. */
  readonly converged?: boolean;
}

export type PhaseEpoch = Omit<Epoch, "order">;

interface PretrainingPhase {
  /** For people: "layer 1". */
  readonly name: string;
  readonly epochs: number;
  /** Called before its first epoch, also after `loadState` where that stopped between phases; not where it stopped within. */
  begin(): void | Promise<void>;
  epoch(epoch: PhaseEpoch): Promise<EpochReport>;
}

export interface Pretraining {
  readonly phases: readonly PretrainingPhase[];
  /** All that the outcome depends on but the seed and the engine: the content's digest, options. Absent = it is not kept in a cache. */
  readonly key?: JsonObject;
  /** The outcome, and nothing else. */
  save(): Promise<NamedTensors>;
  load(outcome: NamedTensors): void | Promise<void>;
  /** Called once when all phases are done, or their outcome was loaded: optimisers start afresh. */
  end(): Promise<void>;
}

/** A model as it was at a moment, while training goes on. */
export interface KeptModel {
  /** Whether a look at the weights found nothing but finite numbers; false is a reason to look at them one by one. */
  readonly finite: Promise<boolean>;
  files(): Promise<Omit<ModelFiles, "items">>;
  /** Gives its memory back to the engine. */
  dispose(): void;
}

export interface Trainable {
  /** What is trained before the first epoch; `saveState` and `loadState` must do in the middle of it too. */
  readonly pretraining?: Pretraining;
  /** Everything that changes while training, copied to the host: what a checkpoint must hold, and nothing else. */
  saveState(): Promise<NamedTensors>;
  /** Takes over what `saveState` gave. Throws RangeError where it does not fit. */
  loadState(state: NamedTensors): void | Promise<void>;
  /** Takes over a saved model's weights before the first epoch, items matched by id. Throws UserError where they do not fit. */
  startFrom?(files: ModelFiles): Promise<void>;
  epoch(epoch: Epoch): Promise<EpochReport>;
  /** Hears of an epoch's validation before the next one: { "ndcg@100": .41 }. For schedules that depend on it; what it changes is state. */
  validated?(validation: Readonly<Record<string, number>>): void;
  /** The model as it stands, sharing the trainable's memory: valid until the next epoch, not to be disposed. */
  recommender(): Recommender;
  /** The model as it stands, kept aside: for those that can do it faster than by `recommender().save()`. */
  keep?(): KeptModel;
  /** Gives its memory back to the engine. */
  dispose(): void;
}
