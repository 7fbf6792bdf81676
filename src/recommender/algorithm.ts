// The description of an algorithm: how to train a model and how to load one. Registered by name in models/registry.ts.

import type { ZodType } from "zod";
import type { Dataset } from "../data/dataset.js";
import type { NetworkOutline } from "./outline.js";
import type { ModelFiles, Recommender } from "./recommender.js";
import type { RunContext } from "./run-context.js";

export interface Algorithm<Options = unknown> {
  /** Registered name, kebab-case: "mult-vae". */
  readonly name: string;
  /** One sentence for `foldin models`. */
  readonly summary: string;
  /** Paper or source of the model. */
  readonly source: string;
  /** A zod object in which every field has a default (the paper's value) and `.describe("meaning (source)")`. */
  readonly options: ZodType<Options>;
  /** Whether `fit` can start from another run's weights (`run.initial`); default false. */
  readonly warmStart?: boolean;
  /** Whether `fit` can learn from a trained model (`run.teacher`); default false. */
  readonly distills?: boolean;
  /** Whether `fit` can divide the items into blocks (`run.division`); default false. */
  readonly blocks?: boolean;
  /** The network over a catalogue of `items`, for reports; absent for models that are no networks. */
  outline?(items: number, options: Options): NetworkOutline;
  /** Trains on `dataset.train` and, where the model selects, evaluates on `dataset.validation`. */
  fit(dataset: Dataset, options: Options, run: RunContext): Promise<Recommender>;
  /** Restores a saved model. Throws UserError if the files do not match the algorithm. */
  restore(files: ModelFiles, run: Pick<RunContext, "engine">): Promise<Recommender>;
}
