// The recipes that foldin ships: recipes/<data set>/<model>.json in the package. Every file there is a recipe; there is no
// other list.

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../../core/errors.js";
import { suggestion } from "../../core/nearest.js";
import { type Recipe, readRecipe } from "./recipe.js";

/** The path is the same from src/ and from dist/. */
const folder = fileURLToPath(new URL("../../../recipes", import.meta.url));

/** The recipes of a model, by data set. */
export async function recipesOf(model: string): Promise<Recipe[]> {
  return (await allRecipes()).filter((recipe) => recipe.model === model);
}

/**
 * A model's recipe by the name of its data set, or from a file ("runs/search/recipe.json"). Throws UserError if the model has no
 * recipe of this name, listing those that exist, and if the file is for another model.
 */
export async function findRecipe(name: string, model: string): Promise<Recipe> {
  if (name.endsWith(".json")) {
    const recipe = await readRecipe(name);
    if (recipe.model === model) return recipe;
    throw new UserError({
      place: name,
      problem: `is a recipe for ${recipe.model}, not for ${model}`,
      remedy: `Use --model ${recipe.model}, or another recipe`,
    });
  }
  const own = await recipesOf(model);
  const found = own.find(({ dataset }) => dataset === name);
  if (found) return found;
  const names = own.map(({ dataset }) => dataset);
  throw new UserError({
    place: "recipe",
    problem: `${model} has no recipe "${name}"`,
    expected: names.length > 0 ? names.join(", ") : undefined,
    remedy:
      names.length > 0
        ? suggestion(name, names)
        : `There is no recipe for ${model} yet: leave the option out to use the paper's values, set options with --set, or run foldin search`,
  });
}

/** Every recipe that is shipped, by data set and model. */
export async function allRecipes(): Promise<Recipe[]> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".json")).sort();
  return Promise.all(files.map((file) => readRecipe(join(folder, file))));
}
