// The result of `tune`, in the form of results.json.

import type { JsonObject } from "../../core/json.js";
import type { MetricValue } from "../../evaluation/evaluate.js";
import type { Comparison } from "../compare/compare.js";
import type { Shape } from "../shape.js";
import type { LeftOut } from "./plan.js";

/** One line of the leaderboard: a model with the best options that were found. */
export interface TunedModel {
  model: string;
  /** The options that differ from the model's defaults. */
  options: JsonObject;
  /** The metric on the validation users; without a standard error for a training that did not end. */
  validation: MetricValue;
  /** How many trials the model had. */
  trials: number;
  /** Seconds of the best trial's training, and of all its trials. */
  seconds: number;
  totalSeconds: number;
  /** The best trial's run folder; absent for a training that did not end. */
  run?: string;
}

export interface TuneResult {
  dataset: string;
  shape: Shape;
  seed: number;
  metric: string;
  /** The command that repeats it, with the dataset in data/<name>. */
  command: string;
  /** Trials that were started, of which so many failed or were stopped early. */
  trials: number;
  failed: number;
  paused: number;
  /** Wall-clock seconds of the search. */
  seconds: number;
  /** Wall-clock seconds until the first model was trained. */
  firstModelSeconds?: number;
  /** Best first, by the validation metric. */
  models: TunedModel[];
  leftOut: LeftOut[];
  /** The run of the best single model. */
  best: string;
  /** Of the best models, if blending them is better on the validation users. */
  blend?: { run: string; parts: { model: string; weight: number }[]; validation: MetricValue };
  /** The best options, trained again on training and validation users. */
  refitted?: { run: string; test?: Record<string, MetricValue> };
  /** The blend, trained again likewise, if there was time. */
  refittedBlend?: { run: string; test?: Record<string, MetricValue> };
  /** The best runs on the test users, with paired tests, after everything was chosen; absent with a single model. */
  comparison?: Comparison;
  recipe: string;
}
