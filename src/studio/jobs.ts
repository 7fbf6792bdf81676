// Work that takes long, each piece in a process of its own: the server answers meanwhile, and the memory is free afterwards. One runs
// at a time, the others wait. The results of the last ones are kept.

import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { followParent, startOwnProcess } from "./own-process.js";

/** What the process sends: its progress, and at the end its result or what is wrong. */
export type FromJob<Result extends object> =
  | { readonly progress: string }
  | { readonly problem: string }
  | Result;

export interface ToJob<Job> {
  readonly job: Job;
}

/** The state of a piece of work. */
interface JobState {
  readonly id: string;
  readonly state: "waiting" | "running" | "done" | "failed";
  readonly progress?: string;
  readonly problem?: string;
}

/** The state, with the result when it is done. */
export type JobAnswer<Result extends object> = JobState & Partial<Result>;

const MOST_KEPT = 50;

export class Jobs<Job extends object, Result extends object> {
  readonly #program: string;
  readonly #what: string;
  readonly #answers = new Map<string, JobAnswer<Result>>();
  readonly #waiting: { readonly id: string; readonly job: Job }[] = [];
  #running: { readonly id: string; readonly child: ChildProcess } | undefined;

  /** `program`: the built module in studio/ that works; `what`: names the work in messages, such as "comparison". */
  constructor(program: string, what: string) {
    this.#program = resolve(import.meta.dirname, "../../dist/studio", program);
    this.#what = what;
  }

  /** Starts a job, unless the same one is running or done; one that failed is started again. */
  start(job: Job): JobAnswer<Result> {
    const id = idOf(job);
    const known = this.#answers.get(id);
    if (known && known.state !== "failed") return known;
    for (const [old, { state }] of this.#answers)
      if (this.#answers.size >= MOST_KEPT && (state === "done" || state === "failed"))
        this.#answers.delete(old);
    this.#waiting.push({ id, job });
    this.#set(id, "waiting");
    this.#next();
    return this.#answers.get(id) as JobAnswer<Result>;
  }

  /** The state of a job; undefined if there is none of this id. */
  get(id: string): JobAnswer<Result> | undefined {
    return this.#answers.get(id);
  }

  /** Keeps a result that was there before. */
  done(job: Job, result: Result): JobAnswer<Result> {
    const id = idOf(job);
    this.#set(id, "done", result);
    return this.#answers.get(id) as JobAnswer<Result>;
  }

  /** Forgets the result of a job, so that it can be started again. */
  forget(job: Job): void {
    const id = idOf(job);
    if (this.#answers.get(id)?.state === "done") this.#answers.delete(id);
  }

  /** Stops a job that waits or runs; returns whether there was one. */
  stop(id: string): boolean {
    const { state } = this.#answers.get(id) ?? {};
    if (state !== "waiting" && state !== "running") return false;
    this.#answers.delete(id);
    const place = this.#waiting.findIndex((one) => one.id === id);
    if (place >= 0) this.#waiting.splice(place, 1);
    if (this.#running?.id === id) this.#running.child.kill();
    return true;
  }

  /** Stops everything. */
  close(): void {
    this.#waiting.length = 0;
    this.#running?.child.kill();
  }

  #set(id: string, state: JobState["state"], more: object = {}): void {
    const answer: JobState = { id, state, ...more };
    this.#answers.set(id, answer as JobAnswer<Result>);
  }

  #next(): void {
    if (this.#running) return;
    const next = this.#waiting.shift();
    if (!next) return;
    const { id, job } = next;
    const child = startOwnProcess(this.#program, {
      onMessage: (message: FromJob<Result>) => {
        // Stopped meanwhile.
        if (!this.#answers.has(id)) return;
        if ("progress" in message) this.#set(id, "running", message);
        else if ("problem" in message) this.#set(id, "failed", message);
        else this.#set(id, "done", message);
      },
      onOver: (how) => {
        const problem = `the process of the ${this.#what} ${how}`;
        if (this.#answers.get(id)?.state === "running") this.#set(id, "failed", { problem });
        this.#running = undefined;
        this.#next();
      },
    });
    this.#running = { id, child };
    this.#set(id, "running");
    child.send({ job } satisfies ToJob<Job>, () => {});
  }
}

function idOf(job: object): string {
  return createHash("sha256").update(JSON.stringify(job)).digest("base64url").slice(0, 20);
}

/** Milliseconds between two reports of progress. */
const INTERVAL = 300;

/** The process's side: works on the job that it receives, sends the result, and ends; also with its parent. */
export function workOn<Job, Result extends object>(
  work: (job: Job, progress: (text: string) => void) => Promise<Result>,
): void {
  followParent();
  const send = (message: FromJob<Result>) =>
    new Promise<void>((sent) => process.send?.(message, () => sent()) ?? sent());
  let told = 0;
  let task = "";
  const progress = (text: string) => {
    // "task, 5 %": a new task is always reported, because it may take long.
    const [now] = text.split(",");
    if (now === task && performance.now() - told < INTERVAL) return;
    told = performance.now();
    task = now;
    void send({ progress: text });
  };
  process.once("message", ({ job }: ToJob<Job>) => {
    work(job, progress)
      .then(send, (error: unknown) =>
        send({ problem: error instanceof Error ? error.message : String(error) }),
      )
      .finally(() => process.exit());
  });
}
