// Shared code of trained item-item models: a sparse matrix W [items, items] of weights, with row i for item i of a history, and
// score(x) = x W. Scoring a history reads only the rows of its items.

import type { Engine } from "../../compute/engine.js";
import type { NamedTensors } from "../../compute/tensor.js";
import type { ModelFiles, Recommender } from "../../recommender/recommender.js";
import { SavedModel } from "../../recommender/saved-model.js";
import { scoresOfInput } from "../../recommender/scores.js";
import type { CsrMatrix } from "../../sparse/csr.js";

/** The recommender of W, which the engine holds until `dispose`. `config` is saved unchanged. */
export function itemWeightsRecommender(
  engine: Engine,
  weights: CsrMatrix,
  { algorithm, config, items }: Omit<ModelFiles, "tensors">,
): Recommender {
  const held = engine.sparse(weights);
  return {
    algorithm,
    items,
    score: (histories, options) =>
      scoresOfInput(
        engine,
        histories,
        items.size,
        (scores, input) => engine.sumSparseRows(scores, input, held),
        options,
      ),
    save: async () => ({ algorithm, config, items, tensors: weightTensors(weights) }),
    dispose: () => engine.releaseSparse(held),
  };
}

/** The recommender of saved weights. Throws UserError if they are not an items x items matrix. */
export function restoreItemWeights(engine: Engine, files: ModelFiles): Recommender {
  const saved = new SavedModel(files);
  const weights = takeItemWeights(saved, files.items.size);
  saved.end();
  return itemWeightsRecommender(engine, weights, files);
}

/** The tensors of W, as `takeItemWeights` reads them. */
export function weightTensors({
  offsets,
  indices,
  values = new Float32Array(indices.length).fill(1),
}: CsrMatrix): NamedTensors {
  return {
    offsets: { shape: [offsets.length], data: offsets },
    indices: { shape: [indices.length], data: indices },
    values: { shape: [values.length], data: values },
  };
}

/** The saved W [items, items]. Throws UserError as `SavedModel.takeSparse`. */
export function takeItemWeights(saved: SavedModel, items: number): CsrMatrix {
  const names = { offsets: "offsets", indices: "indices", values: "values" };
  return saved.takeSparse(names, { rows: items, columns: items });
}
