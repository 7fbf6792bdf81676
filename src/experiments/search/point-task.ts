// Points of a search as tasks: train a point in its run folder, or, where others may train it too, in a folder of the attempt.

import { existsSync } from "node:fs";
import { basename } from "node:path";
import { type EngineChoice, openEngine } from "../../compute/open-engine.js";
import type { EnginePrecision } from "../../compute/tensor.js";
import { asJson } from "../../core/json.js";
import { loadDataset } from "../../data/dataset.js";
import type { MakeReady } from "../../tasks/performer.js";
import { inAttemptFolder } from "../attempt-folder.js";
import { modelFolderOf } from "../run-folder.js";
import { shareOfTraining } from "../training-share.js";
import { type PointJob, readResult, runPoint } from "./point.js";

export interface PointSetup {
  readonly dataset: string;
  readonly engine: EngineChoice;
  readonly precision?: EnginePrecision;
}

export const readyForPoints: MakeReady = async (given, { threads, signal, onNote }) => {
  const { dataset: path, engine: choice, precision } = given as unknown as PointSetup;
  const engine = await openEngine({ engine: choice, threads, precision, onNote });
  const dataset = await loadDataset(path, { signal });
  return {
    async perform(job, { signal, attempt, onShare, onNote }) {
      const point = job as unknown as PointJob;
      const context = { signal, onNote, progress: shareOfTraining(onShare) };
      if (!attempt) return asJson(await runPoint(dataset, engine, point, context));
      const { folder } = point;
      const before = await readResult(folder, point);
      if (before && existsSync(modelFolderOf(folder))) return asJson(before);
      const result = await inAttemptFolder(folder, attempt, (own) =>
        runPoint(
          dataset,
          engine,
          { ...point, folder: own },
          {
            ...context,
            name: basename(folder),
            beforeWrite: () => attempt.fence(),
          },
        ),
      );
      return asJson(result);
    },
    close: () => engine.close(),
  };
};
