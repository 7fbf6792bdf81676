// The Keras notebook, second version (papers/keras-vae-notebook-v2): its split, its schedule and its slips, each of which is
// a named option of the model `vae` or of the evaluator. Beside it the same network under the canonical protocol.

import { canonicalStudy } from "./keras-notebook.js";
import { means, type Preset } from "./preset.js";

const network = { hidden: [100], latent: 25, dropout: 0.5 };
const training = { ...network, learningRate: 1e-3, batchSize: 32, epochs: 75 };

/** What the notebook does differently from a correct program. */
const asWritten = {
  ...training,
  inputNorm: "none",
  beta: 0.2,
  annealSteps: 5000,
  patience: 8,
  compatibility: {
    reconstruction: "mean",
    anneal: "epoch",
    annealMultiplier: 40,
    initialBeta: 0,
    sampleAtPrediction: true,
    monitor: "loss",
    restoreBest: false,
    validateOn: "full-histories",
    recallCurve: "held-out",
  },
};

const published = means({
  "recall@5": 0.2360315,
  "recall@20": 0.2309149,
  "recall@50": 0.3305511,
  "recall@100": 0.414641,
});

export const kerasNotebookV2: Preset = {
  name: "keras-notebook-v2",
  summary: "The Keras notebook's VAE on MovieLens 1M, second version, slips included.",
  source: "Keras notebook VAE for collaborative filtering, version 2 (with NMF)",
  network,
  studies: [
    {
      key: "notebook",
      title: "MovieLens 1M as the notebook splits it: one block of 625 items hidden from all",
      source: "ml-1m",
      protocol: { protocol: "notebook", foldInMinimum: 2 },
      metrics: ["recall@5", "recall@20", "recall@50", "recall@100"],
      curve: "validation recall@20",
      runs: [
        { key: "as-written", title: "VAE, as written", model: "vae", options: asWritten, published },
        {
          key: "beta-left-over",
          title: "VAE, beta .2 at first",
          model: "vae",
          options: { ...asWritten, compatibility: { ...asWritten.compatibility, initialBeta: 0.2 } },
          published,
          note: "our guess at the recorded run, which is longer than the text allows: the notebook's cell of beta is number 67, that of the model 253, and a Keras variable keeps its value from an earlier training",
        },
      ],
    },
    canonicalStudy(training, asWritten),
  ],
};
