// A small dataset and a trained run on disk, and workers of a queue that may be killed: shared by the suites of --queue.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect } from "vitest";
import { foldin, type Outcome } from "./foldin.js";

/** Seconds of silence after which a worker is given up in tests. */
export const HEARTBEAT = ["--heartbeat", "5"];

export const small = [
  ...["--model", "mult-dae", "--set", "hidden=16", "--set", "latent=8", "--set", "batchSize=50"],
  ...["--engine", "reference"],
];

/** A folder with `dataset`, removed after the suite. */
export async function clusterFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "foldin-cluster-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const lines = ["user,item"];
  for (let user = 0; user < 600; user++)
    for (let i = 0; i < 12; i++) lines.push(`${user},${(user * 13 + i * i * 7) % 200}`);
  writeFileSync(join(folder, "clicks.csv"), `${lines.join("\n")}\n`);
  const prepared = ["prepare", "clicks.csv", "--out", "dataset", "--validation-users", "50"];
  await succeed(foldin([...prepared, "--test-users", "50"], { cwd: folder }));
  return folder;
}

export async function succeed(running: Promise<Outcome>): Promise<Outcome> {
  const outcome = await running;
  expect(outcome.code, outcome.stderr).toBe(0);
  return outcome;
}

/** A worker in a process group of its own, so that it can be stopped together with the processes that do its tasks. */
export function worker(queue: string, folder: string, { more = [], env = {} }: WorkerFlags = {}) {
  const main = resolve(import.meta.dirname, "../../dist/cli/main.js");
  const args = [main, "worker", "--queue", queue, "--threads", "1", ...more];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    detached: true,
    env: { ...process.env, FOLDIN_DEBUG: "", NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  const ended = new Promise<number | NodeJS.Signals | null>((done) =>
    child.on("close", (code, signal) => done(signal ?? code)),
  );
  const send = (signal: NodeJS.Signals) => {
    try {
      process.kill(-Number(child.pid), signal);
    } catch {
      // It has ended.
    }
  };
  return {
    child,
    ended,
    /** What it has printed so far. */
    get said() {
      return said;
    },
    /** Sends a signal to the worker and to its processes. */
    send,
    async says(pattern: RegExp) {
      for (let tries = 0; !pattern.test(said); tries++) {
        if (tries > 1200 || child.exitCode !== null)
          throw new Error(`the worker does not say ${pattern}: ${said}`);
        await sleep(25);
      }
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        send("SIGCONT");
        send("SIGKILL");
      }
      await ended;
    },
  };
}

interface WorkerFlags {
  readonly more?: readonly string[];
  readonly env?: Record<string, string>;
}

/** The table of a search without what differs from one run to the next: the seconds of training. */
export function tableOf(search: string): string {
  const rows = readFileSync(join(search, "results.csv"), "utf8").split("\n");
  const seconds = rows[0].split(",").indexOf("seconds");
  return rows
    .map((row) =>
      row
        .split(",")
        .filter((_, column) => column !== seconds)
        .join(","),
    )
    .join("\n");
}
