// Comparisons of runs with tests of significance, each in a process of its own: the server answers meanwhile, and the memory of the
// models is free afterwards. One runs at a time, the others wait. Results are kept as long as the runs do not change.

import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import type { ComparisonAnswer } from "./api.js";
import type { ComparisonJob, FromComparison, ToComparison } from "./comparison-messages.js";

const WORKER = resolve(import.meta.dirname, "../../dist/studio/comparison-worker.js");
const MOST_KEPT = 50;

export class Comparisons {
  readonly #answers = new Map<string, ComparisonAnswer>();
  readonly #waiting: { readonly id: string; readonly job: ComparisonJob }[] = [];
  #running: { readonly id: string; readonly child: ChildProcess } | undefined;

  /** Starts a comparison, unless the same one is running or done; one that failed is started again. */
  start(job: ComparisonJob): ComparisonAnswer {
    const id = createHash("sha256").update(JSON.stringify(job)).digest("base64url").slice(0, 20);
    const known = this.#answers.get(id);
    if (known && known.state !== "failed") return known;
    for (const [old, { state }] of this.#answers)
      if (this.#answers.size >= MOST_KEPT && (state === "done" || state === "failed"))
        this.#answers.delete(old);
    this.#waiting.push({ id, job });
    this.#set({ id, state: "waiting" });
    this.#next();
    return this.#answers.get(id) as ComparisonAnswer;
  }

  /** The state of a comparison; undefined if there is none of this id. */
  get(id: string): ComparisonAnswer | undefined {
    return this.#answers.get(id);
  }

  /** Stops a comparison that waits or runs; returns whether there was one. */
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

  #set(answer: ComparisonAnswer): void {
    this.#answers.set(answer.id, answer);
  }

  #next(): void {
    if (this.#running) return;
    const next = this.#waiting.shift();
    if (!next) return;
    const { id, job } = next;
    const child = fork(WORKER, [], { stdio: ["ignore", "ignore", "pipe", "ipc"], execArgv: [] });
    this.#running = { id, child };
    this.#set({ id, state: "running" });
    let errors = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-2000);
    });
    child.on("message", (message: FromComparison) => {
      // Stopped meanwhile.
      if (!this.#answers.has(id)) return;
      if ("progress" in message) this.#set({ id, state: "running", progress: message.progress });
      else if ("problem" in message) this.#set({ id, state: "failed", problem: message.problem });
      else this.#set({ id, state: "done", comparison: message.comparison });
    });
    let isOver = false;
    const over = (problem: string) => {
      if (isOver) return;
      isOver = true;
      if (this.#answers.get(id)?.state === "running") this.#set({ id, state: "failed", problem });
      this.#running = undefined;
      this.#next();
    };
    child.on("error", ({ message }) =>
      over(`the process of the comparison could not be started: ${message}`),
    );
    child.on("close", (code, signal) => {
      const last = errors.trim().split("\n").at(-1) ?? "";
      over(
        `the process of the comparison ended (${signal ?? `code ${code}`})${last === "" ? "" : `: ${last}`}`,
      );
    });
    child.send({ job } satisfies ToComparison, () => {});
  }
}
