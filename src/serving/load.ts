// Loads a trained model from its folder, without training code and without DuckDB.

import type { Engine } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import type { EnginePrecision } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import { restoreModel } from "../models/registry.js";
import { closingWith } from "../recommender/closing-with.js";
import { useIndex } from "../recommender/item-index.js";
import { findModelFolder, readModelFiles } from "../recommender/model-files.js";
import { ranksByProducts } from "../recommender/product-ranking.js";
import type { Recommender } from "../recommender/recommender.js";

export interface LoadOptions {
  /** An open engine (stays open), or the name of one to open (closed by the recommender's `dispose`). Default "auto". */
  engine?: Engine | EngineChoice;
  /** Threads of an engine opened here. Default: all cores. */
  threads?: number;
  /** Of an engine opened here. Default: the precision that the model was trained with. */
  precision?: EnginePrecision;
  /**
   * Approximate answers: ranks only the items of this number of blocks of the index that `foldin index` wrote, or (true) of as many
   * as it chose. Default false: exact answers, which are faster with an index too.
   */
  approximate?: boolean | number;
  /** Whether to use the index of the model, if it has one. Default true. */
  index?: boolean;
  /** Receives messages, such as that an index is not used because it was built for other weights. */
  onNote?(note: string): void;
}

/**
 * Loads a model from a model folder or from a run folder (its `model/`). Throws UserError, naming the file, if the folder
 * does not exist, the run is incomplete, a file is damaged, or approximate answers are requested and there is no index.
 */
export async function loadRecommender(
  folder: string,
  { engine = "auto", threads, precision, approximate, index = true, onNote }: LoadOptions = {},
): Promise<Recommender> {
  const path = await findModelFolder(folder);
  const files = await readModelFiles(path);
  const restore = async (engine: Engine) => {
    const recommender = await restoreModel(files, { engine }).catch((error: unknown) => {
      throw within(path, error);
    });
    try {
      if (!index) return recommender;
      if (ranksByProducts(recommender)) await useIndex(recommender, path, { approximate, onNote });
      else if (approximate !== undefined && approximate !== false)
        throw withoutVectors(path, files.algorithm);
    } catch (error) {
      recommender.dispose();
      throw error;
    }
    return recommender;
  };
  if (typeof engine !== "string") return restore(engine);
  const opened = await openEngine({ engine, threads, precision: precision ?? files.precision });
  try {
    return closingWith(await restore(opened), opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** The error for a model that cannot have an index. */
export function withoutVectors(folder: string, algorithm: string): UserError {
  return new UserError({
    place: folder,
    problem: `${algorithm} models cannot have an index: their scores are not products with one vector per item`,
    remedy: "Use exact answers",
  });
}

/** Prefixes the place of an algorithm's error with the model folder. */
function within(folder: string, error: unknown): unknown {
  if (!(error instanceof UserError)) return error;
  const { place, problem, expected, remedy } = error;
  const inside = place === undefined ? folder : `${folder}: ${place}`;
  return new UserError({ place: inside, problem, expected, remedy, cause: error });
}
