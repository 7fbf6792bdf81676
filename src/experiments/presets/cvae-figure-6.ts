// CVAE, figure 6: the weight lambda_r of an article's content beside its ratings. The paper draws it for citeulike-a, whose
// bags of words are not at hand; here it is citeulike-t.

import { cvaeRun, cvaeSource, judged, released, type TrainItems } from "./cvae.js";
import type { Preset, Study } from "./preset.js";

const study = (perUser: TrainItems): Study => ({
  ...judged,
  ...released(perUser),
  key: `citeulike-t-p${perUser}`,
  title: `citeulike-t (ours), P = ${perUser}`,
  source: "citeulike-t",
  runs: [0.01, 0.1, 1, 10, 100, 10_000].map((lambdaR) => cvaeRun({ lambdaR })),
  note: "Ours: the paper draws citeulike-a and prints no number. It says that .01 is worse and that 100 and 10,000 are alike.",
});

export const cvaeFigure6: Preset = {
  name: "cvae-figure-6",
  summary: "CVAE's lambda_r, the weight of content beside ratings, on citeulike-t.",
  source: `${cvaeSource}, figure 6 (there citeulike-a)`,
  studies: [study(1), study(10)],
};
