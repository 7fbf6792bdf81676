import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { foldin, type RunningProgram, start } from "../support/foldin.js";

const folder = mkdtempSync(join(tmpdir(), "foldin-"));
const train = [
  ...["train", "dataset", "--model", "mult-vae", "--epochs", "12", "--set", "hidden=16", "--set", "latent=8"],
  ...["--set", "batchSize=50", "--engine", "reference", "--checkpoint-seconds", "0", "--out"],
];

beforeAll(async () => {
  const lines = ["user,item"];
  for (let user = 0; user < 800; user++)
    for (let i = 0; i < 12; i++) lines.push(`${user},${(user * 13 + i * i * 7) % 300}`);
  writeFileSync(join(folder, "clicks.csv"), `${lines.join("\n")}\n`);
  const { code, stderr } = await foldin(
    ["prepare", "clicks.csv", "--out", "dataset", "--validation-users", "50", "--test-users", "50"],
    { cwd: folder },
  );
  expect(code, stderr).toBe(0);
  expect((await foldin([...train, "whole"], { cwd: folder })).code).toBe(0);
});

/** Waits until the run has finished that many epochs. */
async function epochs(run: string, wanted: number, program: RunningProgram): Promise<void> {
  const file = join(folder, run, "metrics.jsonl");
  while (program.process.exitCode === null) {
    if (existsSync(file) && readFileSync(file, "utf8").split("\n").length > wanted) return;
    await sleep(5);
  }
  throw new Error(`the run ended before epoch ${wanted}: ${(await program.outcome).stderr}`);
}

function weights(run: string): string {
  return createHash("sha256")
    .update(readFileSync(join(folder, run, "model", "model.safetensors")))
    .digest("hex");
}

describe("an interrupted train", () => {
  it.each(["SIGKILL", "SIGINT"] as const)(
    "ended by %s goes on with --resume to the same weights, byte for byte",
    async (signal) => {
      const broken = `broken-${signal}`;
      const running = start([...train, broken], { cwd: folder });
      await epochs(broken, 4, running);
      running.process.kill(signal);
      const { code } = await running.outcome;
      expect(code).toBe(signal === "SIGINT" ? 130 : null);
      expect(existsSync(join(folder, broken, "model"))).toBe(false);

      const refused = await foldin([...train, broken], { cwd: folder });
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/--resume/)]);
      const otherwise = await foldin([...train, broken, "--resume", "--seed", "1"], { cwd: folder });
      expect([otherwise.code, otherwise.stderr]).toEqual([2, expect.stringMatching(/seed.*98765/)]);

      const resumed = await foldin(["train", "dataset", "--resume", "--out", broken], { cwd: folder });
      expect(resumed.code, resumed.stderr).toBe(0);
      expect(resumed.stderr).toMatch(/resuming after epoch \d+ of 12/);
      expect(weights(broken)).toBe(weights("whole"));
      const recorded = readFileSync(join(folder, broken, "metrics.jsonl"), "utf8")
        .trimEnd()
        .split("\n");
      expect(recorded.map((line) => JSON.parse(line).epoch)).toEqual(
        Array.from({ length: 12 }, (_, e) => e + 1),
      );
    },
  );

  it("in its first epoch leaves no folder behind", async () => {
    const large = ["--set", "hidden=600", "--set", "latent=200"];
    const running = start([...train, "early", ...large], { cwd: folder });
    while (running.process.exitCode === null && !existsSync(join(folder, "early", "config.json")))
      await sleep(5);
    running.process.kill("SIGTERM");
    expect((await running.outcome).code).toBe(143);
    expect(existsSync(join(folder, "early"))).toBe(false);
  });
});

describe("an interrupted prepare", () => {
  beforeAll(() => {
    const lines = ["user,item"];
    for (let row = 0; row < 1_500_000; row++) lines.push(`${row % 40_000},${(row * 7919) % 5003}`);
    writeFileSync(join(folder, "large.csv"), `${lines.join("\n")}\n`);
  });

  it.each(["SIGKILL", "SIGINT"] as const)(
    "ended by %s at any moment leaves no dataset folder behind",
    async (signal) => {
      for (const milliseconds of [150, 400, 800, 1300]) {
        const out = `large-${signal}-${milliseconds}`;
        const running = start(["prepare", "large.csv", "--out", out], { cwd: folder });
        await sleep(milliseconds);
        running.process.kill(signal);
        const { code } = await running.outcome;
        if (code === 0) expect(existsSync(join(folder, out, "manifest.json"))).toBe(true);
        else expect(existsSync(join(folder, out))).toBe(false);
        if (code === 130) expect(readdirSync(folder).filter((entry) => entry.includes(out))).toEqual([]);
      }
    },
  );
});
