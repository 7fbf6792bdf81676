// The NMF of the Keras notebook, second version (papers/keras-vae-notebook-v2): scikit-learn's NMF on the training users' rows and the
// test users' fold-in rows, stacked; a grid of 25 points, the best chosen on the test users themselves. The ends of the grid also run
// under the canonical protocol, where held-out users are folded in.

import { means, type Preset, type PresetRun } from "./preset.js";

const alphas = [0.02, 0.04, 0.08, 0.16, 0.2];
const components = [25, 50, 75, 100, 125];

/** Recall@20 as the notebook prints it, by alpha, then by components. */
const published = [
  [0.23449805, 0.18054234, 0.16327556, 0.15379414, 0.14868811],
  [0.23461047, 0.17640965, 0.1591904, 0.16097747, 0.14886667],
  [0.23501171, 0.17294475, 0.16320482, 0.1463769, 0.15150337],
  [0.2390591, 0.18735283, 0.17370322, 0.16468879, 0.13626558],
  [0.25226977, 0.2029284, 0.17228913, 0.16249865, 0.14241564],
];

/** NMF(n_components, init="random", random_state=0, alpha=alpha) of scikit-learn before 1.2. */
const run = (alpha: number, factors: number, recall?: number): PresetRun => ({
  key: `alpha-${alpha}-components-${factors}`,
  title: `NMF, alpha ${alpha}, ${factors} components`,
  model: "nmf",
  options: { factors, alpha, init: "random", randomState: 0, ...(recall ? { transductive: "test" } : {}) },
  published: recall ? means({ "recall@20": recall }) : undefined,
});

const grid = { x: "factors", y: "alpha" };

export const kerasNotebookNmf: Preset = {
  name: "keras-notebook-nmf",
  summary:
    "The Keras notebook's NMF on MovieLens 1M: its grid of 25 points, Recall@20 next to the published list.",
  source: "Keras notebook VAE for collaborative filtering, version 2 (with NMF)",
  studies: [
    {
      key: "notebook",
      title: "MovieLens 1M as the notebook splits it: one block of 625 items hidden from all users",
      source: "ml-1m",
      protocol: { protocol: "notebook", foldInMinimum: 2 },
      metrics: ["recall@20"],
      curve: "validation ndcg@100",
      grid: { ...grid, metric: "recall@20" },
      note: "As published, the best point is chosen on the test users, so its value is too high for new users. The test users' fold-in rows are part of the factorised matrix. The notebook also prints a second list, of 16 points with a best value of .3078 at alpha .2 and 50 components; the notebook does not say how it was computed, so it is not reproduced.",
      runs: alphas.flatMap((alpha, a) =>
        components.map((factors, c) => run(alpha, factors, published[a][c])),
      ),
    },
    {
      key: "canonical",
      title: "MovieLens 1M, canonical protocol: 20 % of each held-out user's own items",
      source: "ml-1m",
      protocol: {},
      metrics: ["ndcg@100", "recall@20", "recall@50"],
      curve: "validation ndcg@100",
      grid: { ...grid, metric: "ndcg@100" },
      note: "Not published: the ends of the same grid, evaluated on items held out of each user's own history; users are folded in by non-negative least squares.",
      runs: [0.02, 0.2].flatMap((alpha) => [25, 125].map((factors) => run(alpha, factors))),
    },
  ],
};
