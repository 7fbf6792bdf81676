// ImplicitSLIM as options of an autoencoder of histories, as in the authors' RecVAE (ilya-shenbin/RecVAE, run.py): before every n-th
// epoch, the item embeddings of the first layer and those of the last one are each replaced by the closed form
// (compute/solvers/implicit-slim.ts). Biases and the optimiser's moments are unchanged.

import { z } from "zod";
import type { Parameter } from "../../compute/parameter.js";
import { UserError } from "../../core/errors.js";
import { userCounts } from "../../data/item-popularity.js";
import type { RunContext } from "../../recommender/run-context.js";
import { type CsrMatrix, entryCount } from "../../sparse/csr.js";
import type { Epoch } from "../../training/trainable.js";
import { oneOf } from "../tuned.js";

/** The options. The authors searched lambda from 10 to 1000 (ImplicitSLIM.ipynb). */
export const implicitSlimOptions = {
  implicitSlim: z
    .int()
    .min(0)
    .optional()
    .describe(
      "replace the item embeddings of the first and of the last layer before every epoch whose number is a multiple of this one: by ImplicitSLIM's closed form, which draws each item to those from which SLIM would predict it (Shenbin and Nikolenko 2024; 10 in the authors' command for ML-20M); 0 = never; unset = 0",
    )
    .meta(oneOf(null, 5, 10)),
  implicitSlimLambda: z
    .number()
    .positive()
    .optional()
    .describe(
      "with implicitSlim: the L2 weight of SLIM's regression; unset = 500 (the authors' command for ML-20M)",
    )
    .meta(oneOf(null, 20, 100)),
  implicitSlimAlpha: z
    .number()
    .positive()
    .optional()
    .describe(
      "with implicitSlim: the weight, in SLIM's regression, of predicting the current embeddings as well; unset = 1 (the authors' command for ML-20M)",
    ),
  implicitSlimThreshold: z
    .int()
    .min(0)
    .optional()
    .describe(
      "with implicitSlim: items with fewer training interactions get an embedding, but do not contribute to those of others (1000 in the authors' command for ML-20M, 2.4 times the mean of its items); unset = the mean number of interactions of an item (our choice)",
    ),
};

interface ImplicitSlimOptions {
  readonly implicitSlim?: number;
  readonly implicitSlimLambda?: number;
  readonly implicitSlimAlpha?: number;
  readonly implicitSlimThreshold?: number;
  readonly batchSize: number;
}

/** To be called before every epoch. */
export type BeforeEpoch = (epoch: Pick<Epoch, "number" | "signal">) => Promise<void>;

/**
 * What replaces the values of `weights`, [items, width] each, when it is due; undefined without `implicitSlim`. Throws UserError if no
 * item reaches the threshold.
 */
export async function implicitSlimOf(
  histories: CsrMatrix,
  weights: readonly Parameter[],
  options: ImplicitSlimOptions,
  { engine, division }: Pick<RunContext, "engine" | "division">,
): Promise<BeforeEpoch | undefined> {
  const {
    implicitSlim: every = 0,
    implicitSlimLambda: lambda = 500,
    implicitSlimAlpha: alpha = 1,
    implicitSlimThreshold: threshold = entryCount(histories) / Math.max(1, histories.columns),
    batchSize,
  } = options;
  if (every === 0) return undefined;
  const most = userCounts(histories).reduce((largest, count) => Math.max(largest, count), 0);
  if (most < threshold)
    throw new UserError({
      place: "implicitSlimThreshold",
      problem: `no item has ${threshold.toLocaleString("en")} training interactions; the most popular one has ${most.toLocaleString("en")}`,
      expected: `a threshold that some hundreds of items reach`,
      remedy: "foldin describe shows how popular items are",
    });
  const [{ implicitSlim }, { NotPositiveDefiniteError }] = await Promise.all([
    import("../../compute/solvers/implicit-slim.js"),
    import("../../compute/solvers/inverse.js"),
  ]);
  return async ({ number, signal }) => {
    if (number % every !== 0) return;
    try {
      for (const parameter of weights) {
        const run = { engine, division, batchSize, signal };
        await implicitSlim(parameter.value, histories, { lambda, alpha, threshold }, run);
        parameter.changed();
      }
    } catch (error) {
      if (!(error instanceof NotPositiveDefiniteError)) throw error;
      throw new UserError({
        place: "implicitSlimAlpha",
        problem: `${alpha} is too large: the closed form of epoch ${number} is numerically singular`,
        expected: "a smaller value, such as 1",
        cause: error,
      });
    }
  };
}

/** The numbers that replacing the values of `weights` needs, one after the other: three matrices of their size, and five [width, width]. */
export function numbersOfImplicitSlim(
  weights: readonly Pick<Parameter, "rows" | "columns">[],
  { division }: Pick<RunContext, "division">,
): number {
  const sizes = weights.map(({ rows, columns }) => (3 * (division?.count ?? rows) + 5 * columns) * columns);
  return Math.max(...sizes);
}
