import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withLock } from "../../src/core/lock.js";
import { folderAnswer } from "../../src/studio/api.js";
import { Catalogue } from "../../src/studio/catalogue.js";
import { epochLine, writeManifest, writeRun } from "../support/run-folders.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "foldin-studio-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe("the catalogue of a folder", () => {
  it("summarises runs: options as texts, metrics with standard errors, time and size", async () => {
    writeRun(join(root, "vae"), {
      options: { hidden: [600, 200], klWeight: 0.2, text: { words: 5 } },
      seed: 7,
    });
    const { runs, ...rest } = await new Catalogue(root).look();
    expect(() => folderAnswer.parse({ runs, ...rest })).not.toThrow();
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({
      ...{ id: "vae", model: "mult-vae", state: "finished", seed: 7, epochs: 3, report: true },
      options: { hidden: "600,200", klWeight: "0.2", "text.words": "5" },
      // Three epochs of 1.5 s, with 0.5 s of validation each.
      seconds: 6,
      modelBytes: 2048,
      on: { test: { users: 1000, metrics: { "ndcg@100": { mean: 0.4, standardError: 0.002 } } } },
    });
  });

  it("takes the validation metric of a run without a result from its kept epoch", async () => {
    writeRun(join(root, "open"), { finished: false, epochs: 4, ndcg: 0.4, options: { epochs: 100 } });
    const { runs } = await new Catalogue(root).look();
    expect(runs[0]).toMatchObject({ state: "stopped", epochs: 4, plannedEpochs: 100, modelBytes: null });
    expect(runs[0].on.test).toBeUndefined();
    // 0.4 * (1 - 0.5 / 4)
    expect(runs[0].on.validation?.metrics["ndcg@100"].mean).toBeCloseTo(0.35, 12);
  });

  it("says training while a process holds the lock of the run, or of the run that it replaces", async () => {
    writeRun(join(root, "open"), { finished: false });
    writeRun(join(root, ".done.new"), { finished: false });
    const catalogue = new Catalogue(root);
    const states = async () => (await catalogue.look()).runs.map(({ id, state }) => `${id} ${state}`);
    expect(await states()).toEqual([".done.new stopped", "open stopped"]);
    await withLock(join(root, "open"), async () =>
      expect(await states()).toEqual([".done.new stopped", "open training"]),
    );
    await withLock(join(root, "done"), async () =>
      expect(await states()).toEqual([".done.new training", "open stopped"]),
    );
    expect(await states()).toEqual([".done.new stopped", "open stopped"]);
    expect((await catalogue.look()).runs[0].replaces).toBe("done");
  });

  it("sees new epochs, new runs and removed runs", async () => {
    writeRun(join(root, "a"), { finished: false, epochs: 2 });
    writeRun(join(root, "b"));
    const catalogue = new Catalogue(root);
    await catalogue.look();
    appendFileSync(join(root, "a", "metrics.jsonl"), epochLine(3));
    rmSync(join(root, "b"), { recursive: true });
    writeRun(join(root, "c"));
    const { runs } = await catalogue.look();
    expect(runs.map(({ id, epochs }) => [id, epochs])).toEqual([
      ["a", 3],
      ["c", 3],
    ]);
    expect(catalogue.find("b")).toBeUndefined();
    expect(catalogue.find("../a")).toBeUndefined();
    expect(catalogue.find("c")?.path).toBe(join(root, "c"));
  });

  it("names the metrics of which a lower value is better", async () => {
    writeRun(join(root, "a"));
    const file = join(root, "a", "result.json");
    const result = JSON.parse(readFileSync(file, "utf8"));
    for (const name of ["gini@100", "novelty@10", "calibration@10", "invented@5"])
      result.test.metrics[name] = { mean: 0.5 };
    writeFileSync(file, JSON.stringify(result));
    expect((await new Catalogue(root).look()).lowerIsBetter).toEqual(["gini@100", "calibration@10"]);
  });

  it("does not read a run again that has not changed", async () => {
    writeRun(join(root, "a"));
    const catalogue = new Catalogue(root);
    const [before] = (await catalogue.look()).runs;
    const [after] = (await catalogue.look()).runs;
    expect(after).toBe(before);
  });

  it("answers at once with the last look, without asking the file system", async () => {
    writeRun(join(root, "a"));
    const catalogue = new Catalogue(root);
    expect((await catalogue.recent()).runs.map(({ id }) => id)).toEqual(["a"]);
    rmSync(root, { recursive: true });
    expect((await catalogue.recent()).runs.map(({ id }) => id)).toEqual(["a"]);
    await expect(catalogue.look()).rejects.toThrow(/does not exist/);
  });

  it("finds the datasets of runs by their paths, and by their names if they were moved", async () => {
    for (const [folder, name] of [
      ["data/a", "films"],
      ["data/b", "films"],
      ["moved", "songs"],
    ])
      writeManifest(join(root, folder), name);
    writeRun(join(root, "by-path"), { dataset: "films", path: join(root, "data", "b") });
    writeRun(join(root, "by-name"), { dataset: "songs", path: join(root, "elsewhere") });
    writeRun(join(root, "unclear"), { dataset: "films" });
    const { runs } = await new Catalogue(root).look();
    expect(runs.map(({ id, dataset }) => [id, dataset.id])).toEqual([
      ["by-name", "moved"],
      ["by-path", "data/b"],
      ["unclear", undefined],
    ]);
  });

  it("lists damaged files as problems, and ignores files of other programs", async () => {
    writeRun(join(root, "good"));
    writeRun(join(root, "bad"));
    writeFileSync(join(root, "bad", "metrics.jsonl"), `${epochLine(1)}{"epoch": "two"}\n`);
    writeRun(join(root, "other"));
    writeFileSync(join(root, "other", "config.json"), '{"compilerOptions": {}}');
    writeManifest(join(root, "web"));
    writeFileSync(join(root, "web", "manifest.json"), '{"name": "a web application"}');
    const { runs, datasets, problems } = await new Catalogue(root).look();
    expect(runs.map(({ id }) => id)).toEqual(["good"]);
    expect(datasets).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0].problem).toMatch(/bad.metrics\.jsonl:2: is not a valid epoch record/);
  });

  it("summarises datasets from their manifests", async () => {
    writeManifest(join(root, "data"), "ml-1m");
    const { datasets } = await new Catalogue(root).look();
    expect(datasets).toEqual([
      {
        ...{ id: "data", name: "ml-1m", protocol: "strong", users: 100, items: 50, interactions: 800 },
        ...{ validationUsers: 10, testUsers: 10, ratings: true, times: true, titledItems: 50 },
      },
    ]);
  });
});
