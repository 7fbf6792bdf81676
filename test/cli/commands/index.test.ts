import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { train } from "../../../src/experiments/train.js";
import { demoDataset } from "../../support/demo-dataset.js";
import { foldin } from "../../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-"));
const [run, other, linear] = ["run", "other", "linear"].map((name) => join(folder, name));

beforeAll(async () => {
  const options = { factors: 4, epochs: 1 };
  (await train(demoDataset(), { model: "wmf", options, engine: "reference", out: run })).dispose();
  (await train(demoDataset(), { model: "elsa", options, engine: "reference", out: linear })).dispose();
  (await train(demoDataset(), { model: "popularity", engine: "reference", out: other })).dispose();
});

describe("foldin index", () => {
  const recommended = async (...more: string[]) => recommendedBy(run, ...more);
  const recommendedBy = async (run: string, ...more: string[]) => {
    const { code, stdout, stderr } = await foldin(["recommend", run, "--history", "1,2", "--json", ...more]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    return JSON.parse(stdout).recommendations;
  };

  it("leaves exact answers as they are, and allows approximate ones", async () => {
    const refused = await foldin(["recommend", run, "--history", "1", "--approximate"]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/the model has none\. Build it with: foldin index/);
    const before = await recommended();
    const { code, stdout } = await foldin(["index", run, "--json"]);
    expect(code).toBe(0);
    // The demo has fewer items than a block.
    expect(JSON.parse(stdout)).toMatchObject({ blocks: 1, chosen: 1, recall: 1, measured: [{ blocks: 1 }] });
    expect(await recommended()).toEqual(before);
    expect(await recommended("--approximate")).toEqual(before);
    expect(await recommended("--approximate", "1")).toEqual(before);
    const shown = await foldin(["index", run]);
    expect(shown.stdout).toMatch(/items in 1 block/);
    expect(shown.stdout).toMatch(/all\s+1\.0000\s+\d+\.\d\d\s+exact, the default/);
  });

  it("takes linear models with item vectors", async () => {
    const before = await recommendedBy(linear);
    expect((await foldin(["index", linear])).code).toBe(0);
    expect(await recommendedBy(linear)).toEqual(before);
    expect(await recommendedBy(linear, "--approximate")).toEqual(before);
  });

  it("refuses a model without item vectors, and a share that is none", async () => {
    const without = await foldin(["index", other]);
    expect(without.code).not.toBe(0);
    expect(without.stderr).toContain("popularity models cannot have an index");
    const share = await foldin(["index", run, "--recall", "2"]);
    expect(share.stderr).toContain("Expected a share above 0 and at most 1.");
  });
});
