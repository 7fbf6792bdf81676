// What item-item models have in common once trained: a sparse matrix W [items, items] of weights, row i for the item i of a
// history, and score(x) = x W. A history costs the rows that it names and no more.

import type { Engine } from "../../compute/engine.js";
import { UserError } from "../../core/errors.js";
import type { ModelFiles, Recommender } from "../../recommender/recommender.js";
import { blockwiseScores } from "../../recommender/scores.js";
import type { CsrMatrix } from "../../sparse/csr.js";

/** The recommender of W, which the engine holds until `dispose`. `config` is kept as it is. */
export function itemWeightsRecommender(
  engine: Engine,
  weights: CsrMatrix,
  { algorithm, config, items }: Omit<ModelFiles, "tensors">,
): Recommender {
  const held = engine.sparse(weights);
  const { offsets, indices, values = new Float32Array(indices.length).fill(1) } = weights;
  return {
    algorithm,
    items,
    score: (histories, options) =>
      blockwiseScores(
        engine,
        histories,
        items.size,
        (block) => {
          const scores = engine.empty(block.rows, items.size);
          const input = engine.sparse(block);
          engine.sumSparseRows(scores, input, held);
          engine.releaseSparse(input);
          return scores;
        },
        options,
      ),
    save: async () => ({
      algorithm,
      config,
      items,
      tensors: {
        offsets: { shape: [offsets.length], data: offsets },
        indices: { shape: [indices.length], data: indices },
        values: { shape: [values.length], data: values },
      },
    }),
    dispose: () => engine.releaseSparse(held),
  };
}

/** The recommender of saved weights. Throws UserError where they are no matrix of the items. */
export function restoreItemWeights(engine: Engine, files: ModelFiles): Recommender {
  const unsound = (problem: string) =>
    new UserError({
      place: files.algorithm,
      problem: `the saved model is not sound: ${problem}`,
      remedy: "Copy or train it again",
    });
  const [offsets, indices, values] = ["offsets", "indices", "values"].map(
    (name) => files.tensors[name]?.data,
  );
  if (
    !(offsets instanceof Uint32Array && indices instanceof Uint32Array && values instanceof Float32Array) ||
    Object.keys(files.tensors).length !== 3
  )
    throw unsound("it needs the tensors offsets, indices and values");
  const { size } = files.items;
  const weights = { rows: size, columns: size, offsets, indices, values };
  try {
    return itemWeightsRecommender(engine, weights, files);
  } catch (error) {
    if (error instanceof RangeError) throw unsound(`its weights are no matrix of its ${size} items`);
    throw error;
  }
}
