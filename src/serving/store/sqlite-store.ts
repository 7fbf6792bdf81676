// Histories in a SQLite file (write-ahead log, synchronous = FULL): no server, and what was acknowledged survives a crash.

import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { UserError } from "../../core/errors.js";
import type { HistoryStore, StoredEvent } from "./history-store.js";

export type Operation =
  | {
      readonly name: "add";
      readonly user: string;
      readonly events: readonly StoredEvent[];
      readonly keep: number;
    }
  | { readonly name: "history"; readonly user: string; readonly most: number }
  | { readonly name: "remove"; readonly user: string }
  | { readonly name: "check" };

/** The results of operations sent together, in order; or why none of them was done. */
export type Reply = { readonly results: unknown[] } | { readonly problem: string };

interface Pending {
  readonly operation: Operation;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: Error) => void;
}

/** The thread's program; tests that run the sources find it where it was built. */
function workerFile(): URL {
  const beside = new URL("./sqlite-worker.js", import.meta.url);
  return existsSync(fileURLToPath(beside))
    ? beside
    : new URL("../../../dist/serving/store/sqlite-worker.js", import.meta.url);
}

class SqliteStore implements HistoryStore {
  readonly kind = "sqlite";
  readonly #worker: Worker;
  #waiting: Pending[] = [];
  #sent: Pending[] = [];
  #ended: Error | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (reply: Reply) => this.#settle(reply));
    worker.on("error", (error) => this.#end(error));
    worker.on("exit", () => this.#end(new Error("the store was closed")));
  }

  async add(user: string, events: readonly StoredEvent[], keep: number): Promise<void> {
    await this.#ask({ name: "add", user, events, keep });
  }

  async history(user: string, most: number): Promise<StoredEvent[]> {
    return (await this.#ask({ name: "history", user, most })) as StoredEvent[];
  }

  async remove(user: string): Promise<number> {
    return Number(await this.#ask({ name: "remove", user }));
  }

  async check(): Promise<void> {
    await this.#ask({ name: "check" });
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    while (this.#waiting.length + this.#sent.length > 0)
      await Promise.allSettled([this.#ask({ name: "check" })]);
    this.#worker.postMessage("close");
    await once(this.#worker, "exit");
  }

  #ask(operation: Operation): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, resolve, reject });
      if (this.#waiting.length === 1 && this.#sent.length === 0) queueMicrotask(() => this.#send());
    });
  }

  /** Everything that waits goes together; what arrives meanwhile goes next. */
  #send(): void {
    if (this.#sent.length > 0 || this.#waiting.length === 0) return;
    this.#sent = this.#waiting;
    this.#waiting = [];
    this.#worker.postMessage(this.#sent.map(({ operation }) => operation));
  }

  #settle(reply: Reply): void {
    const settled = this.#sent;
    this.#sent = [];
    for (const [place, { resolve, reject }] of settled.entries())
      if ("problem" in reply) reject(new Error(`the store failed: ${reply.problem}`));
      else resolve(reply.results[place]);
    this.#send();
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of [...this.#sent, ...this.#waiting]) reject(error);
    this.#sent = [];
    this.#waiting = [];
  }
}

/** Opens the file, or makes it. Throws UserError where it cannot be used. */
export async function openSqlite(path: string): Promise<HistoryStore> {
  const worker = new Worker(workerFile(), { workerData: path });
  const [reply] = (await once(worker, "message")) as [Reply];
  if ("results" in reply) return new SqliteStore(worker);
  throw new UserError({
    place: path,
    problem: `cannot be used as a store of histories: ${reply.problem}`,
    expected: "a SQLite file that foldin serve has made, or a place where it can make one",
    remedy: "Name another with --store",
  });
}
