// Item-based nearest neighbours (Sarwar et al. 2001; Deshpande and Karypis 2004): items are alike where the same users
// touched them; each item of a history votes for its nearest neighbours, and the votes add up: score(x) = x W.
// The variants are those of benfred/implicit (cosine, TF-IDF, BM25) and of the RecSys2019 study (shrinkage, asymmetry).

import { z } from "zod";
import type { Similarity } from "../compute/solvers/solvers.js";
import { solversOf } from "../compute/solvers/solvers-of.js";
import { throwIfAborted } from "../core/errors.js";
import type { Algorithm } from "../recommender/algorithm.js";
import { type CsrMatrix, stackRows, transpose } from "../sparse/csr.js";
import { itemWeightsRecommender, restoreItemWeights } from "./item-weights.js";

const options = z.strictObject({
  similarity: z
    .enum(["cosine", "jaccard", "dot"])
    .default("cosine")
    .describe(
      "of two items' users x and y, d = x.y: cosine = d / (|x| |y|); jaccard = d / (|x|^2 + |y|^2 - d), which is the share of common users; dot = d (Deshpande and Karypis 2004: cosine)",
    ),
  neighbours: z.int().min(1).default(20).describe("nearest neighbours of an item that count (implicit's K)"),
  of: z
    .enum(["history", "candidate"])
    .default("history")
    .describe(
      "whose neighbours: history = each item of the history votes for its nearest (Deshpande and Karypis 2004, implicit); candidate = each item hears the votes of its nearest (RecSys2019)",
    ),
  shrink: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "added to the denominator: items with few common users become less alike (RecSys2019; 0 = none)",
    ),
  asymmetry: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe(
      "cosine = d / (|x|^2a |y|^2(1-a)) with x in the history and y a candidate: 0.5 = the cosine; more favours popular candidates (Aiolli 2013)",
    ),
  weighting: z
    .enum(["none", "tf-idf", "bm25"])
    .default("none")
    .describe(
      "what a user counts for: none = 1; tf-idf = ln(items / (1 + the user's items)); bm25 = the same, times less for popular items. implicit's BM25Recommender is bm25 with similarity=dot",
    ),
  bm25K1: z.number().positive().default(1.2).describe("BM25's K1 (implicit)"),
  bm25B: z
    .number()
    .min(0)
    .max(1)
    .default(0.75)
    .describe("BM25's B: how much an item's popularity counts (implicit)"),
});
export type ItemKnnOptions = z.infer<typeof options>;

/** Items whose neighbours are found between two looks at the clock and at Ctrl-C. */
const ITEMS_AT_A_TIME = 256;

/** The interactions with what each counts for (implicit's nearest_neighbours.py: users are the terms, items the documents). */
export function weighted(x: CsrMatrix, { weighting, bm25K1, bm25B }: ItemKnnOptions): CsrMatrix {
  if (weighting === "none") return x;
  const popularity = new Float64Array(x.columns);
  for (const [entry, item] of x.indices.entries()) popularity[item] += x.values?.[entry] ?? 1;
  const average = popularity.reduce((sum, count) => sum + count, 0) / x.columns;
  const values = new Float32Array(x.indices.length);
  for (let user = 0; user < x.rows; user++) {
    const inverseFrequency = Math.log(x.columns) - Math.log1p(x.offsets[user + 1] - x.offsets[user]);
    for (let entry = x.offsets[user]; entry < x.offsets[user + 1]; entry++) {
      const count = x.values?.[entry] ?? 1;
      const length = 1 - bm25B + (bm25B * popularity[x.indices[entry]]) / average;
      const frequency =
        weighting === "tf-idf" ? Math.sqrt(count) : (count * (bm25K1 + 1)) / (bm25K1 * length + count);
      values[entry] = frequency * inverseFrequency;
    }
  }
  return { ...x, values };
}

/** The similarity as the solver takes it. */
function similarityOf(
  x: CsrMatrix,
  { similarity, neighbours, of, shrink, asymmetry }: ItemKnnOptions,
): Similarity {
  const squares = new Float64Array(x.columns);
  for (const [entry, item] of x.indices.entries()) squares[item] += (x.values?.[entry] ?? 1) ** 2;
  const powers = (exponent: number) => Float32Array.from(squares, (square) => square ** exponent);
  const ends = { shrink, k: neighbours };
  switch (similarity) {
    case "cosine": {
      const [history, candidate] = [powers(asymmetry), powers(1 - asymmetry)];
      // The solver's left side is the item whose neighbours are looked for.
      const [left, right] = of === "history" ? [history, candidate] : [candidate, history];
      return { size: "product", left, right, ...ends };
    }
    case "jaccard":
      return { size: "union", left: powers(1), right: powers(1), ...ends };
    case "dot":
      return { size: "product", left: powers(0), right: powers(0), ...ends };
    default:
      return similarity satisfies never;
  }
}

export const itemKnn: Algorithm<ItemKnnOptions> = {
  name: "item-knn",
  summary: "Nearest neighbours of a history's items by cosine, Jaccard, TF-IDF or BM25.",
  source: "Deshpande, Karypis: Item-Based Top-N Recommendation Algorithms, TOIS 2004",
  options,

  async fit(dataset, options, { engine, signal, progress }) {
    const solvers = solversOf(engine);
    const { items } = dataset;
    const counted = weighted(dataset.train, options);
    const similarity = similarityOf(counted, options);
    const rows: CsrMatrix[] = [];
    const x = engine.sparse(counted);
    try {
      const task = "train";
      progress?.({ type: "start", task, total: items.size, unit: "items" });
      for (let from = 0; from < items.size; from += ITEMS_AT_A_TIME) {
        throwIfAborted(signal);
        const to = Math.min(items.size, from + ITEMS_AT_A_TIME);
        rows.push(await solvers.neighbours(x, similarity, from, to));
        progress?.({ type: "advance", task, done: to });
      }
      progress?.({ type: "end", task });
    } finally {
      engine.releaseSparse(x);
    }
    const nearest = stackRows(items.size, rows);
    const weights = options.of === "history" ? nearest : transpose(nearest);
    return itemWeightsRecommender(engine, weights, { algorithm: itemKnn.name, config: {}, items });
  },

  restore: async (files, { engine }) => restoreItemWeights(engine, files),
};
