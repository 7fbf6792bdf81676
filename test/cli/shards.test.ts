// Commands with --shard, started several times at once, as batch systems do.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { clusterFolder, small, succeed, tableOf } from "../support/cluster.js";
import { foldin } from "../support/foldin.js";

describe("--shard", () => {
  let folder: string;
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    foldin(args, { cwd: folder, env });
  beforeAll(async () => {
    folder = await clusterFolder();
    await succeed(run(["train", "dataset", ...small, "--epochs", "2", "--out", "run"]));
  });

  it("score: shares at the same time write the file of one process, and only the last one writes it", async () => {
    const score = ["score", "run", "--part-users", "70", "--engine", "reference"];
    await succeed(run([...score, "--out", "whole.parquet"]));
    const outcomes = await Promise.all(
      [0, 1, 2].map((index) =>
        run([...score, "--out", "shared.parquet", "--shard", "auto/3", "--json"], {
          JOB_COMPLETION_INDEX: String(index),
        }),
      ),
    );
    const file = (name: string) => readFileSync(join(folder, name));
    expect(file("shared.parquet").equals(file("whole.parquet"))).toBe(true);
    expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
    const results = outcomes.map(({ code, stdout, stderr }) => {
      expect(code, stderr).toBe(0);
      return JSON.parse(stdout) as { shard: number; parts: number; resumed: number };
    });
    expect(results.map(({ shard, parts }) => [shard, parts])).toEqual([
      [1, 3],
      [2, 3],
      [3, 3],
    ]);
  });

  it("score: a share that is repeated computes nothing, and another model is refused", async () => {
    const score = ["score", "run", "--part-users", "70", "--engine", "reference", "--out", "repeated.csv"];
    const first = await succeed(run([...score, "--shard", "1/2"]));
    expect(first.stdout).toMatch(/^share 1 of 2: 5 parts.*\n4 parts of other shares missing/);
    const again = await succeed(run([...score, "--shard", "1/2"]));
    expect(again.stdout).toMatch(/^share 1 of 2: 5 parts \(5 of them were there before\)/);
    const other = await run([...score, "-k", "3", "--shard", "2/2"]);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/the interrupted scoring had a different k: 10, now 3/);
  });

  it("search: shares at the same time have the table of one process; a failed point is reported", async () => {
    const search = ["search", "dataset", ...small, "--epochs", "2", "--grid", "dropout=0.2,0.4,0.6"];
    await succeed(run([...search, "--out", "whole"]));
    await Promise.all([1, 2].map((i) => succeed(run([...search, "--out", "shares", "--shard", `${i}/2`]))));
    expect(tableOf(join(folder, "shares"))).toBe(tableOf(join(folder, "whole")));
    const kept = (out: string) =>
      readdirSync(join(folder, out, "points")).filter((key) =>
        readdirSync(join(folder, out, "points", key)).includes("model"),
      );
    expect(kept("shares")).toEqual(kept("whole"));

    const failing = ["search", "dataset", ...small, "--epochs", "2", "--grid", "learningRate=1e-3,1e30"];
    const { stdout } = await succeed(run([...failing, "--out", "failing", "--shard", "2/2"]));
    expect(stdout).toMatch(/^share 2 of 2: 1 point\nfailed: learningRate=1e\+30.*diverged/);
    expect(stdout).toMatch(/the same command without --shard tries them again/);
  });

  it("refuses --shard with --queue", async () => {
    writeFileSync(join(folder, "url"), "postgres://nobody@127.0.0.1:1/x");
    for (const args of [
      ["score", "run", "--out", "x.csv"],
      ["search", "dataset", ...small, "--grid", "dropout=0.2"],
    ]) {
      const { code, stderr } = await run([...args, "--shard", "1/2", "--queue", "@url"]);
      expect([code, stderr.trim()]).toEqual([
        2,
        "--shard: cannot be used with --queue. Use only one of them",
      ]);
    }
  });
});
