// A recipe: options of a model that were chosen on the validation users of a named data set. The defaults of a model are its
// paper's, which were chosen for ML-20M or Netflix; a recipe is what to take for data of another size. One JSON file each,
// recipes/<data set>/<model>.json, in exactly the form in which `foldin search` writes it.

import { z } from "zod";
import { writeFileWhole } from "../../core/atomic-file.js";
import { UserError } from "../../core/errors.js";
import type { JsonObject } from "../../core/json.js";
import { checkJson, readJson, refuseNewer } from "../../core/json-file.js";

/** What this version writes, and the newest that it reads. */
const FORMAT_VERSION = 1;
const EXPECTED = "a recipe, as foldin search writes it";

const score = { metric: z.string(), mean: z.number(), standardError: z.number() };

const searchSchema = z.strictObject({
  /** Repeats the search; the dataset stands in data/<name> there. */
  command: z.string(),
  /** Points that were tried, and how many of them failed. */
  points: z.int().min(1),
  failed: z.int().min(0),
  /** Of its best point, on the validation users. */
  best: z.strictObject(score),
  /** What the best point had of the options that were varied. */
  chosen: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  /** The version of foldin that searched. */
  foldin: z.string(),
});

const recipeSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  /** The data set that it was chosen on: what `--recipe` names. */
  dataset: z.string(),
  /** A registered model. */
  model: z.string(),
  /** What differs from the model's defaults, or was chosen among others. */
  options: z.record(z.string(), z.json()) as z.ZodType<JsonObject>,
  /** What else there is to know, in a sentence. */
  note: z.string().optional(),
  /** What was reached on the validation users, never on the test users, and the command that measures it. */
  validation: z.strictObject({ ...score, command: z.string() }),
  /** The searches that led here, oldest first; the best point of all of them is the recipe. */
  searches: z.array(searchSchema),
  /** A hash of what was trained and validated on (training/identity.ts); scores of other data are not compared. */
  data: z.string().optional(),
});

export type Recipe = z.infer<typeof recipeSchema>;

/** Reads a recipe's file. Throws UserError, naming the file, where it is not there, damaged, or of a newer format. */
export async function readRecipe(path: string): Promise<Recipe> {
  const json = await readJson(path, { expected: EXPECTED });
  refuseNewer(json, path, FORMAT_VERSION, "recipe");
  return checkJson(recipeSchema, json, path, { problem: "is not a recipe", expected: EXPECTED });
}

/** Writes a recipe; the file appears whole or not at all. */
export async function writeRecipe(path: string, recipe: Recipe): Promise<void> {
  // Lists of numbers on one line each, as the project's formatter has them: what is written is what ships.
  await writeFileWhole(path, (file) => file.writeFile(`${formatted(recipe)}\n`));
}

/** JSON with two blanks for each level. */
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
 * A recipe that counts one more search: the options are those of the better score. A search with the same command
 * replaces the older one's entry. Throws UserError, naming `path`, where the two are not of the same model and data.
 */
export function withSearch(before: Recipe, found: Recipe, path: string): Recipe {
  const refuse = (what: string, old: string, now: string) =>
    new UserError({
      place: path,
      problem: `holds a recipe for ${what} ${old}, this search was for ${now}`,
      remedy: "Write into another file",
    });
  if (before.model !== found.model) throw refuse("model", before.model, found.model);
  if (before.dataset !== found.dataset) throw refuse("data set", before.dataset, found.dataset);
  if (before.data !== undefined && before.data !== found.data)
    throw refuse("data", before.data, `${found.data} (the same name, split or filtered differently)`);
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

/** The command of a search by its present name; recipes written before call it `foldin sweep`. */
function presentName(command: string): string {
  return command.replace(/^foldin sweep /, "foldin search ");
}
