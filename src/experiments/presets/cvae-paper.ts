// CVAE where the paper and the authors' program differ, and the comparison of tied and untied weights that the paper describes
// without numbers (section 3.3). The first row is the program.

import { cvaeRun, cvaeSource, evaluated, released, type TrainItems } from "./cvae.js";
import type { Preset, Study } from "./preset.js";

const study = (perUser: TrainItems): Study => ({
  ...evaluated,
  ...released(perUser),
  key: `citeulike-t-p${perUser}`,
  title: `citeulike-t, P = ${perUser}`,
  source: "citeulike-t",
  runs: [
    cvaeRun(),
    cvaeRun({ unclicked: "counted" }),
    cvaeRun({ unseenItems: "content" }),
    cvaeRun({ coupling: "paper" }),
    cvaeRun({ regularised: "all" }),
    cvaeRun({ tied: false }),
    cvaeRun({ unclicked: "counted", unseenItems: "content", coupling: "paper", regularised: "all" }),
  ],
  note: "Ours: the paper prints no numbers for these. The last row is the paper to the letter.",
});

export const cvaePaperPreset: Preset = {
  name: "cvae-paper",
  summary: "CVAE where the paper and the authors' program differ, on citeulike-t.",
  source: `${cvaeSource}, sections 2.2 to 3.3`,
  studies: [study(1), study(10)],
};
