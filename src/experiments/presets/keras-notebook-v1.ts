// The Keras notebook, first version (papers/keras-vae-notebook-v1): beta restarts with every epoch's batches, and recall is
// computed against complete rows with nothing masked. The same network also runs under the canonical protocol.

import { canonicalStudy } from "./keras-notebook.js";
import { means, type Preset } from "./preset.js";

const network = { hidden: [120], latent: 40, dropout: 0.5 };
const training = { ...network, learningRate: 1e-3, batchSize: 128, epochs: 50 };

/** What the notebook does differently from a correct program. */
const asWritten = {
  ...training,
  inputNorm: "none",
  beta: 0.2,
  annealSteps: 5000,
  patience: 5,
  compatibility: {
    reconstruction: "mean",
    anneal: "batch-in-epoch",
    initialBeta: 1,
    sampleAtPrediction: true,
    monitor: "loss",
    restoreBest: false,
    validateOn: "complete",
    recallCurve: "complete",
  },
};

export const kerasNotebookV1: Preset = {
  name: "keras-notebook-v1",
  summary: "The Keras notebook's VAE on MovieLens 1M, first version, with its errors.",
  source: "Keras notebook VAE for collaborative filtering, version 1",
  network: { study: "notebook", run: "as-written" },
  studies: [
    {
      key: "notebook",
      title:
        "MovieLens 1M as the notebook splits and evaluates it: against complete rows, known items not masked",
      source: "ml-1m",
      protocol: { protocol: "notebook" },
      metrics: ["recall@5", "recall@20", "recall@50", "recall@100"],
      truth: "complete",
      maskKnown: false,
      curve: "validation recall@20",
      runs: [
        {
          key: "as-written",
          title: "VAE, as written",
          model: "vae",
          options: asWritten,
          published: means({ "recall@20": 0.3577935, "recall@50": 0.341612, "recall@100": 0.3757943 }),
          seeds: 3,
        },
      ],
    },
    canonicalStudy(training, asWritten),
  ],
};
