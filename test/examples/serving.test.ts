import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { train } from "../../src/experiments/train.js";
import { demoDataset } from "../support/demo-dataset.js";
import { serving } from "../support/foldin.js";

const root = resolve(import.meta.dirname, "../..");
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldin-examples-"));
  const options = { hidden: [32], latent: 16, epochs: 5, batchSize: 50 };
  const out = join(folder, "run");
  (await train(demoDataset(), { model: "mult-vae", options, out, engine: "reference" })).dispose();
});
afterAll(() => rm(folder, { recursive: true }));

describe("the examples of serving", () => {
  it("recommend in a program", () => {
    const program = join(root, "examples/recommend-in-process.mjs");
    const { stdout, stderr } = spawnSync(process.execPath, [program, join(folder, "run")], {
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(stdout).toMatch(
      /^(\d\. .+ \(\d{4}\), because of .+\n){3}Best of the page: .+\nLike .+: .+, .+, .+\n$/,
    );
  });

  it("ask a server", async () => {
    const server = await serving(join(folder, "run"), join(folder, "histories.sqlite"));
    const program = join(root, "examples/ask-a-server.mjs");
    const { stdout, stderr } = spawnSync(process.execPath, [program, server.address], { encoding: "utf8" });
    server.process.kill("SIGTERM");
    expect((await server.outcome).code).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toMatch(
      /^Ann watches .+\n(\d\. .+, because of .+\n){5}run says to somebody else: .+\nAnn is forgotten: \d items\n$/,
    );
  });
});
