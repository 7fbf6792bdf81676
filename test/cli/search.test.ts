import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldin, start } from "../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-search-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const small = ["--set", "hidden=16", "--set", "latent=8", "--set", "batchSize=50", "--engine", "reference"];
const search = ["search", "dataset", "--model", "mult-dae", ...small];
const grid = [...search, "--epochs", "3", "--grid", "dropout=0.2,0.6", "learningRate=1e-3,1e-2"];

beforeAll(async () => {
  const lines = ["user,item"];
  for (let user = 0; user < 600; user++)
    for (let i = 0; i < 12; i++) lines.push(`${user},${(user * 13 + i * i * 7) % 200}`);
  writeFileSync(join(folder, "clicks.csv"), `${lines.join("\n")}\n`);
  const { code, stderr } = await foldin(
    ["prepare", "clicks.csv", "--out", "dataset", "--validation-users", "50", "--test-users", "50"],
    { cwd: folder },
  );
  expect(code, stderr).toBe(0);
});

interface Result {
  best: { key: string; setting: Record<string, unknown> };
  points: {
    key: string;
    state: string;
    message?: string;
    metrics: Record<string, { mean: number; standardError: number }>;
  }[];
  test: Record<string, { mean: number }>;
  run: string;
  command: string;
}

async function searched(args: readonly string[]): Promise<{ result: Result; stderr: string }> {
  const { code, stdout, stderr } = await foldin([...args, "--json"], { cwd: folder });
  expect(code, stderr).toBe(0);
  return { result: JSON.parse(stdout) as Result, stderr };
}

function config(out: string, key: string): string {
  return readFileSync(join(folder, out, "points", key, "config.json"), "utf8");
}

