// The presets by name, each imported only when it is asked for.

import { UserError } from "../../core/errors.js";
import { suggestion } from "../../core/nearest.js";
import type { Preset } from "./preset.js";

const presets: Record<string, () => Promise<Preset>> = {
  "keras-notebook-v2": async () => (await import("./keras-notebook-v2.js")).kerasNotebookV2,
  "keras-notebook-v1": async () => (await import("./keras-notebook-v1.js")).kerasNotebookV1,
  "keras-notebook-nmf": async () => (await import("./keras-notebook-nmf.js")).kerasNotebookNmf,
  "mult-vae-2018": async () => (await import("./mult-vae-2018.js")).multVae2018,
  "evcf-table-1": async () => (await import("./evcf-table-1.js")).evcfTable1,
  "evcf-table-2": async () => (await import("./evcf-table-2.js")).evcfTable2,
  "cvae-figures-4-5": async () => (await import("./cvae-figures-4-5.js")).cvaeFigures45,
  "cvae-figure-6": async () => (await import("./cvae-figure-6.js")).cvaeFigure6,
  "cvae-figure-7": async () => (await import("./cvae-figure-7.js")).cvaeFigure7,
  "cvae-paper": async () => (await import("./cvae-paper.js")).cvaePaperPreset,
  "cvae-table-1": async () => (await import("./cvae-table-1.js")).cvaeTable1,
  "recotour-3": async () => (await import("./recotour-3.js")).recoTour3,
};

/** In the order in which they are shown. */
export const presetNames: readonly string[] = Object.keys(presets);

/** The preset of a name. Throws UserError, with the nearest name, where there is none. */
export async function findPreset(name: string): Promise<Preset> {
  if (!Object.hasOwn(presets, name))
    throw new UserError({
      place: "preset",
      problem: `"${name}" is unknown`,
      remedy: suggestion(name, presetNames),
    });
  return presets[name]();
}
