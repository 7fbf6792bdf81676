// Options that choose the programs in which a training is followed.

import type { Command } from "commander";
import type { Tracker } from "../experiments/trackers/tracker.js";
import type { CliContext } from "./context.js";

export interface TrackerFlags {
  tensorboard?: string;
  /** true: without a value. */
  mlflow?: string | true;
}

export function addTrackerOptions<C extends Command>(command: C): C {
  return command
    .option("--tensorboard <folder>", "write event files for TensorBoard to <folder>/<name of the run>")
    .option(
      "--mlflow [url]",
      "log to this MLflow server: options, metrics, report and model (default: MLFLOW_TRACKING_URI)",
    ) as C;
}

/** The chosen trackers. Throws UserError for an invalid address, or a folder that cannot be made. */
export async function openTrackers(
  { tensorboard, mlflow }: TrackerFlags,
  context: Pick<CliContext, "progress">,
): Promise<Tracker[]> {
  const onNote = (text: string) => context.progress({ type: "note", text });
  const trackers: Tracker[] = [];
  if (mlflow !== undefined) {
    const { openMlflow } = await import("../experiments/trackers/mlflow/mlflow.js");
    trackers.push(openMlflow(mlflow === true ? undefined : mlflow, { onNote }));
  }
  if (tensorboard !== undefined) {
    const { openTensorboard } = await import("../experiments/trackers/tensorboard/tensorboard.js");
    trackers.push(await openTensorboard(tensorboard, { onNote }));
  }
  return trackers;
}