describe("foldin search", () => {
  let first: Result;
  beforeAll(async () => {
    first = (await searched([...grid, "--out", "first", "--jobs", "2"])).result;
  });

  it("chooses the best point on the validation users, as foldin train and evaluate find it", async () => {
    const means = first.points.map(({ metrics }) => metrics["ndcg@100"].mean);
    const best = first.points.find(({ key }) => key === first.best.key);
    expect(best?.metrics["ndcg@100"].mean).toBe(Math.max(...means));
    expect(new Set(means).size).toBeGreaterThan(1);

    const { dropout, learningRate } = first.best.setting;
    const options = ["--set", `dropout=${dropout}`, "--set", `learningRate=${learningRate}`];
    const { code, stdout, stderr } = await foldin(
      [
        "train",
        "dataset",
        "--model",
        "mult-dae",
        ...small,
        "--epochs",
        "3",
        ...options,
        "--out",
        "alone",
        "--json",
      ],
      { cwd: folder },
    );
    expect(code, stderr).toBe(0);
    const { metrics } = JSON.parse(stdout) as {
      metrics: Record<string, { test: { mean: number }; validation: { mean: number } }>;
    };
    expect(metrics["ndcg@100"].validation.mean).toBe(Math.max(...means));
    expect(metrics["ndcg@100"].test.mean).toBe(first.test["ndcg@100"].mean);
  });

  it("keeps only the model of the best point, and computes test metrics only for it", () => {
    const points = readdirSync(join(folder, "first", "points"));
    expect(points).toHaveLength(4);
    const kept = points.filter((key) => existsSync(join(folder, "first", "points", key, "model")));
    expect(kept).toEqual([first.best.key]);
    for (const key of points) {
      const result = JSON.parse(readFileSync(join(folder, "first", "points", key, "result.json"), "utf8"));
      // The report of the best point is written after the choice.
      expect("test" in result, key).toBe(key === first.best.key);
    }
    const [head, ...rows] = readFileSync(join(folder, "first", "results.csv"), "utf8")
      .trimEnd()
      .split("\n");
    expect(head).toMatch(/^dropout,learningRate,validation ndcg@100,/);
    expect(rows).toHaveLength(4);
  });

  it("does not retrain finished points, and has the same result for any number of processes", async () => {
    const { result, stderr } = await searched([...grid, "--out", "first"]);
    expect(stderr).not.toMatch(/ of 4:/);
    expect(result.points).toEqual(first.points);
    const alone = await searched([...grid, "--out", "alone-search", "--jobs", "1"]);
    expect(alone.result.points.map(({ metrics }) => metrics)).toEqual(
      first.points.map(({ metrics }) => metrics),
    );
  });

  it("continues when the grid has grown", async () => {
    const wider = grid.map((word) => (word === "dropout=0.2,0.6" ? "dropout=0.2,0.4,0.6" : word));
    const { result, stderr } = await searched([...wider, "--out", "first"]);
    expect(result.points).toHaveLength(6);
    expect(stderr.match(/ of 6:/g)).toHaveLength(2);
  });

  it("writes a recipe that train accepts, and adds later searches to it", async () => {
    await searched([...grid, "--out", "first", "--write-recipe", "chosen.json"]);
    const read = () => JSON.parse(readFileSync(join(folder, "chosen.json"), "utf8"));
    const recipe = read();
    expect(recipe).toMatchObject({ dataset: "dataset", model: "mult-dae", options: first.best.setting });
    expect(recipe.searches).toHaveLength(1);
    expect(recipe.searches[0].command).toMatch(
      /^foldin search data\/dataset --model mult-dae --set hidden=16 /,
    );

    const worse = [...search, "--epochs", "1", "--grid", "learningRate=1e-6", "--out", "worse"];
    await searched([...worse, "--write-recipe", "chosen.json"]);
    expect(read()).toMatchObject({ options: recipe.options, validation: recipe.validation });
    expect(read().searches).toHaveLength(2);
    // The same search again is not another one, whatever its command was called.
    const former = readFileSync(join(folder, "chosen.json"), "utf8").replaceAll(
      "foldin search",
      "foldin sweep",
    );
    writeFileSync(join(folder, "chosen.json"), former);
    await searched([...worse, "--write-recipe", "chosen.json"]);
    expect(read().searches).toHaveLength(2);

    const { code, stderr } = await foldin(
      [
        "train",
        "dataset",
        "--model",
        "mult-dae",
        "--recipe",
        "chosen.json",
        "--engine",
        "reference",
        "--out",
        "tuned",
      ],
      { cwd: folder },
    );
    expect(code, stderr).toBe(0);
    const options = (path: string) => JSON.parse(path).options;
    expect(options(readFileSync(join(folder, "tuned", "config.json"), "utf8"))).toEqual(
      options(config("first", first.best.key)),
    );
  });

  it("works under its former name, which is hidden in the list of commands", async () => {
    const help = async (...args: string[]) => (await foldin([...args, "--help"])).stdout;
    const own = await help("search");
    expect((await help("sweep")).replaceAll("Usage: foldin sweep", "Usage: foldin search")).toBe(own);
    expect(own.match(/foldin sweep/g)).toHaveLength(1);
    expect(await help()).not.toMatch(/sweep/);
  });

  it("resumes in the folder of a search under the former name", async () => {
    const folderOf = (name: string) => join(folder, "runs", `${name}-dataset-mult-dae`);
    const before = ["sweep", ...grid.slice(1)];
    const begun = await searched([...before, "--out", folderOf("sweep")]);
    renameSync(join(folderOf("sweep"), "search.json"), join(folderOf("sweep"), "sweep.json"));
    for (const command of [grid, before]) {
      const { result, stderr } = await searched(command);
      expect(stderr).not.toMatch(/ of 4:/);
      expect(result.points).toEqual(begun.result.points);
    }
    expect(existsSync(folderOf("search"))).toBe(false);
    expect(existsSync(join(folderOf("sweep"), "search.json"))).toBe(false);
  });

  it("records a failed point and trains the others", async () => {
    const { result, stderr } = await searched([
      ...search,
      ...["--epochs", "2", "--grid", "learningRate=1e-3,1e30", "--out", "failing"],
    ]);
    expect(result.points.map(({ state }) => state)).toEqual(["done", "failed"]);
    expect(result.points[1].message).toMatch(/^training: diverged: .*(became NaN|contains Infinity)/);
    expect(stderr).toMatch(/learningRate=1e\+30: failed: /);
  });

  it("stopped by Ctrl-C while workers read the dataset counts as stopped, not failed", async () => {
    for (const delay of [0, 100, 200, 300, 400, 500]) {
      const out = `early-${delay}`;
      const running = start([...search, "--grid", "dropout=0.2,0.6", "--out", out, "--jobs", "2"], {
        cwd: folder,
      });
      while (running.process.exitCode === null && !existsSync(join(folder, out))) await sleep(5);
      await sleep(delay);
      running.process.kill("SIGINT");
      const { code, stderr } = await running.outcome;
      if (code !== 0) expect(code, stderr).toBe(130);
    }
  });

  it("stopped by Ctrl-C ends its workers, and resumes to the same weights", async () => {
    const long = [
      ...search,
      "--epochs",
      "40",
      "--grid",
      "dropout=0.2,0.6",
      "--checkpoint-seconds",
      "0",
      "--jobs",
      "2",
    ];
    const whole = await searched([...long, "--out", "whole", "--keep-models"]);
    const running = start([...long, "--out", "broken", "--keep-models"], { cwd: folder });
    const begun = () =>
      existsSync(join(folder, "broken", "points")) &&
      readdirSync(join(folder, "broken", "points")).some((key) =>
        existsSync(join(folder, "broken", "points", key, "checkpoint", "checkpoint.safetensors")),
      );
    while (running.process.exitCode === null && !begun()) await sleep(5);
    running.process.kill("SIGINT");
    const { code, stderr } = await running.outcome;
    expect(code, stderr).toBe(130);
    expect(existsSync(join(folder, "broken", "results.json"))).toBe(false);
    const { result } = await searched([...long, "--out", "broken", "--keep-models"]);
    expect(result.points.map(({ metrics }) => metrics)).toEqual(
      whole.result.points.map(({ metrics }) => metrics),
    );
    for (const { key } of result.points) {
      const weights = (out: string) =>
        readFileSync(join(folder, out, "points", key, "model", "model.safetensors"));
      expect(weights("broken").equals(weights("whole"))).toBe(true);
    }
  });

  it.each([
    [["--grid", "dropot=.5"], /dropot: .*no such option.*"dropout"/],
    [["--grid", "dropout=.5,7", "batchSize=10,20"], /dropout: 7 is not valid/],
    [["--grid", "dropout=.5", "--metric", "coverage@10"], /not a mean over users/],
    [["--grid", "dropout=.5", "--metric", "novelty@10"], /novelty@10 describes the lists/],
    [["--grid", "dropout=.5", "--choose-on", "test", "--write-recipe", "x.json"], /not on test users/],
    [["--grid", "dropout=0..0.5"], /--random/],
    [[], /--grid/],
  ])("refuses %j in one line, and leaves no folder", async (args, message) => {
    const { code, stderr } = await foldin([...search, ...args, "--out", "bad"], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr.trim().split("\n").at(-1)).toMatch(message);
    expect(existsSync(join(folder, "bad"))).toBe(false);
  });

  it("refuses the folder of another model's search", async () => {
    const other = ["search", "dataset", "--model", "mult-vae", "--grid", "dropout=0.5", "--out", "first"];
    const { code, stderr } = await foldin(other, { cwd: folder });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/contains a search of mult-dae/)]);
  });
});
