// Parts of a scoring as tasks: the process loads the model and the histories once, and computes parts.

import { basename, join } from "node:path";
import type { EngineChoice } from "../compute/open-engine.js";
import type { EnginePrecision } from "../compute/tensor.js";
import { UserError } from "../core/errors.js";
import { digestOfModel } from "../recommender/model-files.js";
import type { MakeReady } from "../tasks/performer.js";
import { loadRecommender } from "./load.js";
import { INPUT, readInput } from "./score-input.js";
import { writePart } from "./score-part.js";

export type PartSetup = {
  /** The folder of the parts, absolute. */
  readonly folder: string;
  readonly run: string;
  /** The digest of the model. */
  readonly model: string;
  readonly engine: EngineChoice;
  readonly precision?: EnginePrecision;
  readonly k: number;
  readonly includeHistory: boolean;
  readonly partUsers: number;
  /** The digest of the input: another scoring in the same folder is another setup. */
  readonly input: string;
};

export const readyForParts: MakeReady = async (given, { threads, onNote }) => {
  const { folder, run, model, engine, precision, ...options } = given as unknown as PartSetup;
  if ((await digestOfModel(run)) !== model)
    throw new UserError({
      place: run,
      problem: "is not the model of the scoring",
      remedy: "Copy the run again, or score again with --force",
    });
  const recommender = await loadRecommender(run, { engine, precision, threads, onNote });
  const { histories, allowed } = await readInput(join(folder, INPUT));
  const all = { ...histories, strangers: 0, unknownItems: 0 };
  return {
    async perform(job, { signal, attempt }) {
      const { part } = job as { part: number };
      await writePart({ folder, allowed, ...options }, part, recommender, all, {
        signal,
        beforeRename: attempt && (() => attempt.fence()),
      });
      return basename(folder);
    },
    close: async () => recommender.dispose(),
  };
};
