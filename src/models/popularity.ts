// The popularity baseline: items ranked by their number of training users, the same for every user. If interactions have times,
// recent ones can be weighted more (Ji, Sun, Zhang, Li 2020: a re-visit of the popularity baseline).

import { z } from "zod";
import type { Engine } from "../compute/engine.js";
import { UserError } from "../core/errors.js";
import { requireMemory } from "../core/memory.js";
import type { ProgressListener } from "../core/progress.js";
import type { Dataset } from "../data/dataset.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { Algorithm } from "../recommender/algorithm.js";
import type { HostTensor, Recommender } from "../recommender/recommender.js";
import { SavedModel } from "../recommender/saved-model.js";
import { blockwiseScores, rowsPerBlock } from "../recommender/scores.js";
import { entryCount } from "../sparse/csr.js";

const days = z.number().positive().optional();
const options = z.strictObject({
  window: days.describe(
    "count only interactions in this number of days before the last training interaction; unset = count all (needs times, in seconds since 1970)",
  ),
  halfLife: days.describe(
    "days after which the weight of an interaction halves: 2^(-age / halfLife); unset = weight 1 at any age (needs times, in seconds since 1970)",
  ),
});
export type PopularityOptions = z.infer<typeof options>;

const SECONDS_A_DAY = 86_400;

/** The score of an item: its number of users, or the sum of the weights of its interactions. */
type Counts = HostTensor["data"];

/** Memory: the counts on the host and on the engine, two blocks of scores in validation and, if age matters, a time per interaction. */
function requireCountingMemory(
  { train, items }: Dataset,
  { window, halfLife }: PopularityOptions,
  progress: ProgressListener | undefined,
): void {
  const timed = window !== undefined || halfLife !== undefined;
  const times = timed ? 8 * entryCount(train) : 0;
  requireMemory({
    place: popularity.name,
    bytes: 4 * items.size * (2 + 2 * rowsPerBlock(items.size)) + times,
    what: `counting ${items.size.toLocaleString("en")} items`,
    alternatives: "Leave out rare items (foldin prepare --min-item), or use a machine with more memory",
    progress,
  });
}

async function countsOf(dataset: Dataset, { window, halfLife }: PopularityOptions): Promise<Counts> {
  const { indices } = dataset.train;
  if (window === undefined && halfLife === undefined) {
    const counts = new Uint32Array(dataset.items.size);
    for (const item of indices) counts[item]++;
    return counts;
  }
  const times = await dataset.trainTimes?.();
  const dated = times?.filter((time) => !Number.isNaN(time)) ?? [];
  if (times === undefined || dated.length === 0)
    throw new UserError({
      place: window === undefined ? "halfLife" : "window",
      problem: `the interactions of ${dataset.name} have no times`,
      expected: "a dataset prepared from a file with a time column",
      remedy: "Leave the option out, or prepare the dataset with --time <column>",
    });
  let last = -Infinity;
  for (const time of dated) last = Math.max(last, time);
  const sums = new Float64Array(dataset.items.size);
  for (const [entry, item] of indices.entries()) {
    const age = (last - times[entry]) / SECONDS_A_DAY;
    // An interaction without a time is not counted.
    if (!(age <= (window ?? Infinity))) continue;
    sums[item] += halfLife === undefined ? 1 : 2 ** (-age / halfLife);
  }
  return Float32Array.from(sums);
}

function popularityRecommender(engine: Engine, counts: Counts, items: Vocabulary): Recommender {
  const row = engine.tensor(1, items.size, counts);
  return {
    algorithm: popularity.name,
    items,
    score: (histories, options) =>
      blockwiseScores(
        engine,
        histories,
        items.size,
        (block) => {
          const scores = engine.zeros(block.rows, items.size);
          engine.addRow(scores, row);
          return scores;
        },
        options,
      ),
    save: async () => ({
      algorithm: popularity.name,
      config: {},
      tensors: { counts: { shape: [items.size], data: counts } },
      items,
    }),
    dispose: () => engine.release(row),
  };
}

export const popularity: Algorithm<PopularityOptions> = {
  name: "popularity",
  summary: "Popularity baseline: items by their number of training users, optionally weighted by recency.",
  source: "No paper",
  options,

  async fit(dataset, options, { engine, progress }) {
    requireCountingMemory(dataset, options, progress);
    return popularityRecommender(engine, await countsOf(dataset, options), dataset.items);
  },

  async restore(files, { engine }) {
    const saved = new SavedModel(files);
    const counts = saved.take("counts", [files.items.size], "any");
    saved.end();
    return popularityRecommender(engine, counts, files.items);
  },
};
