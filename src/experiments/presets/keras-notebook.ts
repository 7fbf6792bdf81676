// What both versions of the Keras notebook are set beside: the same network under the canonical protocol.

import type { Study } from "./preset.js";

type Options = Record<string, unknown>;

/** The notebook's program, slips included, and the program that it meant to be. */
export function canonicalStudy(training: Options, asWritten: Options): Study {
  return {
    key: "canonical",
    title: "MovieLens 1M, canonical protocol: 20 % of each held-out user's own items, known items masked",
    source: "ml-1m",
    protocol: {},
    metrics: ["ndcg@100", "recall@20", "recall@50"],
    curve: "validation ndcg@100",
    note: "Not published: the same network where every held-out user has items of their own to find.",
    runs: [
      { key: "as-written", title: "VAE, as written", model: "vae", options: asWritten },
      {
        key: "corrected",
        title: "VAE, slips corrected",
        model: "vae",
        options: { ...training, inputNorm: "l2", patience: 15 },
        note: "reconstruction summed, input normalised, beta by update, scores from z's mean, best epoch by validation NDCG@100",
      },
    ],
  };
}
