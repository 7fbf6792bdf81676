// The presets by name, each imported only when it is asked for.

import { UserError } from "../../core/errors.js";
import { suggestion } from "../../core/nearest.js";
import type { Preset } from "./preset.js";

const presets: Record<string, () => Promise<Preset>> = {
  "keras-notebook-v2": async () => (await import("./keras-notebook-v2.js")).kerasNotebookV2,
  "keras-notebook-v1": async () => (await import("./keras-notebook-v1.js")).kerasNotebookV1,
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
