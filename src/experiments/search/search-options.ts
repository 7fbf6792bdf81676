// What a caller of a search can choose.

import type { EngineChoice } from "../../compute/open-engine.js";
import type { EnginePrecision } from "../../compute/tensor.js";
import type { ProgressListener } from "../../core/progress.js";
import type { Tasks } from "../../tasks/tasks.js";
import type { TrackerChoice } from "../trackers/open-trackers.js";
import type { EvaluatedOn } from "./point.js";
import type { SearchPoint } from "./result.js";
import type { Dimension } from "./space.js";

export interface SearchOptions {
  /** A registered name. */
  model: string;
  /** The search space (`parseSpace` reads it from text). */
  space: readonly Dimension[];
  /** Number of points drawn at random. Default: all points, as a grid. */
  random?: number;
  /** A recipe of the model with the base options: the name of a data set, or the file of a recipe. */
  recipe?: string;
  /** Options that are the same at every point; they override the recipe. */
  options?: Record<string, unknown>;
  /** The seed of every training and of drawing points. Default 98765. */
  seed?: number;
  engine?: EngineChoice;
  /** As in `train`. */
  precision?: EnginePrecision;
  /** Number of worker processes. Default: one per core, at most 4. */
  jobs?: number;
  /** Threads per worker. Default: the cores divided among the jobs. The results do not depend on it. */
  threads?: number;
  /** Trains the points; `jobs` and `threads` are those of the default, processes of this machine. */
  tasks?: Tasks;
  /** The metric by which the best point is chosen; higher is better. Default "ndcg@100". */
  metric?: string;
  /** The users on which the best point is chosen. Default "validation"; "test" is only for reproducing published results. */
  chooseOn?: EvaluatedOn;
  /** Keep the models of all points instead of only the best one. */
  keepModels?: boolean;
  /** The search's folder; an existing one is resumed. */
  out: string;
  /** Milliseconds to wait for another process that writes `out`. Default 0: fail at once. */
  patience?: number;
  /** A recipe file for the best point; an existing one keeps its searches, and the better point wins. */
  writeRecipe?: string;
  checkpointSeconds?: number;
  /** A folder in which pretraining is kept for other points with the same content and options; see `TrainOptions`. Default: none. */
  cache?: string;
  /** Follow every training in other programs, without models and reports. */
  trackers?: TrackerChoice;
  progress?: ProgressListener;
  signal?: AbortSignal;
  /** Called for every point when it ends. */
  onPoint?: (point: SearchPoint, finished: number, points: number) => void;
}
