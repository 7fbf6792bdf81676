// SLIM (Ning and Karypis 2011) as elastic nets: item j is what its users' other items add up to. Column j of W minimises
//
//   1 / (2 users) ||x_j - X w||^2 + alpha l1Ratio ||w||_1 + alpha (1 - l1Ratio) / 2 ||w||^2,   w >= 0, w_j = 0
//
// which is scikit-learn's objective. It needs X only through the Gram matrix G = X'X; score(x) = x W.

import { z } from "zod";
import { solversOf } from "../../compute/solvers/solvers-of.js";
import { throwIfAborted } from "../../core/errors.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { type CsrMatrix, entryCount, stackRows, transpose } from "../../sparse/csr.js";
import { requireTrainingMemory } from "../training-memory.js";
import { itemWeightsRecommender, restoreItemWeights } from "./item-weights.js";

const options = z.strictObject({
  alpha: z
    .number()
    .positive()
    .default(0.2)
    .describe(
      "strength of the regularisation, scikit-learn's alpha (RecBole's default; the paper names none)",
    ),
  l1Ratio: z
    .number()
    .gt(0)
    .max(1)
    .default(0.02)
    .describe("share of the L1 norm in it: more makes fewer weights (RecBole's default)"),
  neighbours: z
    .int()
    .min(1)
    .optional()
    .describe("keep this many of an item's weights, the largest (RecSys2019's topK); unset = all"),
  maxIterations: z
    .int()
    .min(1)
    .default(100)
    .describe(
      "iterations over an item's weights at most (scikit-learn's max_iter in RecBole and RecSys2019)",
    ),
  tolerance: z
    .number()
    .positive()
    .lt(1)
    .default(1e-4)
    .describe(
      "an item is solved once its duality gap is at most this share of its users (scikit-learn's tol)",
    ),
});
export type SlimOptions = z.infer<typeof options>;

/** Items that are solved between two looks at the clock and at Ctrl-C. */
const ITEMS_AT_A_TIME = 64;

export const slim: Algorithm<SlimOptions> = {
  name: "slim",
  summary: "Sparse linear model: each item as a non-negative sum of the others, by elastic nets.",
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
    // G, and X in the engine. How many weights there will be cannot be known before.
    requireTrainingMemory(
      {
        ...{ algorithm: slim.name, items: items.size, numbers: items.size ** 2 + entryCount(train) },
        matrices: [[items.size, items.size]],
        smaller: "item-knn, which needs no matrix of all items",
      },
      { engine },
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
        text: `slim: after ${maxIterations} iterations ${unfinished} of ${items.size} items are not within the tolerance ${tolerance}; more maxIterations bring them nearer`,
      });
    // A row for each item that is predicted, so far; a history needs a row for each item that predicts.
    const weights = transpose(stackRows(items.size, columns));
    return itemWeightsRecommender(engine, weights, { algorithm: slim.name, config: {}, items });
  },

  restore: async (files, { engine }) => restoreItemWeights(engine, files),
};
