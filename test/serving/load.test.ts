import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { train } from "../../src/experiments/train.js";
import { loadRecommender } from "../../src/serving/load.js";
import { tastes } from "../support/datasets.js";

const source = resolve(import.meta.dirname, "../../src");

/** All modules that are loaded with the given ones: imports at the top of a file, types apart. */
function loadedWith(entries: string[]): { files: string[]; packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(file, "utf8");
    for (const [, clause, target] of text.matchAll(/^(?:import|export)\s([^;]*?)\s?from\s"([^"]+)"/gm)) {
      const onlyTypes = /^type\s/.test(clause) || /^\{(\s*type\s[^,}]+,?)+\s*\}$/.test(clause);
      if (onlyTypes) continue;
      if (target.startsWith(".")) visit(resolve(dirname(file), target.replace(/\.js$/, ".ts")));
      else packages.add(target);
    }
  };
  for (const entry of entries) visit(resolve(source, entry));
  return { files: [...files].map((file) => relative(source, file)), packages: [...packages] };
}

describe("loading a model", () => {
  it("loads no training code, no evaluation and no DuckDB", () => {
    const models = ["popularity", "mult-vae", "mult-dae", "slim", "item-knn", "blend"].map(
      (name) => `models/${name}.ts`,
    );
    const { files, packages } = loadedWith(["serving/load.ts", ...models]);
    expect(files).toContain("compute/tape.ts");
    expect(files.filter((file) => /^(training|evaluation|experiments|cli)\//.test(file))).toEqual([]);
    expect(packages.filter((name) => !name.startsWith("node:")).toSorted()).toEqual([
      "fastest-levenshtein",
      "zod",
    ]);
  });

  it("closes the engine that it opened, and not another's", async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-load-"));
    try {
      const dataset = tastes({ users: 20 });
      (
        await train(dataset, { model: "popularity", engine: "reference", out: join(folder, "run") })
      ).dispose();
      const loaded = await loadRecommender(join(folder, "run"), { engine: "reference" });
      const scores = loaded.score(dataset.train);
      expect((await scores.topK(3)).items).toHaveLength(60);
      loaded.dispose();
      await expect(scores.topK(3)).rejects.toThrow();
      await expect(loadRecommender(join(folder, "nowhere"))).rejects.toThrow(
        /nowhere.config\.json: no such file \(expected a model folder/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
