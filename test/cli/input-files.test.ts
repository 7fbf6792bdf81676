// Every option for a file, given something else: a pipe without a writer, a device, a folder, a sparse file. The program
// reports this in one line and exits; earlier versions waited forever.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldin } from "../support/foldin.js";

const home = mkdtempSync(join(tmpdir(), "foldin-pipes-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

beforeAll(async () => {
  const rows = Array.from({ length: 60 }, (_, user) =>
    Array.from({ length: 6 }, (_, i) => `${user},${(user * 7 + i * 3) % 20}\n`).join(""),
  );
  writeFileSync(join(home, "in.csv"), `user,item\n${rows.join("")}`);
  writeFileSync(join(home, "mult.dat"), "1 0:1\n");
  writeFileSync(join(home, "array.txt"), "some words\n");
  await succeeds("prepare", "in.csv", "--out", "ds");
  await succeeds("train", "ds", "--model", "popularity", "--out", "run");
  writeFileSync(join(home, "run/metrics.jsonl"), "");
  execFileSync("mkfifo", [join(home, "pipe")]);
  mkdirSync(join(home, "folder"));
  writeFileSync(join(home, "holes"), "x");
  truncateSync(join(home, "holes"), 30e9);
  writeFileSync(join(home, "bomb.txt.gz"), gzipSync(Buffer.alloc(50e6, "a b ")));
}, 120_000);

async function succeeds(...args: string[]): Promise<void> {
  const { code, stderr } = await foldin(args, { cwd: home });
  expect(code, stderr).toBe(0);
}

const content = (...more: string[]) => ["prepare", "in.csv", "--out", "never", "--content", ...more];

describe("anything but a regular file is refused in one line", () => {
  it.each<[string, string[]]>([
    ["--content", content("@")],
    ["--content-vocabulary", content("mult.dat", "--content-vocabulary", "@")],
    ["--content-ids", content("array.txt", "--content-ids", "@")],
    ["--items", ["prepare", "in.csv", "--out", "never", "--items", "@"]],
    ["the input", ["prepare", "@", "--out", "never"]],
    ["--history", ["recommend", "run", "--history", "@@"]],
    ["--recipe", ["train", "ds", "--recipe", "@", "--out", "never"]],
    ["a run to compare", ["compare", "run", "@"]],
    ["--token-file", ["serve", "run", "--token-file", "@", "--port", "7790", "--store", "none"]],
  ])("%s", { timeout: 120_000 }, async (_, args) => {
    for (const bad of ["pipe", "/dev/zero", "folder", "holes"]) {
      const given = args.map((arg) => (arg.startsWith("@") ? `${arg.slice(1)}${bad}` : arg));
      const { code, stdout, stderr } = await foldin(given, { cwd: home });
      // How the interactions were read comes first, where they are read before what is refused.
      const lines = stderr
        .trimEnd()
        .split("\n")
        .filter((line) => !line.startsWith("in.csv: user = "));
      expect({ code, stdout, lines: lines.length }, `${given.join(" ")}: ${stderr}`).toEqual({
        ...{ code: 2, stdout: "", lines: 1 },
      });
      expect(lines[0]).toContain(bad);
    }
  });

  it.each([
    ["run/config.json", ["describe", "run"]],
    ["run/config.json", ["evaluate", "run"]],
    ["run/metrics.jsonl", ["compare", "run", "run"]],
    ["run/model/items.json", ["recommend", "run", "--history", "1"]],
    ["ds/manifest.json", ["train", "ds", "--model", "popularity", "--out", "never"]],
    ["ds/train.parquet", ["train", "ds", "--model", "popularity", "--out", "never"]],
  ])("%s, by %j", { timeout: 120_000 }, async (file, args) => {
    const path = join(home, file);
    execFileSync("mv", [path, `${path}.kept`]);
    try {
      execFileSync("mkfifo", [path]);
      const { code, stderr } = await foldin(args, { cwd: home });
      expect(code, stderr).toBe(2);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    } finally {
      execFileSync("mv", ["-f", `${path}.kept`, path]);
    }
  });

  it("a compressed list of texts, before it is decompressed", async () => {
    const { code, stderr } = await foldin(content("bomb.txt.gz"), { cwd: home });
    expect(code).toBe(2);
    expect(stderr).toMatch(/bomb\.txt\.gz: the file is compressed with gzip .*Unpack it first with gunzip/);
  });
});
