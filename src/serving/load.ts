// A trained model back from its folder: no training code, no DuckDB.

import type { Engine } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import { restoreModel } from "../models/registry.js";
import { closingWith } from "../recommender/closing-with.js";
import { findModelFolder, readModelFiles } from "../recommender/model-files.js";
import type { Recommender } from "../recommender/recommender.js";

export interface LoadOptions {
  /** An open engine (which stays open), or which one to open (closed by the recommender's `dispose`). Default "auto". */
  engine?: Engine | EngineChoice;
  /** Threads of an engine opened here. Default: all cores. */
  threads?: number;
}

/**
 * Loads a model from a model folder, or from a run folder (its `model/`). Throws UserError, naming the file, where
 * nothing is there, the run is not finished, or a file is damaged.
 */
export async function loadRecommender(
  folder: string,
  { engine = "auto", threads }: LoadOptions = {},
): Promise<Recommender> {
  const files = await readModelFiles(await findModelFolder(folder));
  if (typeof engine !== "string") return restoreModel(files, { engine });
  const opened = await openEngine({ engine, threads });
  try {
    return closingWith(await restoreModel(files, { engine: opened }), opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}
