// What the tables of EVCF (Kim and Suh 2019) have in common: its models, trained as its program trains them. The paper does not
// publish the options that its grid search chose (section 5.2); its README gives one configuration, H+Vamp (Gated) on Netflix.

import type { Candidate, PresetRun } from "./preset.js";

export type EvcfModel = "mult-vae" | "vamp" | "h-vamp";

export const evcfTitles: Readonly<Record<EvcfModel, string>> = {
  "mult-vae": "Mult-VAE",
  vamp: "Vamp",
  "h-vamp": "H+Vamp",
};

export const evcfSource =
  "Kim, Suh: Enhancing VAEs for collaborative filtering: flexible priors and gating mechanisms, RecSys 2019";

export const optionsUnpublished =
  "The paper does not publish the options that its grid search chose; these are its program's defaults, except that beta grows to .2 (Mult-VAE, Vamp) or .3 (H+Vamp) and that the likelihood is chosen on the validation users. Depths on MovieLens 20M are those of Netflix.";

export const baselinesUnpublished =
  "The paper quotes WMF, SLIM and CDAE from Liang et al. 2018, without their options; ours are in the table of the run.";

/** The paper used the better likelihood for each model and data set (section 5.2). Multinomial, the default, is left unset. */
const likelihoodCandidates: readonly Candidate[] = [
  { key: "multinomial", title: "multinomial likelihood", options: {} },
  { key: "bernoulli", title: "Bernoulli likelihood", options: { likelihood: "bernoulli" } },
];

/** The number of epochs, and how many of them beta grows for. */
export interface EvcfSchedule {
  readonly epochs: number;
  readonly warmup: number;
}

/** The hidden layers of a model. */
export interface EvcfSize {
  readonly gated: boolean;
  readonly layers: number;
}

/** A row whose likelihood is chosen on the validation users, but for the one run that the README of EVCF's program gives. */
export function evcfRun(
  model: EvcfModel,
  shape: EvcfSize & EvcfSchedule,
  onNetflix: boolean,
): Pick<PresetRun, "options" | "candidates" | "note"> {
  const options = evcfOptions(model, shape);
  return onNetflix && model === "h-vamp" && shape.gated && shape.layers === 2
    ? {
        options: { ...options, likelihood: "bernoulli" },
        note: "the configuration that the README of EVCF's program gives for Netflix: Bernoulli likelihood, beta .3, z1 and z2 of 200, two layers of 600, gated",
      }
    : { options, candidates: likelihoodCandidates };
}

/** The options of a model as EVCF's program trains it, with the multinomial likelihood. */
export function evcfOptions(
  model: EvcfModel,
  { gated, layers, ...schedule }: EvcfSize & EvcfSchedule,
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
