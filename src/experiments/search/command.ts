// A search as one command that repeats it, for results and recipes, without paths, processes or threads of this machine.

import { shellCommand } from "../../core/shell.js";
import { optionTexts } from "../option-text.js";
import type { EvaluatedOn } from "./point.js";
import { type Dimension, spaceText } from "./space.js";

export interface Search {
  readonly model: string;
  readonly space: readonly Dimension[];
  readonly random?: number;
  /** Including the options of the recipe that it started from: the recipe may change later, the command must not. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly seed?: number;
  readonly metric?: string;
  readonly chooseOn?: EvaluatedOn;
}

export function searchCommand(
  dataset: string,
  { model, space, random, options = {}, seed, metric, chooseOn }: Search,
): string {
  const varied = new Set(space.map(({ name }) => name));
  const fixed = Object.entries(options).filter(([name]) => !varied.has(name));
  return shellCommand(
    ...["foldin", "search", `data/${dataset}`, "--model", model],
    ...optionTexts(Object.fromEntries(fixed)).flatMap((text) => ["--set", text]),
    ...(space.length > 0 ? ["--grid", ...space.map(spaceText)] : []),
    ...(random === undefined ? [] : ["--random", String(random)]),
    ...(seed === undefined ? [] : ["--seed", String(seed)]),
    ...(metric === undefined || metric === "ndcg@100" ? [] : ["--metric", metric]),
    ...(chooseOn === "test" ? ["--choose-on", "test"] : []),
  );
}
