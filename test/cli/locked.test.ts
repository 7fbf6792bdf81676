// Two processes that write the same path: the second one is refused, names the first one, and changes nothing.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { SearchResult } from "../../src/experiments/search/result.js";
import { foldin, type RunningProgram, start } from "../support/foldin.js";

const home = mkdtempSync(join(tmpdir(), "foldin-locked-"));
const small = ["--set", "hidden=8", "--set", "latent=4", "--engine", "reference"];

const run = (args: string[]) => foldin(args, { cwd: home });
const begin = (args: string[]) => start(args, { cwd: home });

async function until(running: RunningProgram, isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    if (running.process.exitCode !== null)
      throw new Error(`it ended before: ${(await running.outcome).stderr}`);
    await sleep(5);
  }
}

const epochsOf = (folder: string): number[] => {
  const path = join(home, folder, "metrics.jsonl");
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { epoch: number }).epoch);
};

async function expectRefusal(args: string[], holder: RunningProgram): Promise<void> {
  const { code, stderr } = await run(args);
  const { pid } = holder.process;
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(new RegExp(`is being written by another foldin \\(process ${pid}, since `)),
  ]);
}

const train = ["train", "ds", "--out", "run", "--epochs", "150", "--checkpoint-seconds", "0", ...small];

beforeAll(async () => {
  const lines = ["user,item"];
  for (let user = 0; user < 300; user++)
    for (let i = 0; i < 10; i++) lines.push(`${user},${(user * 7 + i * i * 3) % 90}`);
  writeFileSync(join(home, "clicks.csv"), `${lines.join("\n")}\n`);
  const args = ["prepare", "clicks.csv", "--out", "ds", "--validation-users", "20", "--test-users", "20"];
  expect((await run(args)).code).toBe(0);
  expect((await run(train.with(train.indexOf("run"), "whole"))).code).toBe(0);
});

describe("train", () => {
  it("a concurrent --resume is refused, and the run finishes as if alone", async () => {
    const first = begin(train);
    await until(first, () => epochsOf("run").length >= 3);
    first.process.kill("SIGKILL");
    await first.outcome;

    const second = begin(["train", "ds", "--out", "run", "--resume"]);
    const before = epochsOf("run").length;
    await until(second, () => epochsOf("run").length > before + 1);
    second.process.kill("SIGSTOP");
    await expectRefusal(["train", "ds", "--out", "run", "--resume"], second);
    await expectRefusal(["train", "ds", "--out", "run", "--force", ...small], second);
    await expectRefusal(["train", "ds", "--out", "./run/", "--resume"], second);
    // One that is stopped at once removes nothing under the first.
    const third = begin(["train", "ds", "--out", "run", "--resume"]);
    await sleep(300);
    third.process.kill("SIGINT");
    expect((await third.outcome).code).not.toBe(0);
    expect(existsSync(join(home, "run/config.json"))).toBe(true);
    second.process.kill("SIGCONT");

    expect((await second.outcome).code).toBe(0);
    expect(epochsOf("run")).toEqual(Array.from({ length: 150 }, (_, e) => e + 1));
    expect(readdirSync(home).filter((name) => name.includes("run"))).toEqual(["run"]);
    expect(readFileSync(join(home, "run/model/model.safetensors"))).toEqual(
      readFileSync(join(home, "whole/model/model.safetensors")),
    );
  });

  it("two trainings into one new folder make one run", async () => {
    const both = [1, 2, 3].map(() => begin(train.with(train.indexOf("run"), "both")));
    const codes = await Promise.all(both.map(async ({ outcome }) => (await outcome).code));
    expect(codes.toSorted()).toEqual([0, 2, 2]);
    expect(epochsOf("both")).toHaveLength(150);
  });
});

describe("the other commands", () => {
  it("concurrent prepare, embed and score: one writes, the others are refused", async () => {
    for (const args of [
      ["prepare", "clicks.csv", "--out", "twice"],
      ["embed", "whole", "--out", "vectors"],
      ["score", "whole", "--out", "scores.csv"],
    ]) {
      const outcomes = await Promise.all([1, 2, 3].map(() => run(args)));
      expect(
        outcomes.map(({ code }) => code).toSorted(),
        outcomes.map(({ stderr }) => stderr).join(),
      ).toEqual([0, 2, 2]);
      for (const { code, stderr } of outcomes)
        if (code === 2) expect(stderr).toMatch(/is being written by another foldin|already/);
    }
    expect(readdirSync(home).filter((name) => /^\.|partial/.test(name))).toEqual([]);
  });

  it("a concurrent search is refused; after a kill while its workers end, it can be resumed", async () => {
    const args = [
      "search",
      "ds",
      "--model",
      "mult-vae",
      "--grid",
      "dropout=.1,.2,.3",
      "--epochs",
      "60",
      ...small,
    ];
    const search = [...args, "--jobs", "2", "--checkpoint-seconds", "0", "--out"];
    const first = begin([...search, "search"]);
    await until(first, () => {
      const points = join(home, "search/points");
      return (
        existsSync(points) &&
        readdirSync(points).some((point) => epochsOf(join("search/points", point)).length > 2)
      );
    });
    first.process.kill("SIGSTOP");
    await expectRefusal([...search, "search"], first);
    first.process.kill("SIGCONT");
    first.process.kill("SIGKILL");
    await first.outcome;
    const again = await run([...search, "search"]);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).not.toMatch(/failed/);
    expect((await run([...search, "alone"])).code).toBe(0);
    const results = (folder: string) =>
      (JSON.parse(readFileSync(join(home, folder, "results.json"), "utf8")) as SearchResult).points.map(
        ({ key, metrics, epochs, chosenEpoch }) => ({ key, metrics, epochs, chosenEpoch }),
      );
    expect(results("search")).toEqual(results("alone"));
    const left = readdirSync(join(home, "search"), { recursive: true, encoding: "utf8" });
    expect(left.filter((name) => /(^|\/)\.|partial|\.tmp|\.lock/.test(name))).toEqual([]);
    rmSync(join(home, "search"), { recursive: true });
  });
});
