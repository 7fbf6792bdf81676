// What the preset `baselines` trains if a data set has no recipe: every model with its defaults and a small, coarse grid over its
// most important options. A model that is not listed is trained with its defaults.

import { algorithmNames } from "../../models/registry.js";

export interface Baseline {
  /** A registered model. */
  readonly model: string;
  /** Options that are the same at every point. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** The grid in the syntax of foldin search. */
  readonly grid?: readonly string[];
}

const listed: readonly Baseline[] = [
  { model: "popularity" },
  { model: "item-knn", grid: ["neighbours=50,200", "shrink=0,50", "weighting=none,tf-idf"] },
  // The grid contains EASE itself (alpha and beta 0).
  { model: "ease", grid: ["lambda=100,300,1000", "alpha=0,0.1", "beta=0,0.3"] },
  { model: "infinite-ae", grid: ["lambda=1,3,10,30"] },
  { model: "slim", grid: ["alpha=0.003,0.01,0.03", "l1Ratio=0.02,0.1"] },
  {
    model: "wmf",
    options: { weighting: "unobserved" },
    grid: ["factors=64,200", "unobservedWeight=0.03,0.1,0.3"],
  },
  { model: "nmf", options: { keep: "best", patience: 20 }, grid: ["factors=25,50,100", "alpha=0.2,2"] },
  { model: "mult-dae", options: { patience: 20 } },
  { model: "mult-vae", options: { patience: 20 } },
  { model: "vae", options: { patience: 20 } },
  { model: "cdae", options: { patience: 20 } },
  { model: "rec-vae", options: { patience: 20 } },
  { model: "vamp", options: { patience: 20 } },
  { model: "h-vamp", options: { patience: 20 } },
];

/** Blends the best of the other models, so it comes last. */
const LAST = "blend";

/** In training order: the fast models first, then those that are not listed. */
export const baselines: readonly Baseline[] = [
  ...listed,
  ...algorithmNames
    .filter((name) => name !== LAST && listed.every(({ model }) => model !== name))
    .map((model) => ({ model })),
];
