// The study that both versions of the Keras notebook share: the same network under the canonical protocol.

import type { Study } from "./preset.js";

type Options = Record<string, unknown>;

/** The notebook's program with its errors, and the program that it was meant to be. */
export function canonicalStudy(training: Options, asWritten: Options): Study {
  return {
    key: "canonical",
    title: "MovieLens 1M, canonical protocol: 20 % of each held-out user's own items, known items masked",
    source: "ml-1m",
    protocol: {},
    metrics: ["ndcg@100", "recall@20", "recall@50"],
    curve: "validation ndcg@100",
    note: "Not published: the same network, evaluated on items held out of each user's own history.",
    runs: [
      { key: "as-written", title: "VAE, as written", model: "vae", options: asWritten },
      {
        key: "corrected",
        title: "VAE, errors corrected",
        model: "vae",
        options: { ...training, inputNorm: "l2", patience: 15 },
        note: "reconstruction summed over the items, input normalised, beta annealed by update, scores from the mean of z, best epoch chosen by validation NDCG@100",
      },
    ],
  };
}
