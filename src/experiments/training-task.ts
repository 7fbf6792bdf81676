// Trainings of a preset as tasks: each writes a run folder. Evaluation is left to the program that asked for them.

import { basename } from "node:path";
import { type EngineChoice, openEngine } from "../compute/open-engine.js";
import type { EnginePrecision } from "../compute/tensor.js";
import { type Dataset, loadDataset } from "../data/dataset.js";
import type { MakeReady } from "../tasks/performer.js";
import { inAttemptFolder } from "./attempt-folder.js";
import { findRunFolder } from "./run-folder.js";
import { train } from "./train.js";
import { shareOfTraining } from "./training-share.js";

export interface TrainingSetup {
  readonly engine: EngineChoice;
  readonly precision?: EnginePrecision;
}

export interface TrainingJob {
  /** The run folder, absolute. */
  readonly folder: string;
  readonly dataset: string;
  readonly model: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly cache?: string;
}

export const readyForTrainings: MakeReady = async (given, { threads, onNote }) => {
  const { engine: choice, precision } = given as unknown as TrainingSetup;
  const engine = await openEngine({ engine: choice, threads, precision, onNote });
  let loaded: { path: string; dataset: Dataset } | undefined;
  return {
    async perform(job, { signal, attempt, onShare }) {
      const { folder, dataset: path, model, options, seed, cache } = job as unknown as TrainingJob;
      if (loaded?.path !== path) loaded = { path, dataset: await loadDataset(path, { signal }) };
      const { dataset } = loaded;
      const trained = async (out: string) => {
        const recommender = await train(dataset, {
          ...{ model, options, seed, engine, out, datasetPath: path, cache, signal },
          ...{ resume: (await findRunFolder(out)) !== undefined, patience: 15_000 },
          ...{ progress: shareOfTraining(onShare), name: basename(folder) },
          beforeWrite: attempt && (() => attempt.fence()),
        });
        recommender.dispose();
      };
      if (!attempt) await trained(folder);
      else if (!(await findRunFolder(folder))?.complete) await inAttemptFolder(folder, attempt, trained);
      return null;
    },
    close: () => engine.close(),
  };
};
