// What a search tries: its points with their run folders, checked before the first training, and the folder of the search.

import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { UserError } from "../../core/errors.js";
import type { JsonObject, JsonValue } from "../../core/json.js";
import { readManifest } from "../../data/dataset.js";
import type { Manifest } from "../../data/manifest.js";
import { defaultMetrics, parseAccuracyMetric } from "../../evaluation/metrics.js";
import { layeredOptions, parseOptions } from "../../models/options.js";
import { findAlgorithm } from "../../models/registry.js";
import type { Algorithm } from "../../recommender/algorithm.js";
import { claimFolder } from "../claim-folder.js";
import { ownName } from "../option-text.js";
import { type Recipe, readRecipe } from "../recipes/recipe.js";
import { findRecipe } from "../recipes/registry.js";
import { openTrackers } from "../trackers/open-trackers.js";
import { DEFAULT_SEED } from "../train.js";
import { hash, hashOf } from "./dataset-hash.js";
import type { PointJob } from "./point.js";
import type { SearchOptions } from "./search-options.js";
import { drawSettings, gridOf, optionsAt, type Setting } from "./space.js";

const headSchema = z.object({
  formatVersion: z.literal(1),
  dataset: z.string(),
  data: z.string(),
  model: z.string(),
});

export interface Point {
  readonly key: string;
  readonly setting: Setting;
  readonly job: PointJob;
  /** The reason why its options are not a valid combination. */
  readonly misfit?: string;
}

export interface SearchPlan {
  readonly algorithm: Algorithm;
  /** The metric by which the best point is chosen. */
  readonly metric: ReturnType<typeof parseAccuracyMetric>;
  readonly manifest: Manifest;
  /** Options that are the same at every point. */
  readonly fixed: Record<string, unknown>;
  readonly points: readonly Point[];
}

/** The points of a search. Throws UserError like `search`. */
export async function planSearch(dataset: string, given: SearchOptions): Promise<SearchPlan> {
  const { out, seed = DEFAULT_SEED, chooseOn = "validation" } = given;
  const algorithm = await findAlgorithm(given.model);
  const metric = parseAccuracyMetric(given.metric ?? "ndcg@100");
  if (chooseOn === "test" && given.writeRecipe !== undefined)
    throw new UserError({
      place: "write-recipe",
      problem: "a recipe must be chosen on validation users, not on test users",
      remedy: "Leave out --choose-on test or --write-recipe",
    });
  const manifest = await readManifest(dataset);
  if (manifest.counts[chooseOn].judgedUsers === 0)
    throw new UserError({
      place: dataset,
      problem: `has no ${chooseOn} users with held-out items, so the best point cannot be chosen`,
      remedy: `Prepare it with --${chooseOn}-users`,
    });
  const recipe = given.recipe === undefined ? undefined : await findRecipe(given.recipe, algorithm.name);
  const fixed = layeredOptions(algorithm, recipe?.options, given.options);
  parseOptions(algorithm, fixed);
  const settings =
    given.random === undefined ? gridOf(given.space) : drawSettings(given.space, given.random, seed);
  const data = hashOf(manifest);
  const metrics = [...new Set([metric.name, ...defaultMetrics])];
  const points = settings.map((setting): Point => {
    const options = optionsAt(fixed, setting);
    const key = keyOf(setting, { model: algorithm.name, options: byOwnName(options), seed, data });
    const job: PointJob = {
      folder: resolve(out, "points", key),
      model: algorithm.name,
      options,
      seed,
      metrics,
      on: chooseOn,
      datasetPath: resolve(dataset),
      checkpointSeconds: given.checkpointSeconds,
      cache: given.cache,
      trackers: given.trackers,
    };
    return { key, setting, job, misfit: misfitOf(algorithm, options) };
  });
  refuseHopeless(algorithm, fixed, points);
  // An invalid choice is refused before the first training.
  await openTrackers(given.trackers ?? {}, { onNote: () => {} });
  if (given.writeRecipe !== undefined) await existingRecipe(given.writeRecipe, algorithm.name);
  await claimSearchFolder(out, { dataset: manifest.name, data, model: algorithm.name });
  return { algorithm, metric, manifest, fixed, points };
}

/** The marker file of a search folder, and its former name, which is still accepted. */
const MARKER = "search.json";
const FORMER_MARKER = "sweep.json";

/** Whether the folder contains a search. */
export function isSearchFolder(folder: string): boolean {
  return [MARKER, FORMER_MARKER].some((name) => existsSync(join(folder, name)));
}

/** Creates the folder of the search, or checks that the existing one is for this model and data. */
async function claimSearchFolder(
  out: string,
  head: { dataset: string; data: string; model: string },
): Promise<void> {
  const found = await claimFolder(out, {
    marker: MARKER,
    formerMarker: FORMER_MARKER,
    head: { formatVersion: 1, ...head },
    what: "a search",
  });
  const before = headSchema.safeParse(found);
  if (!before.success || before.data.model !== head.model || before.data.data !== head.data)
    throw new UserError({
      place: out,
      problem: before.success
        ? `contains a search of ${before.data.model} on ${before.data.dataset}${before.data.dataset === head.dataset && before.data.model === head.model ? ", prepared differently" : ""}`
        : "contains a search in an unknown format",
      expected: `a new folder, or a search of ${head.model} on this ${head.dataset}`,
      remedy: "Choose another folder with --out",
    });
}

/** The existing recipe in the file, if any. */
export async function existingRecipe(path: string, model: string): Promise<Recipe | undefined> {
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const recipe = await readRecipe(path);
  if (recipe.model !== model)
    throw new UserError({
      place: path,
      problem: `contains a recipe for ${recipe.model}, but this search is for ${model}`,
      remedy: "Write to another file",
    });
  return recipe;
}

/** Options by their names within their groups: earlier versions had no groups, and their points are found by these names. */
function byOwnName(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [ownName(name), value]));
}

/** A unique and descriptive name for the point's folder. */
function keyOf(setting: Setting, identity: JsonObject | Record<string, unknown>): string {
  const text = Object.entries(setting)
    .map(([name, value]) => `${ownName(name)}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("_")
    .replace(/[^\w=.+-]+/g, "-");
  return `${text.slice(0, 80)}_${hash(identity).slice(0, 8)}`;
}

function misfitOf(algorithm: Algorithm, options: Record<string, unknown>): string | undefined {
  try {
    parseOptions(algorithm, options);
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/** Throws UserError for a value that is valid at no point: this is a typing error rather than a result. */
function refuseHopeless(
  algorithm: Algorithm,
  fixed: Record<string, unknown>,
  points: readonly Point[],
): void {
  const values = new Map<string, { name: string; value: JsonValue; fits: boolean }>();
  for (const { setting, misfit } of points)
    for (const [name, value] of Object.entries(setting)) {
      const id = `${name}=${JSON.stringify(value)}`;
      const known = values.get(id) ?? { name, value, fits: false };
      values.set(id, { ...known, fits: known.fits || misfit === undefined });
    }
  for (const { name, value, fits } of values.values())
    if (!fits) {
      const first = points.find(({ setting }) => JSON.stringify(setting[name]) === JSON.stringify(value));
      parseOptions(algorithm, optionsAt(fixed, { [name]: value }));
      // The value is valid alone, but not in combination with any other tried value.
      parseOptions(algorithm, optionsAt(fixed, first?.setting ?? {}));
    }
}
