// CVAE, figure 7: the number of latent factors K. The paper draws it for citeulike-a, whose bags of words are not at hand;
// here it is citeulike-t. Each K is pretrained anew.

import { cvaeRun, cvaeSource, judged, released, type TrainItems } from "./cvae.js";
import type { Preset, Study } from "./preset.js";

const study = (perUser: TrainItems): Study => ({
  ...judged,
  ...released(perUser),
  key: `citeulike-t-p${perUser}`,
  title: `citeulike-t (ours), P = ${perUser}`,
  source: "citeulike-t",
  runs: [10, 25, 50, 100].map((latent) => cvaeRun({ latent })),
  note: "Ours: the paper draws citeulike-a and prints no number. It says that 10 is too small, and that a large K matters more where there are more ratings.",
});

export const cvaeFigure7: Preset = {
  name: "cvae-figure-7",
  summary: "CVAE's number of latent factors K on citeulike-t.",
  source: `${cvaeSource}, figure 7 (there citeulike-a)`,
  studies: [study(1), study(10)],
};
