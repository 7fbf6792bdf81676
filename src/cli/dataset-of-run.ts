// The location of a run's dataset: the one given by the user, or the one recorded when the run was trained.

import { existsSync } from "node:fs";
import { UserError } from "../core/errors.js";

/** The dataset folder. Throws UserError if none is given and the recorded folder does not exist. */
export function datasetOfRun(
  run: string,
  { dataset }: { readonly dataset: { readonly path: string | null } },
  given: string | undefined,
): string {
  const folder = given ?? dataset.path;
  if (folder !== null && (given !== undefined || existsSync(folder))) return folder;
  throw new UserError({
    place: run,
    problem:
      folder === null ? "was trained on a dataset in memory" : `its dataset was not found in ${folder}`,
    remedy: "Give a dataset folder with --dataset <folder>",
  });
}
