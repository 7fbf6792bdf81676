// Options that choose the programs in which trainings are followed.

import type { Command } from "commander";

export function addTrackerOptions<C extends Command>(command: C): C {
  return command
    .option("--tensorboard <folder>", "write event files for TensorBoard to <folder>/<name of the run>")
    .option(
      "--mlflow [url]",
      "log to this MLflow server: options, metrics, report and model (default: MLFLOW_TRACKING_URI)",
    ) as C;
}
