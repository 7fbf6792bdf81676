// CVAE, figure 7: the number of latent factors K. The paper draws it for citeulike-a, whose bags of words are not at hand;
// here it is citeulike-t. Each K is pretrained anew.

import { cvaeRun, cvaeSource, onCiteulikeT } from "./cvae.js";
import type { Preset } from "./preset.js";

export const cvaeFigure7: Preset = {
  name: "cvae-figure-7",
  summary: "CVAE's number of latent factors K on citeulike-t.",
  source: `${cvaeSource}, figure 7 (there citeulike-a)`,
  studies: onCiteulikeT(
    [10, 25, 50, 100].map((latent) => cvaeRun({ latent })),
    "10 is too small, and that a large K matters more where there are more ratings",
  ),
};
