import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { foldin } from "../../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-"));
const run = (...args: string[]) => foldin([...args, "--engine", "reference"], { cwd: folder });

async function complaint(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run("blend", ...args);
  expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: "" });
  return stderr.trimEnd();
}

describe("foldin blend", () => {
  beforeAll(async () => {
    const lines = ["user,item"];
    for (let user = 0; user < 200; user++)
      for (let i = 0; i < 8; i++) lines.push(`u${user},i${(user * 7 + i * i + (user % 3) * i) % 40}`);
    writeFileSync(join(folder, "clicks.csv"), `${lines.join("\n")}\n`);
    const prepared = await foldin(
      ["prepare", "clicks.csv", "--out", "data", "--validation-users", "30", "--test-users", "30"],
      { cwd: folder },
    );
    expect(prepared.code, prepared.stderr).toBe(0);
    for (const model of ["popularity", "item-knn"])
      expect((await run("train", "data", "--model", model, "--out", model)).code).toBe(0);
  });

  it("makes a run that can be evaluated and recommends like any other", async () => {
    const { code, stdout, stderr } = await run("blend", "popularity", "item-knn", "--out", "blend", "--json");
    expect(code, stderr).toBe(0);
    const { parts, metrics, algorithm } = JSON.parse(stdout);
    expect(algorithm).toBe("blend");
    expect(parts.reduce((sum: number, { weight }: { weight: number }) => sum + weight, 0)).toBeCloseTo(1, 9);
    expect(stderr).toMatch(
      /validation ndcg@100 0\.\d{4}, the best of 11 weight combinations; popularity alone 0\.\d{4}/,
    );
    const evaluated = await run("evaluate", "blend", "--metrics", "ndcg@100", "--json");
    expect(JSON.parse(evaluated.stdout).metrics["ndcg@100"].mean).toBeCloseTo(
      metrics["ndcg@100"].test.mean,
      9,
    );
    const recommended = await run("recommend", "blend", "--history", "i3,i4", "-k", "5", "--json");
    expect(JSON.parse(recommended.stdout).recommendations).toHaveLength(5);
    expect(readFileSync(join(folder, "blend", "report.html"), "utf8")).toContain("blend on data");
  });

  it("refuses invalid input and keeps existing output", async () => {
    expect(await complaint("popularity", "--out", "x")).toMatch(/only one run is given/);
    expect(await complaint("popularity", "nowhere", "--out", "x")).toMatch(/^nowhere: is not a run folder/);
    expect(await complaint("popularity", "item-knn", "--out", "item-knn", "--force")).toMatch(
      /--out: item-knn is one of the runs to blend/,
    );
    const again = ["popularity", "item-knn", "--out", "blend", "--force"];
    expect(await complaint(...again, "--weights", "1,2,3")).toMatch(/weights: 3 weights for 2 runs/);
    expect(await complaint(...again, "--weights", "1,two")).toMatch(
      /--weights.*'1,two'.*numbers, at least 0/,
    );
    expect(await complaint(...again, "--metric", "coverage@10")).toMatch(/no value per user/);
    for (const name of ["item-knn", "blend"]) expect(existsSync(join(folder, name, "model"))).toBe(true);
    expect(existsSync(join(folder, "x"))).toBe(false);
  });
});
