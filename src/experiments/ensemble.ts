// An ensemble: one model trained with several seeds, and the blend of the results. One folder:
//   ensemble.json   what is trained
//   seeds/<seed>/   a run folder per seed
//   blend/          the run of the blend, which contains its parts

import { join } from "node:path";
import { UserError } from "../core/errors.js";
import type { JsonObject } from "../core/json.js";
import { withLock } from "../core/lock.js";
import type { Dataset } from "../data/dataset.js";
import type { Recommender } from "../recommender/recommender.js";
import { claimFolder } from "./claim-folder.js";
import { DEFAULT_SEED, type TrainOptions, train } from "./train.js";

export interface EnsembleOptions
  extends Omit<TrainOptions, "resume" | "force" | "initFrom" | "distill" | "patience"> {
  /** A registered name. */
  model: string;
  /** Number of seeds, at least 2: `seed`, `seed` + 1, and so on. */
  seeds: number;
  /** The folder to write; an existing one is resumed. */
  out: string;
  /** Called before each training, with its number from 1. */
  onSeed?: (seed: number, number: number) => void;
}

/**
 * Trains the model once per seed and blends the results with equal weights, so nothing is chosen and the validation users are not
 * fitted. Returns the blend. Throws UserError for fewer than two seeds and for a folder of another ensemble, and like `train`;
 * AbortedError when the signal aborts: the same call then resumes.
 */
export async function trainEnsemble(dataset: Dataset, given: EnsembleOptions): Promise<Recommender> {
  const { out, seeds, model, seed = DEFAULT_SEED, progress, onSeed, ...options } = given;
  if (!Number.isSafeInteger(seeds) || seeds < 2)
    throw new UserError({ place: "seeds", problem: `${seeds} is not valid`, expected: "at least 2" });
  return withLock(
    out,
    async () => {
      const head: JsonObject = { formatVersion: 1, model, seed };
      const found = (await claimFolder(out, {
        ...{ marker: "ensemble.json", head, what: "an ensemble" },
      })) as JsonObject;
      if (found.model !== model || found.seed !== seed)
        throw new UserError({
          place: out,
          problem: `contains an ensemble of ${String(found.model)} from seed ${String(found.seed)}`,
          expected: `a new folder, or an ensemble of ${model} from seed ${seed}`,
          remedy: "Choose another folder with --out",
        });
      const runs: string[] = [];
      for (let s = 0; s < seeds; s++) {
        onSeed?.(seed + s, s + 1);
        const run = join(out, "seeds", String(seed + s));
        const one = await train(dataset, {
          ...{ ...options, model, seed: seed + s, out: run, progress },
          resume: true,
        });
        one.dispose();
        runs.push(run);
      }
      const blend = {
        ...{ model: "blend", recipe: undefined, onEpoch: undefined, trackers: undefined, seed },
        options: { runs, weights: runs.map(() => 1) },
      };
      const place = join(out, "blend");
      // The number of seeds may have changed since the blend was made.
      return train(dataset, { ...options, ...blend, out: place, force: true, progress });
    },
    { onNote: (text) => progress?.({ type: "note", text }) },
  );
}
