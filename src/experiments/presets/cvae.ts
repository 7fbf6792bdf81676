// What the figures and the table of CVAE (Li and She 2017) have in common: citeulike in its splits, recall@50 ... 300, and
// the models with the options of the paper's section 3.3.

import type { PresetRun, Published, Split, Study } from "./preset.js";

export const cvaeSource = "Li, She: Collaborative variational autoencoder for recommender systems, KDD 2017";

const depths = [50, 100, 150, 200, 250, 300];
const family = "recall-plain";

/** How studies of citeulike are evaluated: plain recall with training items masked, and as the paper does it. */
export const evaluated = {
  metrics: depths.map((depth) => `${family}@${depth}`),
  cvaePaper: true,
  byDepth: family,
  curve: "validation ndcg@100",
  timed: false,
} as const satisfies Partial<Study>;

/** P articles of every user are trained on. */
export type TrainItems = 1 | 10;

const releasedSplit = (perUser: TrainItems): Split => ({
  key: "released",
  protocol: { protocol: "given", trainItems: perUser, items: "catalogue" },
});

/** The released split alone. */
export const released = (perUser: TrainItems): Pick<Study, "protocol" | "splits"> => ({
  protocol: {},
  splits: [releasedSplit(perUser)],
});

/** Both released splits of citeulike-t, for figures that the paper draws for citeulike-a, whose bags of words are not at hand. */
export function onCiteulikeT(runs: Study["runs"], says: string): Study[] {
  return ([1, 10] as const).map((perUser) => ({
    ...evaluated,
    ...released(perUser),
    key: `citeulike-t-p${perUser}`,
    title: `citeulike-t (ours), P = ${perUser}`,
    source: "citeulike-t",
    runs,
    note: `Ours: the paper draws citeulike-a and prints no number. It says that ${says}.`,
  }));
}

/** The released split and four drawn ones; the paper's own five are not released. */
export const fiveSplits = (perUser: TrainItems): Pick<Study, "protocol" | "splits"> => ({
  protocol: {},
  splits: [
    releasedSplit(perUser),
    ...[1, 2, 3, 4].map((seed) => ({
      key: `seed-${seed}`,
      protocol: { protocol: "weak", trainItems: perUser, seed, minUser: 0, items: "catalogue" } as const,
    })),
  ],
});

/** Recall at each of the depths, as printed; undefined where it is not. */
export function recalls(values: readonly (number | undefined)[]): Record<string, Published> {
  return Object.fromEntries(
    values.flatMap((mean, d) => (mean === undefined ? [] : [[`${family}@${depths[d]}`, { mean }]])),
  );
}

/** CVAE as the authors' program trains it. */
export function cvaeRun(changed: Readonly<Record<string, unknown>> = {}): PresetRun {
  const names = Object.entries(changed).map(([name, value]) => `${name}-${value}`);
  return {
    key: ["cvae", ...names].join("-").toLowerCase(),
    title: ["CVAE", ...Object.entries(changed).map(([name, value]) => `${name} ${value}`)].join(", "),
    model: "cvae",
    options: { epochs: 100, ...changed },
  };
}

/** CDL as its authors' program has it (500 epochs for each layer beforehand), for as long as the paper says. */
export const cdlRun: PresetRun = { key: "cdl", title: "CDL", model: "cdl", options: { epochs: 200 } };

/** What citeulike-a's content is here. */
export const titlesAlone =
  "Articles are known by the words of their titles where citeulike-a's bags of words of titles and abstracts (mult.dat), which the paper used, are not in the folder.";
