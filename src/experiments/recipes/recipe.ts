// A recipe: options of a model that were chosen on the validation users of a named data set. The defaults of a model are those of
// its paper, chosen for ML-20M or Netflix; a recipe has options for another data set. Each is one JSON file,
// recipes/<data set>/<model>.json, exactly as `foldin search` writes it.

import { z } from "zod";
import { writeFileWhole } from "../../core/atomic-file.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject } from "../../core/json.js";
import { checkJson, readJson, refuseNewer } from "../../core/json-file.js";

/** The format that this version writes, and the newest that it reads. */
const FORMAT_VERSION = 1;
const EXPECTED = "a recipe written by foldin search";

const score = { metric: z.string(), mean: z.number(), standardError: z.number() };

const searchSchema = z.strictObject({
  /** The command that repeats the search, with the dataset in data/<name>. */
  command: z.string(),
  /** Number of points, and how many of them failed. */
  points: z.int().min(1),
  failed: z.int().min(0),
  /** The score of the best point on the validation users. */
  best: z.strictObject(score),
  /** The values of the varied options at the best point. */
  chosen: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  /** The version of foldin that searched. */
  foldin: z.string(),
});

const recipeSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  /** The data set on which it was chosen: the name for `--recipe`. */
  dataset: z.string(),
  /** A registered model. */
  model: z.string(),
  /** The options that differ from the model's defaults or were varied. */
  options: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  /** A further remark, in a sentence. */
  note: z.string().optional(),
  /** The score on the validation users (never the test users), and the command that measures it. */
  validation: z.strictObject({ ...score, command: z.string() }),
  /** The searches behind the recipe, oldest first; the best point of all of them is the recipe. */
  searches: z.array(searchSchema),
  /** A hash of the training and validation data (training/identity.ts); scores on other data are not compared. */
  data: z.string().optional(),
  /** The size of the data set, by which other data is compared with it. */
  shape: z.strictObject({ users: z.int(), items: z.int(), interactions: z.int() }).optional(),
});

export type Recipe = z.infer<typeof recipeSchema>;

/** Reads a recipe's file. Throws UserError, naming the file, if it does not exist, is damaged, or has a newer format. */
export async function readRecipe(path: string): Promise<Recipe> {
  const json = await readJson(path, { expected: EXPECTED });
  refuseNewer(json, path, FORMAT_VERSION, "recipe");
  return checkJson(recipeSchema, json, path, { problem: "is not a recipe", expected: EXPECTED });
}

/** Writes a recipe atomically. */
export async function writeRecipe(path: string, recipe: Recipe): Promise<void> {
  // Lists of numbers on one line each, as the project's formatter writes them, so that the file can be shipped unchanged.
  await writeFileWhole(path, (file) => file.writeFile(`${formatted(recipe)}\n`));
}

/** JSON indented by two spaces per level. */
function formatted(value: unknown, indent = ""): string {
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const inner = value.map((entry) => formatted(entry, deeper));
    const isFlat = value.every((entry) => typeof entry !== "object" || entry === null);
    return isFlat ? `[${inner.join(", ")}]` : `[\n${deeper}${inner.join(`,\n${deeper}`)}\n${indent}]`;
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const fields = Object.entries(value).filter(([, entry]) => entry !== undefined);
  if (fields.length === 0) return "{}";
  const lines = fields.map(
    ([name, entry]) => `${deeper}${JSON.stringify(name)}: ${formatted(entry, deeper)}`,
  );
  return `{\n${lines.join(",\n")}\n${indent}}`;
}

/**
 * Adds a search to a recipe: the options are those of the better score. A search with the same command replaces the older
 * entry. Throws UserError, naming `path`, if the two are not of the same model and data.
 */
export function withSearch(before: Recipe, found: Recipe, path: string): Recipe {
  const refuse = (what: string, old: string, now: string) =>
    new UserError({
      place: path,
      problem: `contains a recipe for ${what} ${old}, but this search was for ${now}`,
      remedy: "Write to another file",
    });
  if (before.model !== found.model) throw refuse("model", before.model, found.model);
  if (before.dataset !== found.dataset) throw refuse("data set", before.dataset, found.dataset);
  if (before.data !== undefined && before.data !== found.data)
    throw refuse("data", before.data, `${found.data} (same name, but split or filtered differently)`);
  if (before.validation.metric !== found.validation.metric)
    throw refuse("metric", before.validation.metric, found.validation.metric);
  const commands = new Set(found.searches.map(({ command }) => presentName(command)));
  const searches = [
    ...before.searches.filter(({ command }) => !commands.has(presentName(command))),
    ...found.searches,
  ];
  const better = before.validation.mean > found.validation.mean ? before : found;
  return { ...better, data: found.data, searches };
}

/** The command of a search under its current name; older recipes call it `foldin sweep`. */
function presentName(command: string): string {
  return command.replace(/^foldin sweep /, "foldin search ");
}
