// Trains points in worker processes, several at a time. A worker that crashes or runs out of memory does not affect the others
// and is replaced.

import { type ChildProcess, fork } from "node:child_process";
import { AbortedError, throwIfAborted, UserError } from "../../core/errors.js";
import type { PointJob, PointResult } from "./point.js";
import type { FromWorker, ToWorker, WorkerSetup } from "./worker.js";

export type PointOutcome =
  | { readonly state: "done"; readonly result: PointResult }
  | { readonly state: "failed"; readonly message: string };

export interface PoolOptions {
  /** Number of worker processes; each gets `setup`. */
  readonly jobs: number;
  readonly setup: WorkerSetup;
  readonly signal?: AbortSignal;
  onShare?(point: number, share: number): void;
  onNote?(text: string): void;
  /** Called when a point ends; the worker starts its next point when the promise resolves. */
  onOutcome(point: number, outcome: PointOutcome): Promise<void>;
}

/** Milliseconds that a worker may take to stop before it is killed. */
const PATIENCE = 10_000;

/**
 * Runs all points. Throws AbortedError when the signal aborts, once every worker has ended; UserError if workers cannot be set
 * up (no dataset, no engine); and any error of `onOutcome`.
 */
export async function runPoints(jobs: readonly PointJob[], options: PoolOptions): Promise<void> {
  const failed = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
  let next = 0;
  const notes = new Set<string>();
  const onNote = (text: string) => {
    // All workers send the same notes.
    if (!notes.has(text)) options.onNote?.(text);
    notes.add(text);
  };
  const lane = async () => {
    let worker: Worker | undefined;
    try {
      while (next < jobs.length) {
        throwIfAborted(signal);
        const point = next++;
        worker ??= new Worker(options.setup, signal, onNote);
        const outcome = await worker.run(jobs[point], (share) => options.onShare?.(point, share));
        if (worker.ended) worker = undefined;
        await options.onOutcome(point, outcome);
      }
    } catch (error) {
      failed.abort();
      throw error;
    } finally {
      await worker?.stop();
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(options.jobs, jobs.length) }, lane));
  const errors = lanes.flatMap((lane) => (lane.status === "rejected" ? [lane.reason as unknown] : []));
  // Report the original error, not the aborts that it caused.
  const reason = errors.find((error) => !(error instanceof AbortedError)) ?? errors[0];
  if (reason) throw reason;
}

class Worker {
  readonly #child: ChildProcess;
  readonly #exit: Promise<string>;
  readonly #onNote: (text: string) => void;
  readonly #signal: AbortSignal;
  #errors = "";
  ended = false;

  constructor(setup: WorkerSetup, signal: AbortSignal, onNote: (text: string) => void) {
    this.#signal = signal;
    this.#onNote = onNote;
    this.#child = fork(new URL("./worker.js", import.meta.url), [], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2000);
    });
    this.#exit = new Promise((done) => {
      const gone = (how: string) => {
        this.ended = true;
        done(how);
      };
      this.#child.on("error", ({ message }) => gone(`could not be started: ${message}`));
      this.#child.on("close", (code, name) =>
        gone(name ? `was terminated by ${name}` : `exited with code ${code}`),
      );
    });
    this.#send({ setup });
  }

  #send(message: ToWorker): void {
    // A worker that is already gone is handled by its exit event.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  /** Throws AbortedError when the signal aborts, UserError or Error if the worker could not be set up. */
  async run(point: PointJob, onShare: (share: number) => void): Promise<PointOutcome> {
    const child = this.#child;
    let onMessage: ((message: FromWorker) => void) | undefined;
    const abort = () => this.#askToStop();
    const answer = new Promise<PointOutcome>((done, fail) => {
      onMessage = (message) => {
        if ("share" in message) onShare(message.share);
        else if ("note" in message) this.#onNote(message.note);
        else if ("result" in message) done({ state: "done", result: message.result });
        else if ("failure" in message) done({ state: "failed", message: message.failure });
        else if ("stopped" in message) fail(new AbortedError());
        else if ("unusable" in message)
          fail(message.mendable ? new UserError({ problem: message.unusable }) : new Error(message.unusable));
      };
    });
    if (onMessage) child.on("message", onMessage);
    this.#signal.addEventListener("abort", abort, { once: true });
    try {
      this.#send({ point });
      if (this.#signal.aborted) abort();
      const crash = this.#exit.then((how): PointOutcome => {
        if (this.#signal.aborted) throw new AbortedError();
        const last = this.#errors.trim().split("\n").at(-1);
        const memory = how.includes("SIGKILL") ? " (possibly out of memory; try fewer --jobs)" : "";
        return { state: "failed", message: `the worker ${how}${memory}${last ? `: ${last}` : ""}` };
      });
      return await Promise.race([answer, crash]);
    } finally {
      this.#signal.removeEventListener("abort", abort);
      if (onMessage) child.off("message", onMessage);
    }
  }

  /** Resolves when the process has exited. */
  async stop(): Promise<void> {
    if (!this.ended) this.#askToStop();
    await this.#exit;
  }

  #askToStop(): void {
    this.#send({ stop: true });
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE);
    void this.#exit.then(() => clearTimeout(kill));
  }
}
