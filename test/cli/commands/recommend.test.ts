import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { train } from "../../../src/experiments/train.js";
import { demoDataset } from "../../support/demo-dataset.js";
import { foldin, forbidding } from "../../support/foldin.js";

const dataset = demoDataset();
const run = join(mkdtempSync(join(tmpdir(), "foldin-")), "run");

beforeAll(async () => {
  (await train(dataset, { model: "popularity", engine: "reference", out: run })).dispose();
});

describe("foldin recommend", () => {
  it("prints one JSON object and nothing else with --json", async () => {
    const title = dataset.items.titleOf(3);
    const { code, stdout } = await foldin([
      "recommend",
      run,
      "--history",
      title,
      "--history",
      "1,2",
      "-k",
      "3",
      "--json",
    ]);
    const answer = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(answer.algorithm).toBe("popularity");
    expect(answer.history.map(({ id }: { id: string }) => id)).toEqual(["4", "1", "2"]);
    expect(answer.recommendations).toHaveLength(3);
    expect(Object.keys(answer.recommendations[0])).toEqual(["rank", "id", "title", "score"]);
    for (const { id } of answer.recommendations) expect(["4", "1", "2"]).not.toContain(id);
  });

  it("re-ranks by rules", async () => {
    const found = async (...rules: string[]) => {
      const args = ["recommend", run, "--history", "", "-k", "5", "--json", ...rules];
      return JSON.parse((await foldin(args)).stdout).recommendations.map(({ id }: { id: string }) => id);
    };
    const counts = dataset.items.ids.map((_, item) => dataset.train.indices.filter((i) => i === item).length);
    const rare = [...counts.keys()].sort((a, b) => counts[a] - counts[b] || a - b).slice(0, 5);
    expect(await found("--novelty", "1")).toEqual(rare.map((item) => dataset.items.ids[item]));
    expect(await found("--novelty", "0", "--diversity", "0")).toEqual(await found());
    const { stdout } = await foldin(["recommend", run, "--history", "", "--novelty", "0.5"]);
    expect(stdout).toContain("re-ranked by rules: novelty 0.5");
  });

  it.each([
    ["--diversity", "1.5"],
    ["--novelty", "much"],
    ["--diversity", ""],
  ])("refuses %s '%s'", async (option, value) => {
    const { code, stderr } = await foldin(["recommend", run, "--history", "1", option, value]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${option} <weight>`);
    expect(stderr).toContain("Expected a weight from 0 to 1.");
  });

  it("prints titles on stdout", async () => {
    const { code, stdout } = await foldin(["recommend", run, "--history", "1", "-k", "100"]);
    expect(code).toBe(0);
    for (const title of dataset.items.titles ?? []) expect(stdout).toContain(title);
  });

  it.each([[[""]], [["", " "]], [["@/dev/null"]]])(
    "recommends for an empty history: --history %j",
    async (entries) => {
      const histories = entries.flatMap((entry) => ["--history", entry]);
      const { code, stdout } = await foldin(["recommend", run, ...histories, "-k", "3"]);
      expect(code).toBe(0);
      const lines = stdout.trimEnd().split("\n");
      expect(lines[0]).toBe("history: empty");
      // A line of headings, then the three most popular.
      expect(lines).toHaveLength(5);
      const json = await foldin(["recommend", run, ...histories, "-k", "3", "--json"]);
      const { history, recommendations } = JSON.parse(json.stdout);
      expect(history).toEqual([]);
      expect(recommendations).toHaveLength(3);
    },
  );

  it("does not recommend excluded items, by id or by title", async () => {
    const all = ["recommend", run, "--history", "", "-k", "100", "--json"];
    const ids = async (args: string[]) =>
      JSON.parse((await foldin([...all, ...args])).stdout).recommendations.map(
        ({ id }: { id: string }) => id,
      );
    const left = await ids(["--exclude", dataset.items.titleOf(3), "--exclude", "1,2"]);
    expect(left).toEqual((await ids([])).filter((id: string) => !["1", "2", "4"].includes(id)));
  });

  it.each([
    [
      ["--history", "100000"],
      /^--history: no item of this model has the id or title '100000' \(expected ids like /,
    ],
    [
      ["--history", dataset.items.titleOf(0).replace("(", "(x")],
      new RegExp(`Did you mean '${dataset.items.titleOf(0).replace(/[()]/g, "\\$&")}'`),
    ],
    [[], /^--history: is required/],
    [["--history", "1", "-k", "many"], /^option '-k, --k <n>' argument 'many' is invalid/],
    [
      ["--history", "1", "--includ-history"],
      /unknown option '--includ-history' \(did you mean --include-history\?\)/,
    ],
  ])("refuses %j with one clear line and exit code 2", async (args, message) => {
    const { code, stdout, stderr } = await foldin(["recommend", run, ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(
      stderr
        .trimEnd()
        .split("\n")
        .filter((line) => !line.startsWith("the native engine")),
    ).toEqual([expect.stringMatching(message)]);
  });

  it("refuses a folder that is not a run, naming it", async () => {
    const { code, stderr } = await foldin(["recommend", join(run, "nowhere"), "--history", "1"]);
    expect(code).toBe(2);
    expect(stderr).toContain("nowhere");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("loads neither DuckDB nor Vega nor training code", async () => {
    expect(
      await foldin(["recommend", run, "--history", "1"], forbidding("duckdb|vega|/training/")),
    ).toMatchObject({
      code: 0,
    });
    // The net does catch.
    expect(
      (await foldin(["recommend", run, "--history", "1"], forbidding("/serving/load"))).stderr,
    ).toContain("a forbidden module");
  });
});
