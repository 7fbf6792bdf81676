// CVAE, figures 4 and 5: recall of CVAE and the models that it is compared with on citeulike-a and -t, with 1 and with 10
// training articles per user. The paper draws CTR, DeepMusic, CDL and CVAE and prints no number.

import {
  cdlRun,
  cvaeRun,
  cvaeSource,
  evaluated,
  fiveSplits,
  recalls,
  type TrainItems,
  titlesAlone,
} from "./cvae.js";
import type { Preset, PresetRun, Study } from "./preset.js";

/** By model: recall at 50, 100, 150, 200, 250 and 300, training items masked. */
type Literature = Readonly<Record<string, readonly (number | undefined)[]>>;

/** Only the first and the last are printed. */
const ends = (first: number, last: number): (number | undefined)[] => [
  first,
  ...Array<undefined>(4).fill(undefined),
  last,
];

const tois =
  "Ferrari Dacrema, Boglio, Cremonesi, Jannach: A troubling analysis of reproducibility and progress in recommender systems research, TOIS 2021, additional material (the authors' programs run again, training items masked)";

function runs(perUser: TrainItems, literature: Literature): PresetRun[] {
  const knn = {
    ...{ weighting: "tf-idf", similarity: "jaccard" },
    ...(perUser === 1 ? { neighbours: 200 } : { neighbours: 100, clicks: true, contentWeight: 0.3 }),
  };
  const all: PresetRun[] = [
    cvaeRun(),
    cdlRun,
    {
      key: "ctr",
      title: "CTR",
      model: "ctr",
      options: { topics: 50, lambdaU: 0.1, lambdaV: 1, epochs: 200 },
    },
    {
      key: "deep-music",
      title: "DeepMusic",
      model: "deep-music",
      options: { latent: 50, epochs: 20 },
      note: "The paper's network has two convolutional layers; bags of words have no order to convolve over",
    },
    {
      key: "wmf",
      title: "WMF",
      model: "wmf",
      options: { factors: 50, weighting: "two-level", a: 1, b: 0.01, regularization: 0.1, epochs: 15 },
      note: "Not in the paper, which compares content-based models only. Published: iALS",
    },
    {
      key: "content-knn",
      title: "Content kNN",
      model: "content-knn",
      options: knn,
      note: "Not in the paper. Its options were chosen on a tenth of the test articles of citeulike-t's released split (--validation-of-test .1). Published: the best neighbourhood model; it uses clicks too on citeulike-a with P = 1 and on citeulike-t with P = 10",
    },
  ];
  return all.map((run) => {
    const published = literature[run.key];
    return published ? { ...run, published: recalls(published) } : run;
  });
}

const study = (set: "a" | "t", perUser: TrainItems, literature: Literature): Study => ({
  ...evaluated,
  ...fiveSplits(perUser),
  key: `citeulike-${set}-p${perUser}`,
  title: `citeulike-${set}, P = ${perUser} (figure ${perUser === 1 ? 4 : 5}${set === "a" ? "a" : "b"})`,
  source: `citeulike-${set}`,
  optional: set === "a",
  runs: runs(perUser, literature),
  publishedBy: tois,
  ...(set === "a" && { note: titlesAlone }),
});

export const cvaeFigures45: Preset = {
  name: "cvae-figures-4-5",
  summary:
    "CVAE, CDL, CTR, DeepMusic and simple baselines on citeulike-t and -a: recall@50 to 300 with 1 and with 10 training articles per user.",
  source: `${cvaeSource}, figures 4 and 5`,
  studies: [
    study("t", 1, {
      cvae: [0.043, 0.0639, 0.0803, 0.095, 0.1076, 0.12],
      cdl: ends(0.0351, 0.0989),
      "content-knn": [0.1135, 0.1566, 0.1881, 0.2125, 0.2315, 0.249],
    }),
    study("t", 10, {
      cvae: [0.2387, 0.3274, 0.3849, 0.4263, 0.4606, 0.4854],
      cdl: [0.2231, 0.3019, 0.3565, 0.4031, 0.4351, 0.4618],
      wmf: ends(0.2338, 0.4374),
      "content-knn": [0.2675, 0.349, 0.3939, 0.4246, 0.4519, 0.474],
    }),
    study("a", 1, {
      cvae: [0.0768, 0.1171, 0.1485, 0.1744, 0.1973, 0.2168],
      cdl: [0.0855, 0.1208, 0.1445, 0.1623, 0.1767, 0.1901],
      "content-knn": ends(0.0553, 0.0717),
    }),
    study("a", 10, {
      cvae: [0.0805, 0.1569, 0.2232, 0.276, 0.325, 0.3687],
      cdl: [0.058, 0.1108, 0.1546, 0.1946, 0.2314, 0.264],
      wmf: [0.0779, 0.1388, 0.1834, 0.2186, 0.2472, 0.2706],
      "content-knn": [0.2235, 0.318, 0.3829, 0.4283, 0.4651, 0.495],
    }),
  ],
};
