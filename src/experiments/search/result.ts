// The result of a search, in the form of results.json.

import type { JsonObject } from "../../core/json.js";
import type { MetricValue } from "../../evaluation/evaluate.js";
import type { EvaluatedOn } from "./point.js";
import type { Dimension, Setting } from "./space.js";

export interface SearchPoint {
  /** The name of the point's folder in points/. */
  key: string;
  /** The values of the varied options. */
  setting: Setting;
  state: "done" | "failed";
  /** The reason for a failure. */
  message?: string;
  /** The metrics on the users on which the best point is chosen. */
  metrics?: Record<string, MetricValue>;
  epochs?: number;
  chosenEpoch?: number | null;
  seconds?: number;
}

export interface SearchResult {
  dataset: string;
  model: string;
  /** Options that are the same at every point. */
  options: JsonObject;
  seed: number;
  metric: string;
  chosenOn: EvaluatedOn;
  /** The search as one command, with the dataset in data/<name>. */
  command: string;
  space: readonly Dimension[];
  /** In the order of the search. */
  points: SearchPoint[];
  best: SearchPoint;
  /** The best point's run folder. */
  run: string;
  /** The test metrics of the best point, computed after it was chosen. */
  test: Record<string, MetricValue>;
  /** The recipe files that were written. */
  recipes: string[];
}
