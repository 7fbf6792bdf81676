// Item-based nearest neighbours (Sarwar et al. 2001; Deshpande and Karypis 2004): items are alike where the same users
// touched them; each item of a history votes for its nearest neighbours, and the votes add up: score(x) = x W.
// The variants are those of benfred/implicit (cosine, TF-IDF, BM25) and of the RecSys2019 study (shrinkage, asymmetry).

import { z } from "zod";
import type { Algorithm } from "../../recommender/algorithm.js";
import { transpose } from "../../sparse/csr.js";
import { itemWeightsRecommender, restoreItemWeights } from "../linear/item-weights.js";
import { nearestColumns, requireNeighbourMemory, similarityOf, squaresOf, weighted } from "./similarity.js";

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

export const itemKnn: Algorithm<ItemKnnOptions> = {
  name: "item-knn",
  summary: "Nearest neighbours of a history's items by cosine, Jaccard, TF-IDF or BM25.",
  source: "Deshpande, Karypis: Item-Based Top-N Recommendation Algorithms, TOIS 2004",
  options,

  async fit(dataset, options, { engine, signal, progress }) {
    const { items, train } = dataset;
    requireNeighbourMemory(itemKnn.name, train, options, { engine });
    const counted = weighted(train, options);
    const similarity = similarityOf(squaresOf(counted), options);
    const nearest = await nearestColumns(engine, counted, similarity, { signal, progress });
    const weights = options.of === "history" ? nearest : transpose(nearest);
    return itemWeightsRecommender(engine, weights, { algorithm: itemKnn.name, config: {}, items });
  },

  restore: async (files, { engine }) => restoreItemWeights(engine, files),
};
