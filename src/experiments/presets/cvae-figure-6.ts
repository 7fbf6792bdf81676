// CVAE, figure 6: the weight lambda_r of an article's content beside its ratings. The paper draws it for citeulike-a, whose
// bags of words are not at hand; here it is citeulike-t.

import { cvaeRun, cvaeSource, onCiteulikeT } from "./cvae.js";
import type { Preset } from "./preset.js";

export const cvaeFigure6: Preset = {
  name: "cvae-figure-6",
  summary: "CVAE's lambda_r, the weight of content beside ratings, on citeulike-t.",
  source: `${cvaeSource}, figure 6 (there citeulike-a)`,
  studies: onCiteulikeT(
    [0.01, 0.1, 1, 10, 100, 10_000].map((lambdaR) => cvaeRun({ lambdaR })),
    ".01 is worse and that 100 and 10,000 are alike",
  ),
};
