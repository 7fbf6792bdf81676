// What the tables of EVCF (Kim and Suh 2019) have in common: its models with its program's training. The paper does not
// publish the options that its grid search chose (its README gives one: Netflix, H+Vamp gated, 2 layers, Bernoulli, cap .3).

import type { PresetRun } from "./preset.js";

export type EvcfModel = "mult-vae" | "vamp" | "h-vamp";

export const evcfTitles: Readonly<Record<EvcfModel, string>> = {
  "mult-vae": "Mult-VAE",
  vamp: "Vamp",
  "h-vamp": "H+Vamp",
};

export const evcfSource =
  "Kim, Suh: Enhancing VAEs for collaborative filtering: flexible priors and gating mechanisms, RecSys 2019";

export const optionsUnpublished =
  "The options that the paper's grid search chose are not published; these are its program's defaults with a cap of .2 or .3.";

/** How long a run is, and how beta grows. */
export interface EvcfSchedule {
  readonly epochs: number;
  readonly warmup: number;
}

/** The options of a model as EVCF's program trains it. */
export function evcfOptions(
  model: EvcfModel,
  { gated, layers, ...schedule }: { gated: boolean; layers: number } & EvcfSchedule,
): PresetRun["options"] {
  const common = { gated, layers, ...schedule, beta: model === "h-vamp" ? 0.3 : 0.2 };
  if (model !== "mult-vae") return { hidden: 600, pseudoInputs: 1000, ...common };
  return {
    hidden: [600],
    latent: 200,
    ...common,
    kl: "one-sample",
    clampLogVariance: true,
    initialValues: "he",
    normaliseGradients: true,
    learningRate: 5e-4,
    batchSize: 200,
    patience: 51,
  };
}
