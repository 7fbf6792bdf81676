import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { baselines } from "../../src/experiments/baselines/plan.js";
import { gridOf, optionsAt, parseSpace } from "../../src/experiments/search/space.js";
import { parseOptions } from "../../src/models/options.js";
import { algorithmNames, findAlgorithm } from "../../src/models/registry.js";
import { foldin } from "../support/foldin.js";

describe("the plan of the baselines", () => {
  it("has every model once", () => {
    const planned = baselines.map(({ model }) => model);
    expect(new Set(planned).size).toBe(planned.length);
    // The blend is made of the others.
    expect([...planned, "blend"].sort()).toEqual([...algorithmNames].sort());
  });

  it("has options that fit at every point", async () => {
    for (const { model, options = {}, grid = [] } of baselines) {
      const algorithm = await findAlgorithm(model);
      const settings = gridOf(parseSpace(algorithm, grid));
      expect(settings.length).toBeLessThanOrEqual(12);
      for (const setting of settings) parseOptions(algorithm, optionsAt(options, setting));
    }
  });
});

describe("foldin reproduce baselines", () => {
  const folder = mkdtempSync(join(tmpdir(), "foldin-baselines-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  beforeAll(async () => {
    const lines = ["user,item"];
    for (let user = 0; user < 300; user++)
      for (let i = 0; i < 12; i++) lines.push(`${user},${(user * 13 + i * i * 7) % 80}`);
    writeFileSync(join(folder, "clicks.csv"), `${lines.join("\n")}\n`);
    const { code, stderr } = await foldin(
      ["prepare", "clicks.csv", "--out", "dataset", "--validation-users", "40", "--test-users", "40"],
      { cwd: folder },
    );
    expect(code, stderr).toBe(0);
  });

  const call = [
    "reproduce",
    "baselines",
    "--data",
    "dataset",
    "--epochs",
    "1",
    "--out",
    "out",
    "--jobs",
    "2",
  ];

  it("trains the requested models, and writes one table and one page", async () => {
    const { code, stdout, stderr } = await foldin([...call, "--models", "popularity,mult-dae", "--json"], {
      cwd: folder,
    });
    expect(code, stderr).toBe(0);
    const { rows, comparison, shortenedTo } = JSON.parse(stdout);
    expect(rows.map(({ model, how }: { model: string; how: string }) => [model, how])).toEqual([
      ["popularity", "defaults"],
      ["mult-dae", "defaults"],
    ]);
    expect(comparison).toMatchObject({ users: 40, on: "test" });
    expect(comparison.systems.map(({ name }: { name: string }) => name).sort()).toEqual([
      "mult-dae",
      "popularity",
    ]);
    expect(shortenedTo).toBe(1);
    const page = readFileSync(join(folder, "out", "report.html"), "utf8");
    for (const text of ["popularity", "mult-dae", "Shortened run (--epochs 1)"]) expect(page).toContain(text);
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    expect(existsSync(join(folder, "out", "results.csv"))).toBe(true);
  });

  it("trains nothing again, and takes the best of a small search", async () => {
    const { code, stdout, stderr } = await foldin([...call, "--models", "popularity", "mult-dae", "wmf"], {
      cwd: folder,
    });
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^3 models on dataset|^4 models on dataset/m);
    expect(stdout).toMatch(/wmf .*best of 6 points: factors=\d+ unobservedWeight=/);
    expect(stdout).toMatch(/limited to 1 epoch /);
  });

  it.each([
    [["--models", "popularty"], /"popularty" is not one of the baselines. Did you mean "popularity"/],
    [["--models", "popularity"], /only 1 of 1 models could be trained, which is too few to compare/],
    [["--data", "missing"], /missing.*there is no such file/],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await foldin([...call, ...args], { cwd: folder });
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it("rejects its flags for other presets", async () => {
    const { code, stderr } = await foldin(["reproduce", "keras-notebook-v2", "--data", ".", "--jobs", "2"], {
      cwd: folder,
    });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/--jobs: can be used only with baselines/)]);
  });
});
