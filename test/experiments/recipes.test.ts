import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/core/errors.js";
import { readRecipe, writeRecipe } from "../../src/experiments/recipes/recipe.js";
import { allRecipes, findRecipe, recipesOf } from "../../src/experiments/recipes/registry.js";
import { readRunFolder } from "../../src/experiments/run-folder.js";
import { train } from "../../src/experiments/train.js";
import { parseOptions } from "../../src/models/options.js";
import { findAlgorithm } from "../../src/models/registry.js";
import { checkerboard } from "../support/datasets.js";

describe("recipes", () => {
  it("match their models, and record the searches and the command that measured them", async () => {
    const recipes = await allRecipes();
    expect(recipes.length).toBeGreaterThan(0);
    for (const { dataset, model, options, searches, note, validation } of recipes) {
      const algorithm = await findAlgorithm(model);
      expect(parseOptions(algorithm, { ...options })).toMatchObject(options);
      expect(await findRecipe(dataset, model)).toMatchObject({ dataset, model });
      expect((await recipesOf(model)).map((recipe) => recipe.dataset)).toContain(dataset);
      if (searches.length === 0) expect(note).toMatch(/^No search yet: /);
      for (const { command, best } of searches) {
        expect(command).toMatch(
          new RegExp(`^foldin (search data/${dataset} --model ${model}|tune data/${dataset}) `),
        );
        expect(best.mean).toBeLessThanOrEqual(validation.mean);
      }
      expect(validation.mean).toBeGreaterThan(0);
      expect(validation.mean).toBeLessThan(1);
      // The command is that of the recipe itself.
      expect(validation.command).toContain(`--model ${model} --recipe ${dataset}`);
    }
  });

  it("are written as they ship", async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-recipes-"));
    try {
      const shipped = resolve(import.meta.dirname, "../../recipes");
      const files = (await readdir(shipped, { recursive: true })).filter((name) => name.endsWith(".json"));
      const copy = join(folder, "copy.json");
      for (const file of files) {
        await writeRecipe(copy, await readRecipe(join(shipped, file)));
        expect(await readFile(copy, "utf8")).toBe(await readFile(join(shipped, file), "utf8"));
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("give a run its options, which --set overrides", async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-recipes-"));
    try {
      const out = join(folder, "run");
      const small = { hidden: [8], latent: 4, epochs: 1 };
      const given = { model: "mult-vae", recipe: "ml-1m", options: small, engine: "reference", out } as const;
      (await train(checkerboard(), given)).dispose();
      const { options } = await findRecipe("ml-1m", "mult-vae");
      expect((await readRunFolder(out)).config.options).toMatchObject({ ...options, ...small });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("report an unknown name with the existing ones", async () => {
    await expect(findRecipe("ml-1n", "mult-vae")).rejects.toThrow(
      /mult-vae has no recipe "ml-1n" \(expected ml-1m\).*Did you mean "ml-1m"/,
    );
    await expect(findRecipe("ml-1m", "cvae")).rejects.toThrow(/There is no recipe for cvae/);
    await expect(findRecipe("constructor", "mult-vae")).rejects.toThrow(UserError);
  });
});
