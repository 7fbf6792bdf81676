import { existsSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadDataset } from "../../src/data/dataset.js";
import { evaluate, type MetricValue } from "../../src/evaluation/evaluate.js";
import { loadRecommender } from "../../src/serving/load.js";
import { foldin, forbidding } from "../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-"));

/** What a command with --json prints: one object on stdout, and nothing else. */
async function json(...args: string[]) {
  const { code, stdout, stderr } = await foldin([...args, "--json"], { cwd: folder });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

describe("from a file of clicks to recommendations, with --json throughout", () => {
  beforeAll(() => {
    const lines = ["user,item"];
    for (let user = 0; user < 300; user++)
      for (let i = 0; i < 10; i++) lines.push(`u${user},i${(user * 7 + i * i) % 60}`);
    writeFileSync(join(folder, "clicks.csv"), `${lines.join("\n")}\n`);
    const titles = Array.from({ length: 60 }, (_, item) => `i${item},"Title, number ${item}"`);
    writeFileSync(join(folder, "titles.csv"), `item,title\n${titles.join("\n")}\n`);
  });

  it("prepare and describe", async () => {
    const manifest = await json(
      ...["prepare", "clicks.csv", "--items", "titles.csv", "--out", "data"],
      ...["--validation-users", "30", "--test-users", "40"],
    );
    expect(manifest.counts).toMatchObject({
      users: 230,
      items: 60,
      validation: { users: 30 },
      test: { users: 40 },
    });
    expect(await json("describe", "data")).toMatchObject({ users: 230, items: 60 });
    expect(await json("describe", "data", "--plots", "plots.html")).not.toHaveProperty("ratings");
    expect(readFileSync(join(folder, "plots.html"), "utf8")).toContain("Users by their interactions");
  });

  it("train, which also writes the report", async () => {
    const trained = await json(
      ...["train", "data", "--model", "mult-vae", "--epochs", "3", "--out", "run", "--seed", "7"],
      ...["--set", "hidden=12,8", "--set", "latent=4", "--set", "batchSize=50"],
    );
    expect(trained).toMatchObject({ run: "run", algorithm: "mult-vae", dataset: "data", epochs: 3 });
    expect(Object.keys(trained.metrics["ndcg@100"])).toEqual(["test", "validation"]);
    const config = JSON.parse(readFileSync(join(folder, "run", "config.json"), "utf8"));
    expect(config).toMatchObject({
      seed: 7,
      options: { epochs: 3, hidden: [12, 8], latent: 4, batchSize: 50 },
    });
    const report = readFileSync(join(folder, "run", "report.html"), "utf8");
    expect(report).toContain("<title>mult-vae on data</title>");
    expect(report).toMatch(
      /<tr class="changed"><th scope="row">hidden<\/th><td>12,8<span class="default">default 600/,
    );
  });

  it("evaluate, with the same numbers as the library", async () => {
    const evaluated = await json(
      "evaluate",
      "run",
      "--on",
      "validation",
      "--metrics",
      "ndcg@10,recall@5",
      "mrr@10",
    );
    const dataset = await loadDataset(join(folder, "data"));
    const recommender = await loadRecommender(join(folder, "run"));
    const { metrics } = await evaluate(recommender, dataset, {
      on: "validation",
      metrics: ["ndcg@10", "recall@5", "mrr@10"],
    });
    recommender.dispose();
    expect(evaluated).toEqual({
      algorithm: "mult-vae",
      dataset: "data",
      split: "validation",
      users: 30,
      metrics,
    });
  });

  it("evaluate --segments, as JSON and as tables", async () => {
    const args = ["evaluate", "run", "--metrics", "ndcg@10", "novelty@5", "gini@5", "--segments"];
    const { users, metrics, segments } = await json(...args);
    expect(Object.keys(metrics)).toEqual(["ndcg@10", "novelty@5", "gini@5"]);
    // Every history of this dataset has the same length.
    expect(segments.history.map(({ users }: { users: number }) => users)).toEqual([users]);
    for (const { metrics } of segments.history)
      expect(Object.keys(metrics)).toEqual(["ndcg@10", "novelty@5"]);
    expect(segments.popularity.map(({ name }: { name: string }) => name)).toEqual(["head", "middle", "tail"]);
    const { stdout } = await foldin(args, { cwd: folder });
    const shown = ({ mean, standardError }: MetricValue) =>
      `${mean.toFixed(5)} ± ${standardError?.toFixed(5)}`;
    for (const { metrics } of segments.history) expect(stdout).toContain(shown(metrics["novelty@5"]));
    expect(stdout).toContain(shown(segments.popularity[0].metrics["ndcg@10"]));
  });

  it("evaluate with rules, as the library does", async () => {
    const rules = { diversity: 0.4, novelty: 0.3 };
    const names = ["ndcg@10", "novelty@10"];
    const flags = ["--diversity", "0.4", "--novelty", "0.3"];
    const evaluated = await json("evaluate", "run", "--metrics", ...names, ...flags);
    expect(evaluated.rules).toEqual(rules);
    const recommender = await loadRecommender(join(folder, "run"));
    const dataset = await loadDataset(join(folder, "data"));
    const { metrics } = await evaluate(recommender, dataset, { metrics: names, rules });
    recommender.dispose();
    expect(evaluated.metrics).toEqual(metrics);
    const { stdout } = await foldin(["evaluate", "run", ...flags], { cwd: folder });
    expect(stdout).toContain("re-ranked by rules: diversity 0.4; novelty 0.3");
  });

  it("recommend, by titles with commas too", async () => {
    const { history, recommendations } = await json(
      "recommend",
      "run",
      "--history",
      "title, number 3",
      "--history",
      "i4,i5",
    );
    expect(history.map(({ id }: { id: string }) => id)).toEqual(["i3", "i4", "i5"]);
    expect(recommendations).toHaveLength(10);
    expect(recommendations[0].title).toMatch(/^Title, number \d+$/);
  });

  it("models, and the options of one", async () => {
    expect((await json("models")).models.map(({ name }: { name: string }) => name)).toContain("mult-vae");
    const { options } = await json("models", "mult-vae");
    expect(options).toContainEqual(expect.objectContaining({ name: "beta", default: 0.2 }));
    for (const option of options) expect(option.description).not.toBe("");
  });

  it("evaluate says what to do if the dataset has moved", async () => {
    renameSync(join(folder, "data"), join(folder, "moved"));
    try {
      const { code, stderr } = await foldin(["evaluate", "run"], { cwd: folder });
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(/^run: its dataset was not found in .*--dataset/),
      ]);
      expect((await json("evaluate", "run", "--dataset", "moved")).users).toBe(40);
    } finally {
      renameSync(join(folder, "moved"), join(folder, "data"));
    }
  });

  it("a failure leaves stdout empty", async () => {
    const { code, stdout, stderr } = await foldin(["evaluate", "nowhere", "--json"], { cwd: folder });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("nowhere");
  });

  it("train --force replaces a run, and only a run", async () => {
    const again = ["train", "data", "--model", "popularity", "--out", "run"];
    expect((await foldin(again, { cwd: folder })).code).toBe(2);
    const replaced = await foldin([...again, "--force"], { cwd: folder });
    expect(replaced.code, replaced.stderr).toBe(0);
    expect(JSON.parse(readFileSync(join(folder, "run", "config.json"), "utf8")).model).toBe("popularity");
    // Wrong options are seen before anything is removed.
    expect((await foldin([...again, "--force", "--set", "x=1"], { cwd: folder })).code).toBe(2);
    expect(existsSync(join(folder, "run", "model"))).toBe(true);
  });
});

