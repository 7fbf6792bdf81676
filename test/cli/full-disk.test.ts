// System errors are reported to the user: one clear line, exit code 2, no incomplete output, and how to resume.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { shellCommand } from "../../src/core/shell.js";
import { foldin, type RunOptions } from "../support/foldin.js";

const home = mkdtempSync(join(tmpdir(), "foldin-full-"));
const disk = join(home, "disk");
const main = resolve(import.meta.dirname, "../../dist/cli/main.js");
mkdirSync(disk);

/** Mounts a small file system in memory; false where that is not permitted. */
function mounted(options: string): boolean {
  return spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk]).status === 0;
}
const unmount = () => spawnSync("umount", [disk]);
const canMount = process.platform === "linux" && process.getuid?.() === 0 && mounted("size=64k");
if (canMount) unmount();
else console.warn("SKIPPED: no file system can be mounted here, so full and read-only disks are not tested");

const run = (args: string[], more: RunOptions = {}) => foldin(args, { cwd: home, ...more });

/** Runs under `ulimit`. */
function limited(limit: string, args: string[]) {
  const command = shellCommand(process.execPath, main, ...args);
  const { status, stderr } = spawnSync("/bin/bash", ["-c", `ulimit ${limit}; ${command}`], {
    cwd: home,
    encoding: "utf8",
    env: { ...process.env, FOLDIN_DEBUG: "" },
  });
  return { code: status, stderr };
}

/** One line for the reader, after notes and progress. */
function lastLine(stderr: string): string {
  expect(stderr).not.toMatch(/FOLDIN_DEBUG|foldin failed|\n {4}at /);
  return stderr.trimEnd().split("\n").at(-1) ?? "";
}

const small = ["--set", "hidden=30", "--set", "latent=10", "--engine", "reference"];

beforeAll(async () => {
  const lines = ["user,item"];
  for (let user = 0; user < 1500; user++)
    for (let i = 0; i < 12; i++) lines.push(`${user},${(user * 37 + i * i * 53) % 700}`);
  writeFileSync(join(home, "clicks.csv"), `${lines.join("\n")}\n`);
  for (const args of [
    ["prepare", "clicks.csv", "--out", "ds", "--validation-users", "50", "--test-users", "50"],
    ["train", "ds", "--out", "pop", "--model", "popularity"],
    ["train", "ds", "--out", "vae", "--epochs", "1", ...small],
  ]) {
    const { code, stderr } = await run(args);
    expect(code, stderr).toBe(0);
  }
});
afterAll(() => {
  unmount();
  rmSync(home, { recursive: true, force: true });
});

