import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldin } from "../support/foldin.js";

let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "foldin-"));
  const sizes = ["--items", "3000", "--users", "300", "--interactions", "5000"];
  expect((await foldin(["prepare", "demo", ...sizes, "--out", "data"], { cwd: root })).code).toBe(0);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("--memory", () => {
  const train = (...args: string[]) => foldin(["train", "data", ...args, "--out", "run"], { cwd: root });

  it("refuses a run that needs more, with both numbers and the alternatives", async () => {
    const { code, stderr } = await train("--model", "mult-vae", "--set", "hidden=20000", "--memory", "1GiB");
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /mult-vae: training on 1,\d{3} items needs \d\.\d GiB of memory, but only \d+ MiB are available\. Leave out rare items \(foldin prepare --min-item\), or use smaller layers .*negatives=4096.*a model for large catalogues \(item-knn, sansa, elsa, wmf\), or a machine with more memory/,
    );
  });

  it("does not stop a run that fits", async () => {
    expect((await train("--model", "popularity", "--memory", "1GiB")).code).toBe(0);
  });

  it("must be an amount", async () => {
    const { code, stderr } = await train("--memory", "lots");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^--memory: "lots" is not an amount of memory/),
    ]);
  });
});
