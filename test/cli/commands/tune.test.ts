import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldin, start } from "../../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-tune-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = (...args: string[]) => foldin(args, { cwd: folder });
const read = (...path: string[]) => JSON.parse(readFileSync(join(folder, ...path), "utf8"));

/** The trials without what depends on the machine. */
function trialsOf(out: string) {
  return read(out, "trials.json").trials.map(({ seconds: _, ...trial }: { seconds: number }) => trial);
}

const small = ["--models", "popularity,ease,mult-dae,item-knn", "--trials", "11", "--threads", "1"];

beforeAll(async () => {
  const lines = ["user,item"];
  for (let user = 0; user < 300; user++)
    for (let i = 0; i < 12; i++) lines.push(`${user},${(user * 13 + i * i * 7) % 80}`);
  writeFileSync(join(folder, "clicks.csv"), `${lines.join("\n")}\n`);
  const { code, stderr } = await run(
    ...["prepare", "clicks.csv", "--out", "data", "--name", "tiny"],
    ...["--validation-users", "30", "--test-users", "30"],
  );
  expect(code, stderr).toBe(0);
});

describe("foldin tune", () => {
  it("finds a model, a blend and a recipe, and trains the best options again", async () => {
    const { code, stdout, stderr } = await run(
      "tune",
      "data",
      ...small,
      "--out",
      "tuned",
      "--jobs",
      "1",
      "--json",
    );
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toEqual(read("tuned", "results.json"));
    expect(result.trials).toBe(11);
    expect(result.models.map(({ model }: { model: string }) => model).sort()).toEqual(
      ["popularity", "ease", "mult-dae", "item-knn"].sort(),
    );
    const values = result.models.map(({ validation }: { validation: { mean: number } }) => validation.mean);
    expect(values).toEqual([...values].sort((a, b) => b - a));
    // Everything that is compared was evaluated on the same test users.
    expect(result.comparison.users).toBe(30);
    expect(result.comparison.systems.length).toBeGreaterThanOrEqual(4);
    expect(result.refitted.test["ndcg@100"].mean).toBeGreaterThan(0);
    expect(result.refittedBlend === undefined).toBe(result.blend === undefined);
    if (result.blend) expect(result.refittedBlend.run).toBe(join("tuned", "best-blend", "blend"));
    expect(result.leftOut.find(({ model }: { model: string }) => model === "wmf").reason).toMatch(
      /not asked for/,
    );
    for (const file of ["report.html", "recipe.json", "best/model/config.json"])
      expect(existsSync(join(folder, "tuned", file)), file).toBe(true);
    // One model of each algorithm is kept.
    const kept = readdirSync(join(folder, "tuned", "trials")).filter((key) =>
      existsSync(join(folder, "tuned", "trials", key, "model")),
    );
    expect(kept.length).toBeLessThanOrEqual(4);
  });

  it("blends the best model with each of the others, and keeps the best blend alone", () => {
    const { blend, models } = read("tuned", "results.json");
    const best = models[0].validation.mean;
    const good = models.filter(({ run, validation }: { run?: string; validation: { mean: number } }) => {
      return run !== undefined && validation.mean >= 0.9 * best;
    });
    const folders = readdirSync(join(folder, "tuned", "blends"));
    expect(folders.filter((name) => name.split("+").length === 2)).toHaveLength(good.length - 1);
    const values = folders.map(
      (name) => read("tuned", "blends", name, "result.json").validation.metrics["ndcg@100"].mean,
    );
    const withModel = folders.filter((name) => existsSync(join(folder, "tuned", "blends", name, "model")));
    if (!blend) {
      expect(withModel).toEqual([]);
      expect(Math.max(0, ...values)).toBeLessThanOrEqual(best);
    } else {
      expect(withModel.map((name) => join("tuned", "blends", name))).toEqual([blend.run]);
      expect(Math.max(...values)).toBe(blend.validation.mean);
    }
  });

  it("gives a recipe that trains the same model", async () => {
    const { best, models } = read("tuned", "results.json");
    const recipe = read("tuned", "recipe.json");
    const trained = await run(
      ...[
        "train",
        "data",
        "--model",
        recipe.model,
        "--recipe",
        "tuned/recipe.json",
        "--out",
        "again",
        "--json",
      ],
      ...["--threads", "1"],
    );
    expect(trained.code, trained.stderr).toBe(0);
    const value = JSON.parse(trained.stdout).metrics["ndcg@100"].validation.mean;
    const found = models.find(({ run }: { run?: string }) => run === best);
    expect(value).toBeCloseTo(found.validation.mean, 10);
  });

  it("tries the same with any number of jobs, and after an interruption", async () => {
    const parallel = await run("tune", "data", ...small, "--out", "parallel", "--jobs", "3");
    expect(parallel.code, parallel.stderr).toBe(0);
    expect(trialsOf("parallel")).toEqual(trialsOf("tuned"));

    const interrupted = start(["tune", "data", ...small, "--out", "resumed", "--jobs", "1"], { cwd: folder });
    let said = "";
    let isStopped = false;
    interrupted.process.stderr?.on("data", (text: string) => {
      said += text;
      // A second signal would end it at once.
      if (!isStopped && /^6: /m.test(said)) isStopped = interrupted.process.kill("SIGINT");
    });
    const stopped = await interrupted.outcome;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/to resume: the same command again/);
    // What was found so far can be used.
    expect(read("resumed", "results.json").best).toMatch(/trials/);
    const resumed = await run("tune", "data", ...small, "--out", "resumed", "--jobs", "1");
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(trialsOf("resumed")).toEqual(trialsOf("tuned"));
  });

  it("continues with a larger budget, also if another choice is better then", async () => {
    const first = ["tune", "data", "--models", "popularity,item-knn,ease", "--out", "grown", "--jobs", "1"];
    const small = await run(...first, "--trials", "2", "--json");
    expect(small.code, small.stderr).toBe(0);
    const large = await run(...first, "--trials", "8", "--json");
    expect(large.code, large.stderr).toBe(0);
    const [before, after] = [small, large].map(({ stdout }) => JSON.parse(stdout));
    expect(after.trials).toBe(8);
    expect(after.best).not.toBe(before.best);
    // What was refitted is the new choice.
    expect(read("grown", "best", "config.json").model).toBe(after.models[0].model);
  });

  it("keeps to a time budget, with a model early", async () => {
    const { code, stdout, stderr } = await run(
      ...[
        "tune",
        "data",
        "--models",
        "popularity,ease,rec-vae",
        "--budget",
        "12s",
        "--out",
        "timed",
        "--json",
      ],
    );
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout);
    expect(result.command).toContain("--budget 12s");
    expect(result.firstModelSeconds).toBeLessThan(result.seconds);
    expect(result.trials).toBeGreaterThan(3);
  });

  it.each([
    [["data"], /--budget <time>.*required/],
    [["data", "--budget", "soon"], /such as 30m/],
    [["data", "--trials", "3", "--models", "eese"], /"eese" is unknown.*ease/s],
    [["data", "--trials", "3", "--models", "content-knn", "--out", "x"], /needs the content/],
    [["nowhere", "--trials", "3"], /nowhere/],
    [["data", "--trials", "3", "--metric", "ndgc@10"], /ndgc@10/],
    [["data", "--trials", "3", "--seed", "5", "--out", "tuned"], /was tuned with seed 98765, not 5/],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await run("tune", ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});
