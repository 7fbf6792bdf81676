import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { train } from "../../src/experiments/train.js";
import { recommend } from "../../src/recommender/recommend.js";
import { loadRecommender } from "../../src/serving/load.js";
import { tastes } from "../support/datasets.js";
import { forbidding } from "../support/foldin.js";

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
    const models = [
      "popularity",
      "autoencoders/mult-vae",
      "autoencoders/mult-dae",
      "linear/slim",
      "neighbours/item-knn",
      "blend",
    ].map((name) => `models/${name}.ts`);
    const { files, packages } = loadedWith(["serving/load.ts", ...models]);
    expect(files).toContain("compute/tape.ts");
    expect(files.filter((file) => /^(training|evaluation|experiments|cli)\//.test(file))).toEqual([]);
    expect(packages.filter((name) => !name.startsWith("node:")).toSorted()).toEqual([
      "fastest-levenshtein",
      "zod",
    ]);
  });

  it("does not load them when it runs either, for any model", async () => {
    const program = `
      import { readdirSync } from "node:fs";
      await import("foldin/serving");
      const models = new URL("models/", new URL("../", import.meta.resolve("foldin/serving")));
      const { algorithmNames, findAlgorithm } = await import(new URL("registry.js", models));
      for (const name of algorithmNames) await findAlgorithm(name);
      console.log(algorithmNames.length);`;
    const { env } = forbidding("duckdb|vega|sharp|fastify|libsql|/(training|experiments|evaluation|cli)/");
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      cwd: resolve(source, ".."),
      env: { ...process.env, ...env },
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(Number(stdout)).toBeGreaterThan(15);
  });

  it("works in worker threads with one model each", async () => {
    const folder = await mkdtemp(join(tmpdir(), "foldin-load-"));
    try {
      const dataset = tastes({ users: 40 });
      const run = join(folder, "run");
      const trained = await train(dataset, {
        model: "mult-vae",
        options: { hidden: [16], latent: 8, epochs: 2 },
        out: run,
        engine: "reference",
      });
      const expected = await recommend(trained, ["item1", "item5"], { k: 5 });
      trained.dispose();
      const program = `
        const { parentPort, workerData } = require("node:worker_threads");
        import("foldin/serving").then(async ({ loadRecommender, recommend }) => {
          const recommender = await loadRecommender(workerData, { threads: 1, engine: "reference" });
          parentPort.postMessage(await recommend(recommender, ["item1", "item5"], { k: 5 }));
          recommender.dispose();
        });`;
      const answers = await Promise.all(
        [1, 2, 3].map(async () => {
          const worker = new Worker(program, { eval: true, workerData: run });
          const [answer] = await once(worker, "message");
          await once(worker, "exit");
          return answer;
        }),
      );
      for (const answer of answers) expect(answer).toEqual(expected);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("closes only an engine that it opened", async () => {
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
        /nowhere.config\.json: there is no such file \(expected a model folder/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
