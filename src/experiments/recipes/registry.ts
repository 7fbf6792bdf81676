// The recipes by data set and model, each imported only when it is asked for.

import { UserError } from "../../core/errors.js";
import { suggestion } from "../../core/nearest.js";
import type { Recipe } from "./recipe.js";

const recipes: Record<string, Record<string, () => Promise<Recipe>>> = {
  "ml-1m": {
    "mult-vae": async () => (await import("./ml-1m/mult-vae.js")).multVaeOnMl1m,
  },
};

/** The recipes of a model, in the order in which they are shown. */
export async function recipesOf(model: string): Promise<Recipe[]> {
  const own = Object.values(recipes).filter((ofDataset) => Object.hasOwn(ofDataset, model));
  return Promise.all(own.map((ofDataset) => ofDataset[model]()));
}

/** A model's recipe. Throws UserError, saying which there are, where the model has none of this name. */
export async function findRecipe(name: string, model: string): Promise<Recipe> {
  if (Object.hasOwn(recipes, name) && Object.hasOwn(recipes[name], model)) return recipes[name][model]();
  const names = (await recipesOf(model)).map(({ dataset }) => dataset);
  throw new UserError({
    place: "recipe",
    problem: `${model} has no recipe "${name}"`,
    expected: names.length > 0 ? names.join(", ") : undefined,
    remedy:
      names.length > 0
        ? suggestion(name, names)
        : `There is none for ${model} yet: leave it out for the paper's options, or set some with --set`,
  });
}

/** Every recipe there is. */
export async function allRecipes(): Promise<Recipe[]> {
  return Promise.all(
    Object.values(recipes).flatMap((ofDataset) => Object.values(ofDataset).map((load) => load())),
  );
}