describe.skipIf(!canMount)("a full disk", () => {
  beforeEach(() => {
    unmount();
    expect(mounted("size=400k")).toBe(true);
  });

  /** Leaves so many kilobytes free. */
  const leave = (kilobytes: number) => {
    const script = `rm -f fill; free=$(df -k --output=avail . | tail -1); head -c $(( (free - ${kilobytes}) * 1024 )) /dev/zero > fill`;
    execFileSync("/bin/sh", ["-c", script], { cwd: disk });
  };

  it.each([
    [
      "prepare",
      ["prepare", "clicks.csv", "--out", "disk/ds"],
      /^disk\/ds\/\S+: cannot be written: the disk is full/,
    ],
    ["embed", ["embed", "vae", "--out", "disk/v"], /^disk\/v\S*: cannot be written: the disk is full/],
    [
      "export",
      ["export", "vae", "--onnx", "disk/m.onnx"],
      /^disk\/m.onnx: cannot be written: the disk is full/,
    ],
    [
      "compare",
      ["compare", "pop", "vae", "--html", "disk/c.html"],
      /^disk\/c.html: cannot be written: the disk/,
    ],
    [
      "a new model",
      ["train", "ds", "--model", "popularity", "--out", "disk/r"],
      /^disk\/r\S*: cannot be written/,
    ],
  ])("ends %s with one line and no incomplete output", async (_, args, message) => {
    leave(12);
    const { code, stderr } = await run(args);
    expect([code, lastLine(stderr)]).toEqual([2, expect.stringMatching(message)]);
    expect(stderr).toMatch(/Free some disk space/);
    expect(readdirSync(disk)).toEqual(["fill"]);
  });

  it("stops train, which can be resumed once there is space", async () => {
    const train = [
      "train",
      "ds",
      "--out",
      "disk/run",
      "--epochs",
      "3",
      ...small,
      "--checkpoint-seconds",
      "0",
    ];
    leave(220);
    const { code, stderr } = await run(train);
    expect([code, lastLine(stderr)]).toEqual([
      2,
      expect.stringMatching(
        /the disk is full \(ENOSPC\).*to resume: foldin train ds --out disk\/run --resume$/,
      ),
    ]);
    unmount();
  });

  it("stops score, which can be resumed once there is space", async () => {
    leave(60);
    const score = ["score", "vae", "--out", "disk/s.csv", "-k", "100"];
    const { code, stderr } = await run(score);
    expect([code, lastLine(stderr)]).toEqual([2, expect.stringMatching(/the disk is full.*--resume/)]);
    expect(existsSync(join(disk, "s.csv"))).toBe(false);
    rmSync(join(disk, "fill"));
    expect(spawnSync("mount", ["-o", "remount,size=50m", disk]).status).toBe(0);
    expect((await run([...score, "--resume"])).code).toBe(0);
    expect(readdirSync(disk)).toEqual(["s.csv"]);
  });

  it("for temporary files: names the folder and the option --temp", async () => {
    leave(0);
    const embed = ["embed", "vae", "--out", "vectors"];
    const { code, stderr } = await run(embed, { env: { TMPDIR: disk } });
    expect([code, lastLine(stderr)]).toEqual([
      2,
      `${disk}: the temporary folder cannot be used: the disk is full (ENOSPC). Free some space there, or choose another folder with --temp <folder>`,
    ]);
    expect(readdirSync(disk)).toEqual(["fill"]);
    mkdirSync(join(home, "large"));
    expect((await run([...embed, "--temp", "large"], { env: { TMPDIR: disk } })).code).toBe(0);
    expect(readdirSync(join(home, "large"))).toEqual([]);
  });

  it("that is read-only is the only error reported", async () => {
    unmount();
    expect(mounted("size=1m,ro")).toBe(true);
    for (const args of [
      ["prepare", "clicks.csv", "--out", "disk/ds"],
      ["train", "ds", "--model", "popularity", "--out", "disk/r"],
      ["train", "ds", "--model", "popularity", "--out", "disk/new/r"],
      ["score", "pop", "--out", "disk/s.csv"],
      ["embed", "vae", "--out", "disk/v"],
      ["export", "vae", "--onnx", "disk/m.onnx"],
      ["search", "ds", "--model", "item-knn", "--grid", "neighbours=5", "--out", "disk/search"],
    ]) {
      const { code, stderr } = await run(args);
      expect([code, lastLine(stderr)], args.join(" ")).toEqual([
        2,
        expect.stringMatching(
          /disk\/\S+: .*the file system is read-only \(EROFS\)\. Choose another location/,
        ),
      ]);
    }
  });
});

describe("limits of the process", () => {
  it("a file size limit (ulimit -f) is reported with a remedy", () => {
    const train = [
      "train",
      "ds",
      "--out",
      "limited",
      "--epochs",
      "2",
      "--set",
      "hidden=300",
      "--engine",
      "reference",
    ];
    const { code, stderr } = limited("-f 400", train);
    expect([code, lastLine(stderr)]).toEqual([
      2,
      expect.stringMatching(/limited\S*: .*\(EFBIG\)\. Raise the limit/),
    ]);
    const scored = limited("-f 20", ["score", "vae", "--out", "limited.csv", "-k", "50"]);
    expect([scored.code, lastLine(scored.stderr)]).toEqual([2, expect.stringMatching(/\(EFBIG\).*--resume/)]);
  });

  it.each([
    ["a name that is too long", `runs/${"x".repeat(300)}`, /the name is too long \(ENAMETOOLONG\)/],
    [
      "a file as parent",
      "clicks.csv/run",
      /clicks\.csv: is a file \(expected a folder\)|a parent in the path is a file/,
    ],
  ])("%s is reported", async (_, out, message) => {
    for (const args of [
      ["prepare", "clicks.csv", "--out", out],
      ["train", "ds", "--model", "popularity", "--out", out],
      ["score", "pop", "--out", `${out}.csv`],
    ]) {
      const { code, stderr } = await run(args);
      expect([code, lastLine(stderr)], args[0]).toEqual([2, expect.stringMatching(message)]);
    }
    expect(existsSync(join(home, "runs"))).toBe(false);
  });

  it("--temp must be a writable folder", async () => {
    for (const folder of ["nowhere", "clicks.csv"]) {
      const { code, stderr } = await run(["describe", "ds", "--temp", folder]);
      expect([code, lastLine(stderr)]).toEqual([
        2,
        expect.stringMatching(/^--temp \S+: there is no such folder/),
      ]);
    }
  });
});
