// A process that does tasks, seen from its parent. Crashing or running out of memory, it does not affect its parent.

import { type ChildProcess, fork } from "node:child_process";
import { AbortedError, UserError } from "../core/errors.js";
import type { JsonValue } from "../core/json.js";
import type { FromWorker, ToWorker } from "./messages.js";
import { queueVariable } from "./queue-address.js";
import type { Task, TaskSetup } from "./tasks.js";

export type Ending =
  | { readonly state: "done"; readonly result: JsonValue }
  | { readonly state: "failed"; readonly message: string; readonly final: boolean };

export interface TaskRun {
  /** Names the attempt, where others may attempt the task too. */
  readonly attempt?: string;
  onShare(share: number): void;
  /** Whether the attempt is still the current one. */
  isCurrent?(): Promise<boolean>;
}

export interface WorkerOptions {
  readonly threads?: number;
  /** Stops it. */
  readonly signal: AbortSignal;
  onNote(text: string): void;
}

/** Milliseconds that a worker may take to stop before it is killed. */
const PATIENCE = 10_000;

/** Variables with addresses and passwords of databases, which a process that does tasks does not need. */
const SECRETS = [queueVariable, "PGPASSWORD", "PGPASSFILE", "PGSSLPASSWORD"];

export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<string>;
  readonly #options: WorkerOptions;
  #errors = "";
  ended = false;

  constructor(setup: TaskSetup, options: WorkerOptions) {
    this.#options = options;
    const env = { ...process.env };
    for (const name of SECRETS) delete env[name];
    this.#child = fork(new URL("../worker/process.js", import.meta.url), [], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
      env,
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
    this.#send({ setup, threads: options.threads });
  }

  #send(message: ToWorker): void {
    // A worker that is already gone is handled by its exit event.
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  /**
   * Throws AbortedError when the signal aborts or the attempt is not the current one, `Unusable` if the worker could not be set up.
   */
  async run(task: Task, { attempt, onShare, isCurrent }: TaskRun): Promise<Ending> {
    const child = this.#child;
    const { signal, onNote } = this.#options;
    let onMessage: ((message: FromWorker) => void) | undefined;
    const abort = () => this.#askToStop();
    const answer = new Promise<Ending>((done, fail) => {
      onMessage = (message) => {
        if ("share" in message) onShare(message.share);
        else if ("note" in message) onNote(message.note);
        else if ("fence" in message)
          // Without an answer, the worker stays where it is until it is stopped.
          void isCurrent?.().then(
            (current) => this.#send({ current }),
            () => {},
          );
        else if ("result" in message) done({ state: "done", result: message.result });
        else if ("failure" in message)
          done({ state: "failed", message: message.failure, final: message.final });
        else if ("stopped" in message) fail(new AbortedError());
        else if ("unusable" in message) fail(new Unusable(message.unusable, message.mendable));
      };
    });
    if (onMessage) child.on("message", onMessage);
    signal.addEventListener("abort", abort, { once: true });
    try {
      this.#send({ task, attempt });
      if (signal.aborted) abort();
      const crash = this.#exit.then((how): Ending => {
        if (signal.aborted) throw new AbortedError();
        const last = this.#errors.trim().split("\n").at(-1);
        const memory = how.includes("SIGKILL") ? " (possibly out of memory; try fewer --jobs)" : "";
        const message = `the worker ${how}${memory}${last ? `: ${last}` : ""}`;
        return { state: "failed", message, final: false };
      });
      return await Promise.race([answer, crash]);
    } finally {
      signal.removeEventListener("abort", abort);
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

/** This machine cannot do tasks of the setup at all. */
export class Unusable extends Error {
  readonly mendable: boolean;

  constructor(message: string, mendable: boolean) {
    super(message);
    this.mendable = mendable;
  }

  /** As it is reported where no other machine could do them. */
  get asError(): Error {
    return this.mendable ? new UserError({ problem: this.message }) : new Error(this.message);
  }
}
