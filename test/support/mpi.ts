// Runs programs by the mpirun in the folder of FOLDIN_TEST_MPI (scripts/with-mpi.sh finds or installs one).

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dataset } from "../../src/data/dataset.js";
import type { Outcome } from "./foldin.js";

export const mpi = process.env.FOLDIN_TEST_MPI;
if (!mpi) console.log("skipped: FOLDIN_TEST_MPI names no folder with mpirun to test with");

export interface Launched {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** What it has written to stderr so far. */
  readonly stderr: () => string;
}

/** Starts `members` processes of a Node program, more than there are cores if need be. */
export function launch(
  members: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Launched {
  const child = spawn(
    `${mpi}/mpirun`,
    ["-n", String(members), "--oversubscribe", "--bind-to", "none", process.execPath, ...args],
    {
      env: {
        ...process.env,
        PATH: `${mpi}:${process.env.PATH}`,
        ...{ OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1", PRTE_ALLOW_RUN_AS_ROOT: "1" },
        ...{ PRTE_ALLOW_RUN_AS_ROOT_CONFIRM: "1", NO_COLOR: "1", FOLDIN_DEBUG: "" },
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const outcome = new Promise<Outcome>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => done({ code, signal, stdout, stderr }));
  });
  return { process: child, outcome, stderr: () => stderr };
}

/** The most launches of one program. */
const LAUNCHES = 3;

/**
 * Launches the program to its end, and again if a process crashed. Node.js 20 itself does so now and then when several processes
 * start on a busy machine: a core dump showed V8's tracing in the first lstat of the module loader, before the program or MPI was
 * loaded.
 */
export async function launched(
  members: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  for (let tries = 1; ; tries++) {
    const outcome = await launch(members, args, env).outcome;
    if (tries === LAUNCHES || !/signal 11 \(Segmentation fault\)/.test(outcome.stderr)) return outcome;
    console.log(`a process crashed, starting again: ${outcome.stderr.trim()}`);
  }
}

/** The program that trains the runs of a job. */
export const trainByMpi = resolve(import.meta.dirname, "train-by-mpi.mjs");

/** The job of `trainByMpi`: runs by name. */
export function jobOf(dataset: Dataset, runs: Readonly<Record<string, object>>): string {
  return JSON.stringify({ dataset, runs }, (_, value) =>
    value instanceof Uint32Array ? { uint32: [...value] } : value,
  );
}

/** Waits until a launched program has written something to stderr; false if it ended before. */
export async function writes(program: Launched, wanted: RegExp): Promise<boolean> {
  let isOver = false;
  void program.outcome.then(() => {
    isOver = true;
  });
  while (!wanted.test(program.stderr()))
    if (isOver) return false;
    else await sleep(3);
  return true;
}

/** The ids of the processes of `trainByMpi`, by number. */
export function idsIn(stderr: string): Map<number, number> {
  return new Map(
    [...stderr.matchAll(/process (\d+) has id (\d+)/g)].map(([, rank, id]) => [Number(rank), Number(id)]),
  );
}

/** Whether a process is still running a little later. One that has ended stays in the table until its parent has asked for it. */
export async function isOrphan(id: number): Promise<boolean> {
  const isOver = () => {
    try {
      return readFileSync(`/proc/${id}/stat`, "utf8").split(") ")[1].startsWith("Z");
    } catch {
      return true;
    }
  };
  for (let tries = 0; tries < 100 && !isOver(); tries++) await sleep(20);
  return !isOver();
}
