// Where the dataset of a run is: where the user says, or where it was when the run was trained.

import { existsSync } from "node:fs";
import { UserError } from "../core/errors.js";

/** The dataset folder. Throws UserError where nobody says and it is not where it was. */
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
      folder === null
        ? "was trained on a dataset that is not on disk"
        : `its dataset is no longer in ${folder}`,
    remedy: "Say where one is with --dataset <folder>",
  });
}
