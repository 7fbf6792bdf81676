// Opens the trackers that a command line or another process names.

import { openMlflow } from "./mlflow/mlflow.js";
import { openTensorboard } from "./tensorboard/tensorboard.js";
import type { Tracker } from "./tracker.js";

/** Which trackers follow a training, as plain values. */
export interface TrackerChoice {
  /** The folder for event files of TensorBoard. */
  readonly tensorboard?: string;
  /** The address of an MLflow server; true: that of MLFLOW_TRACKING_URI. */
  readonly mlflow?: string | true;
}

/**
 * Opens the chosen trackers; `files`: whether models and reports are logged too. Throws UserError for an invalid address, or a
 * folder that cannot be made.
 */
export async function openTrackers(
  { tensorboard, mlflow }: TrackerChoice,
  { onNote, files = true }: { readonly onNote: (text: string) => void; readonly files?: boolean },
): Promise<Tracker[]> {
  return [
    ...(mlflow === undefined ? [] : [openMlflow(mlflow === true ? undefined : mlflow, { onNote, files })]),
    ...(tensorboard === undefined ? [] : [await openTensorboard(tensorboard, { onNote })]),
  ];
}
