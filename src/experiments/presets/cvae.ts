// What the figures and the table of CVAE (Li and She 2017) share: the splits of citeulike, recall@50 ... 300, and the models with
// the options of the paper's section 3.3.

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

/** The bags of words of titles and abstracts, which citeulike-a's folder may lack. */
const bagsOfWords = "mult.dat";

/** Figures that the paper draws for citeulike-a: both of its released splits where its bags of words are there, else citeulike-t's. */
export function onCiteulikeA(runs: Study["runs"], says: string): Study[] {
  const study = (set: "a" | "t", perUser: TrainItems): Study => ({
    ...evaluated,
    ...released(perUser),
    key: `citeulike-${set}-p${perUser}`,
    title: `citeulike-${set}${set === "t" ? " (ours)" : ""}, P = ${perUser}`,
    source: `citeulike-${set}`,
    ...(set === "a" ? { optional: true, needs: [bagsOfWords] } : { insteadOf: `citeulike-a-p${perUser}` }),
    runs,
    note: `The paper draws citeulike-a${set === "t" ? `, whose ${bagsOfWords} is not in the folder,` : ""} and prints no number. It says that ${says}.`,
  });
  return [study("a", 1), study("a", 10), study("t", 1), study("t", 10)];
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

/** CVAE as the authors' program trains it, with some options changed. */
export function cvaeRun(changed: Readonly<Record<string, unknown>> = {}): PresetRun {
  const names = Object.entries(changed).map(([name, value]) => `${name}-${value}`);
  return {
    key: ["cvae", ...names].join("-").toLowerCase(),
    title: ["CVAE", ...Object.entries(changed).map(([name, value]) => `${name} ${value}`)].join(", "),
    model: "cvae",
    options: { epochs: 100, ...changed },
  };
}

/** CDL with its authors' pretraining (500 epochs for each layer) and the CVAE paper's 200 epochs. */
export const cdlRun: PresetRun = { key: "cdl", title: "CDL", model: "cdl", options: { epochs: 200 } };

/** The content of citeulike-a without its bags of words. */
export const titlesAlone =
  "The paper uses the words of titles and abstracts (mult.dat); without that file in the folder, articles have the words of their titles alone.";
