// CVAE, figure 6: lambda_r, the weight of an article's content relative to its ratings, on citeulike-a; on citeulike-t where
// citeulike-a's bags of words are not there.

import { cvaeRun, cvaeSource, onCiteulikeA } from "./cvae.js";
import type { Preset } from "./preset.js";

export const cvaeFigure6: Preset = {
  name: "cvae-figure-6",
  summary: "CVAE's lambda_r, the weight of content relative to ratings, on citeulike-a, or on citeulike-t.",
  source: `${cvaeSource}, figure 6`,
  studies: onCiteulikeA(
    [0.01, 0.1, 1, 10, 100, 10_000].map((lambdaR) => cvaeRun({ lambdaR })),
    ".01 is worse and that 100 and 10,000 are alike",
  ),
};
