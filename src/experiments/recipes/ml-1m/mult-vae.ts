import type { Recipe } from "../recipe.js";

/** Gated, one layer, trained as in EVCF. */
export const multVaeOnMl1m: Recipe = {
  dataset: "ml-1m",
  model: "mult-vae",
  options: {
    gated: true,
    beta: 0.2,
    warmup: 40,
    kl: "one-sample",
    clampLogVariance: true,
    initialValues: "he",
    normaliseGradients: true,
    learningRate: 5e-4,
    batchSize: 200,
    epochs: 80,
  },
  search:
    "No search yet: the options of issue 5's yardstick (gated, 1 layer, EVCF's training, cap .2, warm-up 40 of 80 epochs), as they are.",
  validation: {
    metric: "ndcg@100",
    mean: 0.4129,
    standardError: 0.0073,
    command: "foldin train data/ml-1m --model mult-vae --recipe ml-1m --out runs/mult-vae",
  },
};
