import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadDataset } from "../../src/data/dataset.js";
import { prepareDataset } from "../../src/data/prepare.js";
import { compare } from "../../src/experiments/compare/compare.js";
import { readPerUser, writePerUser } from "../../src/experiments/compare/per-user.js";
import { writeComparisonCsv, writeComparisonPage } from "../../src/experiments/compare/report.js";
import { train } from "../../src/experiments/train.js";

let folder: string;
const at = (...path: string[]) => join(folder, ...path);

async function prepared(name: string, seed: number): Promise<void> {
  function* views() {
    for (let user = 0; user < 300; user++)
      for (let i = 0; i < 12; i++) yield { user: `u${user}`, item: `i${(user * 13 + i * i * 7) % 80}` };
  }
  await prepareDataset({
    input: views(),
    out: at(name),
    options: { protocol: "strong", validationUsers: 30, testUsers: 60, seed },
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-compare-"));
  await prepared("data", 1);
  await prepared("other", 2);
  const options = { hidden: [8], latent: 4, batchSize: 50, epochs: 2 };
  const runs = [
    ["data", "popularity", {}, "popular"],
    ["data", "mult-dae", options, "dae"],
    ["data", "mult-vae", options, "vae"],
    ["other", "popularity", {}, "elsewhere"],
  ] as const;
  for (const [data, model, given, out] of runs)
    (
      await train(await loadDataset(at(data)), {
        model,
        options: given,
        engine: "reference",
        out: at(out),
        datasetPath: at(data),
      })
    ).dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A metric as a table of users' values, with this much added to each. */
async function table(name: string, values: readonly number[]): Promise<string> {
  const users = values.map((_, u) => `u"${u}",${name.length}`);
  await writePerUser(at(name), { users, values: { "ndcg@10": Float64Array.from(values) } });
  return at(name);
}

describe("compare", () => {
  it("ranks runs on the same users, and tests every pair", async () => {
    const comparison = await compare([at("popular"), at("dae"), at("vae")], { engine: "reference" });
    const means = comparison.systems.map(({ metrics }) => metrics["ndcg@100"].mean);
    expect(means).toEqual([...means].sort((a, b) => b - a));
    expect(comparison).toMatchObject({ users: 60, on: "test", against: "all" });
    expect(comparison.pairs).toHaveLength(3 * 3);
    const meanOf = (name: string, metric: string) =>
      comparison.systems.find((system) => system.name === name)?.metrics[metric].mean ?? Number.NaN;
    for (const { a, b, metric, difference, randomisation, randomisationHolm, t, tHolm } of comparison.pairs) {
      expect(difference).toBeCloseTo(meanOf(a, metric) - meanOf(b, metric), 12);
      expect(randomisationHolm).toBeGreaterThanOrEqual(randomisation);
      expect(tHolm).toBeGreaterThanOrEqual(t);
      expect(Math.abs(randomisation - t)).toBeLessThan(0.1);
    }
  });

  it("tests only comparisons with the best or the first, and corrects for these", async () => {
    const paths = [at("popular"), at("dae"), at("vae")];
    const [all, best, first] = await Promise.all(
      (["all", "best", "first"] as const).map((against) =>
        compare(paths, { against, metrics: ["ndcg@100"], engine: "reference" }),
      ),
    );
    expect(best.pairs).toHaveLength(2);
    expect(first.pairs.every(({ a }) => a === "popular")).toBe(true);
    expect(best.pairs.every(({ a }) => a === best.systems[0].name)).toBe(true);
    for (const pair of best.pairs) {
      const same = all.pairs.find(({ a, b }) => a === pair.a && b === pair.b);
      expect(same?.randomisation).toBe(pair.randomisation);
      expect(same?.randomisationHolm).toBeGreaterThanOrEqual(pair.randomisationHolm);
    }
  });

  it("accepts tables of per-user values, including its own, in any order of users", async () => {
    const dae = await compare([at("dae"), at("popular")], { metrics: ["ndcg@100"], engine: "reference" });
    const dataset = await loadDataset(at("data"));
    const { evaluate } = await import("../../src/evaluation/evaluate.js");
    const { loadRecommender } = await import("../../src/serving/load.js");
    const recommender = await loadRecommender(at("dae"), { engine: "reference" });
    const { rows, perUser } = await evaluate(recommender, dataset, { metrics: ["ndcg@100"] });
    recommender.dispose();
    const order = [...rows.keys()].reverse();
    await writePerUser(at("values.csv"), {
      users: order.map((r) => dataset.test.users.ids[rows[r]]),
      values: { "ndcg@100": Float64Array.from(order, (r) => perUser["ndcg@100"][r]) },
    });
    const other = await compare([at("values.csv"), at("popular")], {
      metrics: ["ndcg@100"],
      engine: "reference",
    });
    const nameless = ({ pairs }: typeof dae) => pairs.map(({ a: _, b: __, ...numbers }) => numbers);
    expect(nameless(other)).toEqual(nameless(dae));
  });

  it("tests metrics of the lists that have a value per user", async () => {
    const metrics = ["novelty@10", "diversity@10", "long-tail@10"];
    const { pairs, systems } = await compare([at("popular"), at("dae")], { metrics, engine: "reference" });
    expect(pairs.map(({ metric }) => metric)).toEqual(metrics);
    // The most popular items are the least novel ones.
    expect(systems.map(({ name }) => name)).toEqual(["dae", "popular"]);
  });

  it("puts the lower value first if a lower one is better", async () => {
    for (const [name, value] of [
      ["far", 3],
      ["near", 1],
    ])
      await writePerUser(at(`${name}.csv`), {
        users: ["a", "b"],
        values: { "calibration@10": Float64Array.of(Number(value), Number(value) + 1) },
      });
    const tables = [at("far.csv"), at("near.csv")];
    const { systems, pairs } = await compare(tables, { metrics: ["calibration@10"], against: "best" });
    expect(systems.map(({ name }) => name)).toEqual(["near", "far"]);
    expect(pairs.map(({ a, difference }) => [a, difference])).toEqual([["near", -2]]);
  });

  it("writes per-user values that it can read, including unusual ids", async () => {
    const path = await table("odd.csv", [0.25, 1, 1 / 3]);
    const { users, values } = await readPerUser(path);
    expect(users).toEqual(['u"0",7', 'u"1",7', 'u"2",7']);
    expect([...values["ndcg@10"]]).toEqual([0.25, 1, 1 / 3]);
  });

  it("gives the worked example: eight users of whom each prefers the first by a little", async () => {
    const a = await table("same.csv", [0.5, 0.6, 0.7, 0.8, 0.9, 0.4, 0.3, 0.2]);
    const b = await table("less.csv", [0.4, 0.5, 0.6, 0.7, 0.8, 0.3, 0.2, 0.1]);
    // The users' names hold the length of the file's name, which is the same.
    const { pairs, systems } = await compare([b, a], { metrics: ["ndcg@10"] });
    expect(systems.map(({ name }) => name)).toEqual(["same", "less"]);
    expect(pairs).toHaveLength(1);
    expect(pairs[0].difference).toBeCloseTo(0.1, 12);
    // Two of 256 assignments of signs are as extreme.
    expect(pairs[0].randomisation).toBe(2 / 256);
  });

  it("writes a page and a table", async () => {
    const comparison = await compare([at("popular"), at("dae")], { engine: "reference" });
    comparison.systems[0].name = "<b>&";
    await writeComparisonPage(at("page.html"), comparison);
    await writeComparisonCsv(at("pairs.csv"), comparison);
    const page = await readFile(at("page.html"), "utf8");
    expect(page).toContain("&lt;b&gt;&amp;");
    expect(page).not.toContain("<b>&");
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    const lines = (await readFile(at("pairs.csv"), "utf8")).trimEnd().split("\n");
    expect(lines).toHaveLength(1 + comparison.pairs.length);
    expect(lines[0]).toMatch(/^metric,a,b,/);
  });

  it.each([
    [["popular"], /only one run is given/],
    [["popular", "popular"], /given twice/],
    [["popular", "elsewhere"], /elsewhere: was trained on different data/],
    [["popular", "missing"], /missing: is not a run folder/],
    [["popular", "missing.csv"], /no such file/],
  ])("refuses %j", async (names, message) => {
    await expect(
      compare(
        names.map((name) => at(name)),
        { engine: "reference" },
      ),
    ).rejects.toThrow(message);
  });

  it("rejects tables of other users, tables without the metric, and damaged tables", async () => {
    const a = await table("a-table.csv", [0.1, 0.2, 0.3]);
    const b = await table("b-table.csv", [0.1, 0.2, 0.3, 0.4]);
    const options = { metrics: ["ndcg@10"] };
    await expect(compare([a, b], options)).rejects.toThrow(/b-table.csv: has 4 users, the others have 3/);
    await expect(compare([a, b], { metrics: ["recall@5"] })).rejects.toThrow(/no column recall@5/);
    for (const metric of ["coverage@5", "gini@5"])
      await expect(compare([a, b], { metrics: [metric] })).rejects.toThrow(/no value per user/);
    const damaged = async (text: string) => {
      await writeFile(at("damaged.csv"), text);
      return compare([a, at("damaged.csv")], options);
    };
    await expect(damaged("id,ndcg@10\n1,2\n")).rejects.toThrow(/damaged.csv:1: starts with "id,ndcg@10"/);
    await expect(damaged("user,ndcg@10\n1,x\n")).rejects.toThrow(/damaged.csv:2: ndcg@10 is "x"/);
    await expect(damaged("user,ndcg@10\n1,.5\n1,.6\n")).rejects.toThrow(
      /damaged.csv:3: user 1 .* second time/,
    );
    await expect(damaged("user,ndcg@10\n1,.5,3\n")).rejects.toThrow(/damaged.csv:2: has 3 cells/);
  });
});
