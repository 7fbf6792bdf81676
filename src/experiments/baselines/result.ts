// The result of the preset `baselines`, in the form of results.json.

import type { MetricValue } from "../../evaluation/evaluate.js";
import type { Comparison } from "../compare/compare.js";
import type { Setting } from "../search/space.js";

export interface BaselineRow {
  model: string;
  /** "recipe ml-1m", "best of 6 points", "defaults" */
  how: string;
  /** The values chosen by the search; empty without a search. */
  chosen: Setting;
  validation?: MetricValue;
  /** Training time in seconds of the model in the table, and of the whole search. */
  seconds?: number;
  searchSeconds?: number;
  /** The run folder. */
  run?: string;
  /** The reason why the model could not be trained. */
  failure?: string;
}

export interface Baselines {
  dataset: string;
  metric: "ndcg@100";
  /** In training order. */
  rows: BaselineRow[];
  /** The comparison of the trained models on the test users; its systems are named after the models. */
  comparison: Comparison;
  shortenedTo?: number;
}