describe("help", () => {
  it("starts without loading slow libraries", async () => {
    const light = forbidding("duckdb|vega|/zod/|/dist/(models|training|data|compute)/");
    expect(await foldin(["--help"], light)).toMatchObject({ code: 0, stderr: "" });
    expect(await foldin(["help", "prepare"], light)).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("quickstart", () => {
  it("runs from scratch to recommendations, and its printed commands work", async () => {
    const { code, stdout, stderr } = await foldin(["quickstart", "--epochs", "2"], {
      cwd: folder,
      env: { npm_execpath: "" },
    });
    expect(code, stderr).toBe(0);
    const mean = (model: string) => Number(new RegExp(`${model} +(0\\.\\d+) ±`).exec(stdout)?.[1]);
    expect(mean("popularity")).toBeGreaterThan(0.1);
    expect(mean("mult-vae")).toBeGreaterThan(0.1);
    expect(existsSync(join(folder, "demo", "mult-vae", "report.html"))).toBe(true);
    const commands = stdout.split("\n").flatMap((line) => /^ {2}foldin (.*)$/.exec(line)?.[1] ?? []);
    expect(commands.length).toBeGreaterThan(5);
    // Those on the demo as they stand; the last two are about a file that is not there.
    for (const command of commands.filter((text) => !text.includes("data/mine"))) {
      const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
      const outcome = await foldin(words[0] === "train" ? [...words, "--epochs", "1"] : words, {
        cwd: folder,
      });
      expect(outcome.code, `${command}: ${outcome.stderr}`).toBe(0);
    }
  });
});
