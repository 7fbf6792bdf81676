// What the preset `baselines` found, as results.json has it.

import type { MetricValue } from "../../evaluation/evaluate.js";
import type { Comparison } from "../compare/compare.js";
import type { Setting } from "../search/space.js";

export interface BaselineRow {
  model: string;
  /** "recipe ml-1m", "the best of 6 points", "defaults" */
  how: string;
  /** What was chosen among several, where there were. */
  chosen: Setting;
  validation?: MetricValue;
  /** Seconds of training the model in the table, and of the whole search. */
  seconds?: number;
  searchSeconds?: number;
  /** The run folder. */
  run?: string;
  /** Why there is no model. */
  failure?: string;
}

export interface Baselines {
  dataset: string;
  metric: "ndcg@100";
  /** In the order of the plan. */
  rows: BaselineRow[];
  /** Of those that could be trained, on the test users; its systems are named after the models. */
  comparison: Comparison;
  shortenedTo?: number;
}
