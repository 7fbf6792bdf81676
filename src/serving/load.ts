// A trained model back from its folder: no training code, no DuckDB.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../compute/engine.js";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import { UserError } from "../core/errors.js";
import { restoreModel } from "../models/registry.js";
import { closingWith } from "../recommender/closing-with.js";
import { readModelFiles } from "../recommender/model-files.js";
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
  const files = await readModelFiles(await modelFolder(folder));
  if (typeof engine !== "string") return restoreModel(files, { engine });
  const opened = await openEngine({ engine, threads });
  try {
    return closingWith(await restoreModel(files, { engine: opened }), opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function modelFolder(folder: string): Promise<string> {
  const has = async (...path: string[]) =>
    (await stat(join(folder, ...path)).catch(() => undefined)) !== undefined;
  if (await has("model", "config.json")) return join(folder, "model");
  if ((await has("config.json")) && !(await has("model.safetensors")))
    throw new UserError({
      place: folder,
      problem: "holds a run that has no model yet",
      remedy: "Finish it with foldin train ... --resume",
    });
  return folder;
}
