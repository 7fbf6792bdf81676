// The baseline that every model must beat: items by the number of training users who touched them, the same for everybody.

import { z } from "zod";
import type { Engine } from "../compute/engine.js";
import { UserError } from "../core/errors.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { Algorithm } from "../recommender/algorithm.js";
import type { Recommender } from "../recommender/recommender.js";
import { blockwiseScores } from "../recommender/scores.js";

const options = z.strictObject({});
type Options = z.infer<typeof options>;

function popularityRecommender(engine: Engine, counts: Uint32Array, items: Vocabulary): Recommender {
  const row = engine.tensor(1, items.size, counts);
  return {
    algorithm: popularity.name,
    items,
    score: (histories) =>
      blockwiseScores(engine, histories, items.size, (block) => {
        const scores = engine.zeros(block.rows, items.size);
        engine.addRow(scores, row);
        return scores;
      }),
    save: async () => ({
      algorithm: popularity.name,
      config: {},
      tensors: { counts: { shape: [items.size], data: counts } },
      items,
    }),
    dispose: () => engine.release(row),
  };
}

export const popularity: Algorithm<Options> = {
  name: "popularity",
  summary: "Items by how many training users touched them; the baseline that every model must beat.",
  source: "No paper",
  options,

  async fit(dataset, _options, run) {
    const counts = new Uint32Array(dataset.items.size);
    for (const item of dataset.train.indices) counts[item]++;
    return popularityRecommender(run.engine, counts, dataset.items);
  },

  async restore({ tensors, items }, run) {
    const counts = tensors.counts?.data;
    if (!(counts instanceof Uint32Array) || counts.length !== items.size)
      throw new UserError({
        place: "popularity",
        problem: `the model's counts do not fit its ${items.size} items`,
      });
    return popularityRecommender(run.engine, counts, items);
  },
};
