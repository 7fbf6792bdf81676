// Loads a trained model from its folder, without training code and without DuckDB.

import type { Engine } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import type { EnginePrecision } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import { restoreModel } from "../models/registry.js";
import { closingWith } from "../recommender/closing-with.js";
import { findModelFolder, readModelFiles } from "../recommender/model-files.js";
import type { Recommender } from "../recommender/recommender.js";

export interface LoadOptions {
  /** An open engine (stays open), or the name of one to open (closed by the recommender's `dispose`). Default "auto". */
  engine?: Engine | EngineChoice;
  /** Threads of an engine opened here. Default: all cores. */
  threads?: number;
  /** Of an engine opened here. Default: the precision that the model was trained with. */
  precision?: EnginePrecision;
}

/**
 * Loads a model from a model folder or from a run folder (its `model/`). Throws UserError, naming the file, if the folder
 * does not exist, the run is incomplete, or a file is damaged.
 */
export async function loadRecommender(
  folder: string,
  { engine = "auto", threads, precision }: LoadOptions = {},
): Promise<Recommender> {
  const path = await findModelFolder(folder);
  const files = await readModelFiles(path);
  const restore = (engine: Engine) =>
    restoreModel(files, { engine }).catch((error: unknown) => {
      throw within(path, error);
    });
  if (typeof engine !== "string") return restore(engine);
  const opened = await openEngine({ engine, threads, precision: precision ?? files.precision });
  try {
    return closingWith(await restore(opened), opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Prefixes the place of an algorithm's error with the model folder. */
function within(folder: string, error: unknown): unknown {
  if (!(error instanceof UserError)) return error;
  const { place, problem, expected, remedy } = error;
  const inside = place === undefined ? folder : `${folder}: ${place}`;
  return new UserError({ place: inside, problem, expected, remedy, cause: error });
}
