// Runs foldin and the baselines alternately. Every contestant is a separate process that prepares its input once, prints
// {"ready": ...}, and measures one repetition for each "run" line. Only one contestant works at a time.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { root } from "./input.js";

export interface Contestant {
  name: string;
  command: string;
  args: string[];
  /** A second one of ours. */
  isOurs?: boolean;
}

/** The response to "run": seconds of each unit of work, and the peak memory of the process in bytes. */
interface Repetition {
  seconds: number[];
  peak: number;
}

export interface Summary {
  /** Of all units of all repetitions, in seconds. */
  median: number;
  min: number;
  max: number;
  /** All of them, in the order of measurement. */
  values: number[];
  peak: number;
  /** The contestant's description of itself. */
  version: string;
}

class Running {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #waiting: ((line: string) => void)[] = [];
  readonly #failing: ((error: Error) => void)[] = [];
  #errors = "";
  readonly contestant: Contestant;

  constructor(contestant: Contestant) {
    this.contestant = contestant;
    this.#process = spawn(contestant.command, contestant.args, {
      cwd: root,
      env: { ...process.env, OMP_NUM_THREADS: "2", OPENBLAS_NUM_THREADS: "2" },
    });
    this.#process.stderr.on("data", (chunk) => {
      this.#errors = (this.#errors + chunk).slice(-4000);
    });
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#lines.on("line", (line) => {
      this.#failing.shift();
      this.#waiting.shift()?.(line);
    });
    this.#process.on("exit", (code) => {
      for (const fail of this.#failing.splice(0))
        fail(new Error(`${contestant.name} ended with code ${code}:\n${this.#errors}`));
    });
  }

  answer<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push((line) => resolve(JSON.parse(line) as T));
      this.#failing.push(reject);
    });
  }

  run(): Promise<Repetition> {
    const answer = this.answer<Repetition>();
    this.#process.stdin.write("run\n");
    return answer;
  }

  end(): void {
    this.#process.stdin.end();
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Prepares all contestants one after another, then measures them alternately, `rounds` times. */
export async function contest(
  contestants: readonly Contestant[],
  rounds: number,
): Promise<Map<string, Summary>> {
  const running: { process: Running; version: string; seconds: number[]; peak: number }[] = [];
  try {
    for (const contestant of contestants) {
      process.stderr.write(`preparing ${contestant.name} ...\n`);
      const child = new Running(contestant);
      const { ready } = await child.answer<{ ready: string }>();
      running.push({ process: child, version: ready, seconds: [], peak: 0 });
    }
    for (let round = 1; round <= rounds; round++)
      for (const one of running) {
        const { seconds, peak } = await one.process.run();
        one.seconds.push(...seconds);
        one.peak = Math.max(one.peak, peak);
        process.stderr.write(
          `round ${round}/${rounds}  ${one.process.contestant.name.padEnd(14)} ${(1000 * median(seconds)).toFixed(1)} ms\n`,
        );
      }
  } finally {
    for (const one of running) one.process.end();
  }
  return new Map(
    running.map(({ process: { contestant }, version, seconds, peak }) => [
      contestant.name,
      {
        median: median(seconds),
        min: Math.min(...seconds),
        max: Math.max(...seconds),
        values: seconds,
        peak,
        version,
      },
    ]),
  );
}

/** foldin's side of the protocol, for the programs in bench/ours. */
export async function serve(ready: string, measure: () => Promise<number[]>): Promise<void> {
  console.log(JSON.stringify({ ready }));
  for await (const line of createInterface({ input: process.stdin }))
    if (line.trim() === "run") {
      const seconds = await measure();
      console.log(JSON.stringify({ seconds, peak: process.resourceUsage().maxRSS * 1024 }));
    }
}

/** A program of bench/ours, compiled into bench/.build. */
export function ours(program: string, ...args: string[]): Contestant {
  return {
    name: "ours",
    command: process.execPath,
    args: [join(root, "bench", ".build", "ours", `${program}.js`), ...args],
  };
}
