// SLIM (Ning and Karypis 2011) as elastic nets: item j is a weighted sum of the other items. Column j of W minimises
//
//   1 / (2 users) ||x_j - X w||^2 + alpha l1Ratio ||w||_1 + alpha (1 - l1Ratio) / 2 ||w||^2,   w >= 0, w_j = 0
//
// which is scikit-learn's objective. It depends on X only through the Gram matrix G = X'X; score(x) = x W.

import { z } from "zod";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import { throwIfAborted } from "../../core/errors.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { type CsrMatrix, entryCount, stackRows, transpose } from "../../sparse/csr.js";
import { requireTrainingMemory } from "../training-memory.js";
import { logRange } from "../tuned.js";
import { itemWeightsRecommender, restoreItemWeights } from "./item-weights.js";

const options = z.strictObject({
  alpha: z
    .number()
    .positive()
    .default(0.2)
    .describe(
      "strength of the regularisation, scikit-learn's alpha (RecBole's default; the paper gives no value)",
    )
    .meta(logRange(1e-3, 1)),
  l1Ratio: z
    .number()
    .gt(0)
    .max(1)
    .default(0.02)
    .describe(
      "share of the L1 norm in the regularisation; a larger share gives sparser weights (RecBole's default)",
    )
    .meta(logRange(1e-3, 0.5)),
  neighbours: z
    .int()
    .min(1)
    .optional()
    .describe(
      "number of weights kept per item, the largest (topK in Ferrari Dacrema et al., RecSys 2019); unset = all",
    ),
  maxIterations: z
    .int()
    .min(1)
    .default(100)
    .describe(
      "maximum number of iterations per item (scikit-learn's max_iter in RecBole and Ferrari Dacrema et al.)",
    ),
  tolerance: z
    .number()
    .positive()
    .lt(1)
    .default(1e-4)
    .describe(
      "stop an item when its duality gap is at most this share of its number of users (scikit-learn's tol)",
    ),
});
export type SlimOptions = z.infer<typeof options>;

/** Items that are solved between two checks of the clock and for Ctrl-C. */
const ITEMS_AT_A_TIME = 64;

export const slim: Algorithm<SlimOptions> = {
  name: "slim",
  summary:
    "Sparse linear model: each item as a sparse non-negative combination of the other items (elastic net).",
  source: "Ning, Karypis: SLIM: Sparse Linear Methods for Top-N Recommender Systems, ICDM 2011",
  options,

  async fit(dataset, { alpha, l1Ratio, neighbours, maxIterations, tolerance }, { engine, signal, progress }) {
    const solvers = solversOf(engine);
    const { train, items } = dataset;
    const net = {
      l1: alpha * l1Ratio * train.rows,
      l2: alpha * (1 - l1Ratio) * train.rows,
      tolerance,
      maxIterations,
      k: neighbours ?? items.size,
    };
    // G and X on the engine. The number of weights is not known in advance.
    requireTrainingMemory(
      {
        ...{ algorithm: slim.name, items: items.size, numbers: items.size ** 2 + entryCount(train) },
        matrices: [[items.size, items.size]],
        smaller: "item-knn, which does not need an items x items matrix",
      },
      { engine, progress },
    );
    const columns: CsrMatrix[] = [];
    let unfinished = 0;
    const x = engine.sparse(train);
    const gram = engine.empty(items.size, items.size);
    try {
      solvers.gram(gram, x);
      const task = "train";
      progress?.({ type: "start", task, total: items.size, unit: "items" });
      for (let from = 0; from < items.size; from += ITEMS_AT_A_TIME) {
        throwIfAborted(signal);
        const to = Math.min(items.size, from + ITEMS_AT_A_TIME);
        const solved = await solvers.elasticNet(gram, net, from, to);
        columns.push(solved.weights);
        unfinished += solved.unfinished;
        progress?.({ type: "advance", task, done: to });
      }
      progress?.({ type: "end", task });
    } finally {
      engine.release(gram);
      engine.releaseSparse(x);
    }
    if (unfinished > 0)
      progress?.({
        type: "note",
        text: `slim: ${unfinished} of ${items.size} items have not reached the tolerance of ${tolerance} after ${maxIterations} iterations; consider a larger maxIterations`,
      });
    // So far a row holds the weights of a predicted item; scoring needs a row per item of the history.
    const weights = transpose(stackRows(items.size, columns));
    return itemWeightsRecommender(engine, weights, { algorithm: slim.name, config: {}, items });
  },

  restore: async (files, { engine }) => restoreItemWeights(engine, files),
};
