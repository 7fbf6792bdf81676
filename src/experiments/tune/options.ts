// What `tune` is asked for.

import type { EngineChoice } from "../../compute/open-engine.js";
import type { EnginePrecision } from "../../compute/tensor.js";
import type { JsonObject } from "../../core/json.js";
import type { ProgressListener } from "../../core/progress.js";
import type { Tasks } from "../../tasks/tasks.js";

export interface TuneOptions {
  /** Seconds for everything. Either this or `trials` is needed. */
  budgetSeconds?: number;
  /** How many settings are tried, of all models together; the same number and seed give the same trials on every machine. */
  trials?: number;
  /** Only these models. Default: all that fit the dataset. */
  models?: readonly string[];
  /** The metric that is maximised on the validation users. Default "ndcg@100". */
  metric?: string;
  /** The seed of every training and of the search. Default 98765. */
  seed?: number;
  engine?: EngineChoice;
  /** As in `train`. */
  precision?: EnginePrecision;
  /** Number of worker processes. Default: one per core, at most 4. */
  jobs?: number;
  /** Threads per worker. Default: the cores divided among the jobs. */
  threads?: number;
  /** What does the trainings. Default: `jobs` processes of this machine. */
  tasks?: Tasks;
  /** The folder; an existing one is resumed. */
  out: string;
  progress?: ProgressListener;
  signal?: AbortSignal;
  /** Called when a training ends or pauses. */
  onTrial?: (trial: TunedTrial) => void;
}

/** A trial, for the display. */
export interface TunedTrial {
  readonly number: number;
  readonly model: string;
  readonly setting: Readonly<JsonObject>;
  readonly state: "paused" | "done" | "failed";
  readonly value?: number;
  readonly seconds: number;
  readonly message?: string;
  /** Whether its value is the best so far. */
  readonly isBest: boolean;
}
