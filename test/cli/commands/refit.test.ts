import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { foldin } from "../../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-"));
const run = (...args: string[]) => foldin([...args, "--engine", "reference"], { cwd: folder });

async function succeed(...args: string[]) {
  const { code, stdout, stderr } = await run(...args);
  expect(code, stderr).toBe(0);
  return { stdout, stderr };
}

describe("foldin refit", () => {
  beforeAll(async () => {
    const lines = ["user,item"];
    for (let user = 0; user < 200; user++)
      for (let i = 0; i < 8; i++) lines.push(`u${user},i${(user * 7 + i * i + (user % 3) * i) % 40}`);
    writeFileSync(join(folder, "clicks.csv"), `${lines.join("\n")}\n`);
    const users = ["--validation-users", "30", "--test-users", "30"];
    const prepared = await foldin(["prepare", "clicks.csv", "--out", "data", ...users], { cwd: folder });
    expect(prepared.code, prepared.stderr).toBe(0);
    for (const model of ["popularity", "item-knn"])
      await succeed("train", "data", "--model", model, "--out", model);
    await succeed("blend", "popularity", "item-knn", "--weights", "1,2", "--out", "blend");
  });

  it("trains a blend again, and evaluates it on the test users only", async () => {
    const { stdout, stderr } = await succeed("refit", "blend", "--out", "final", "--json");
    const { users, metrics, algorithm, run: final } = JSON.parse(stdout);
    expect({ users, algorithm, final }).toEqual({
      ...{ users: 170, algorithm: "blend", final: join("final", "blend") },
    });
    expect(metrics["ndcg@100"].validation).toBeUndefined();
    expect(stderr).toContain("part 2 of 2: item-knn");
    const evaluated = await succeed("evaluate", final, "--metrics", "ndcg@100", "--json");
    expect(JSON.parse(evaluated.stdout).metrics["ndcg@100"].mean).toBe(metrics["ndcg@100"].test.mean);
    const compared = JSON.parse((await succeed("compare", final, "blend", "--json")).stdout);
    expect(compared.users).toBe(30);
    const seen = await run("evaluate", final, "--on", "validation");
    expect(seen.stderr).toMatch(/was trained on the validation users \(foldin refit\)/);
  });

  it("leaves nobody to evaluate with --with-test", async () => {
    const { stdout } = await succeed("refit", "popularity", "--with-test", "--out", "production");
    expect(stdout).toContain("not evaluated: no user is held out");
    const recommended = await succeed("recommend", "production", "--history", "i3,i4", "-k", "5", "--json");
    expect(JSON.parse(recommended.stdout).recommendations).toHaveLength(5);
    for (const command of [
      ["evaluate", "production"],
      ["evaluate", "production", "--dataset", "data"],
      ["compare", "production", "popularity"],
    ]) {
      const refused = await run(...command);
      expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 2, stdout: "" });
      expect(refused.stderr).toMatch(/^production: was trained on the test users \(foldin refit\)/);
    }
  });

  it.each([
    [["nowhere", "--out", "x"], /^nowhere: is not a run folder/],
    [["popularity"], /--out <run>/],
    [["popularity", "--out", "popularity"], /^--out: popularity is the run to train again/],
    [["popularity", "--out", "item-knn"], /^model: is "?item-knn"? in the run to resume/],
    [["popularity", "--dataset", "nothing", "--out", "x"], /^nothing/],
    [["popularity", "--out", "clicks.csv"], /clicks\.csv/],
  ])("refuses %j", async (args, message) => {
    const { code, stdout, stderr } = await run("refit", ...args);
    expect({ code, stdout }, stderr).toEqual({ code: 2, stdout: "" });
    expect(stderr.trim()).toMatch(message);
    expect(existsSync(join(folder, "x"))).toBe(false);
  });
});
