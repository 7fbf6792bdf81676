// CVAE, figure 7: the number of latent factors K on citeulike-a; on citeulike-t where citeulike-a's bags of words are not there.
// Each K has its own pretraining.

import { cvaeRun, cvaeSource, onCiteulikeA } from "./cvae.js";
import type { Preset } from "./preset.js";

export const cvaeFigure7: Preset = {
  name: "cvae-figure-7",
  summary: "CVAE's number of latent factors K on citeulike-a, or on citeulike-t.",
  source: `${cvaeSource}, figure 7`,
  studies: onCiteulikeA(
    [10, 25, 50, 100].map((latent) => cvaeRun({ latent })),
    "10 is too small, and that a large K matters more with more ratings",
  ),
};
