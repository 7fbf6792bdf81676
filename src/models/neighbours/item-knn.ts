// Item-based nearest neighbours (Sarwar et al. 2001; Deshpande and Karypis 2004): items are similar if the same users interacted
// with them, and a score is the sum of the similarities to the items of the history: score(x) = x W. The variants are those of
// benfred/implicit (cosine, TF-IDF, BM25) and of Ferrari Dacrema et al., RecSys 2019 (shrinkage, asymmetry).

import { z } from "zod";
import type { Algorithm } from "../../recommender/algorithm.js";
import { transpose } from "../../sparse/csr.js";
import { itemWeightsRecommender, restoreItemWeights } from "../linear/item-weights.js";
import { linearRange, logRange, oneOf } from "../tuned.js";
import { nearestColumns, requireNeighbourMemory, similarityOf, squaresOf, weighted } from "./similarity.js";

const options = z.strictObject({
  similarity: z
    .enum(["cosine", "jaccard", "dot"])
    .default("cosine")
    .describe(
      "similarity of two items with user vectors x and y, d = x.y: cosine = d / (|x| |y|); jaccard = d / (|x|^2 + |y|^2 - d), the share of common users; dot = d (Deshpande and Karypis 2004: cosine)",
    )
    .meta(oneOf("cosine", "jaccard")),
  neighbours: z
    .int()
    .min(1)
    .default(20)
    .describe("number of nearest neighbours per item (implicit's K)")
    .meta(logRange(10, 1000)),
  of: z
    .enum(["history", "candidate"])
    .default("history")
    .describe(
      "whose neighbourhood is used: history = a candidate scores if it is among the nearest neighbours of a history item (Deshpande and Karypis 2004, implicit); candidate = a history item contributes if it is among the nearest neighbours of the candidate (RecSys 2019)",
    )
    .meta(oneOf("history", "candidate")),
  shrink: z
    .number()
    .min(0)
    .default(0)
    .describe(
      "added to the denominator, which lowers the similarity of items with few common users (RecSys 2019); 0 = none",
    )
    .meta(linearRange(0, 100)),
  asymmetry: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe(
      "a in the asymmetric cosine d / (|x|^2a |y|^2(1-a)) of a history item x and a candidate y; 0.5 = the cosine; larger values favour popular candidates (Aiolli 2013)",
    )
    .meta(linearRange(0.2, 0.8)),
  weighting: z
    .enum(["none", "tf-idf", "bm25"])
    .default("none")
    .describe(
      "weight of a user: none = 1; tf-idf = ln(items / (1 + the user's items)); bm25 = the same with a discount for popular items (implicit's BM25Recommender is bm25 with similarity=dot)",
    )
    .meta(oneOf("none", "tf-idf", "bm25")),
  bm25K1: z.number().positive().default(1.2).describe("BM25's K1 (implicit)"),
  bm25B: z
    .number()
    .min(0)
    .max(1)
    .default(0.75)
    .describe("BM25's B: strength of the normalisation by an item's popularity (implicit)"),
});
export type ItemKnnOptions = z.infer<typeof options>;

export const itemKnn: Algorithm<ItemKnnOptions> = {
  name: "item-knn",
  summary:
    "Item-based nearest neighbours with cosine, Jaccard or dot-product similarity and TF-IDF or BM25 weights.",
  source: "Deshpande, Karypis: Item-Based Top-N Recommendation Algorithms, TOIS 2004",
  options,

  async fit(dataset, options, { engine, signal, progress }) {
    const { items, train } = dataset;
    requireNeighbourMemory(itemKnn.name, train, options, { engine, progress });
    const counted = weighted(train, options);
    const similarity = similarityOf(squaresOf(counted), options);
    const nearest = await nearestColumns(engine, counted, similarity, { signal, progress });
    const weights = options.of === "history" ? nearest : transpose(nearest);
    return itemWeightsRecommender(engine, weights, { algorithm: itemKnn.name, config: {}, items });
  },

  restore: async (files, { engine }) => restoreItemWeights(engine, files),
};
