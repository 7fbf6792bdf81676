// What a search found, as results.json has it.

import type { JsonObject } from "../../core/json.js";
import type { MetricValue } from "../../evaluation/evaluate.js";
import type { EvaluatedOn } from "./point.js";
import type { Dimension, Setting } from "./space.js";

export interface SearchPoint {
  /** Names the point's folder beneath points/. */
  key: string;
  /** The varied options. */
  setting: Setting;
  state: "done" | "failed";
  /** Why it failed. */
  message?: string;
  /** On the users that choose. */
  metrics?: Record<string, MetricValue>;
  epochs?: number;
  chosenEpoch?: number | null;
  seconds?: number;
}

export interface SearchResult {
  dataset: string;
  model: string;
  /** What is the same at every point. */
  options: JsonObject;
  seed: number;
  metric: string;
  chosenOn: EvaluatedOn;
  /** The search as one command, the dataset in data/<name>. */
  command: string;
  space: readonly Dimension[];
  /** In the order of the search. */
  points: SearchPoint[];
  best: SearchPoint;
  /** The best point's run folder. */
  run: string;
  /** Of the best point alone, after it was chosen. */
  test: Record<string, MetricValue>;
  /** The recipe's files that were written. */
  recipes: string[];
}
