// Histories in a SQLite file (write-ahead log, synchronous = FULL): no server, and what was acknowledged survives a crash.

import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { UserError } from "../../core/errors.js";
import { type HistoryStore, type StoredEvent, StoreError, type StoreTrouble } from "./history-store.js";
import { Line } from "./line.js";

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

/** Reads, and writes, go to the thread in lanes of their own: a read never waits for a write that waits. */
export type Lane = "read" | "write";

/** Operations that are done together. */
export interface Batch {
  readonly lane: Lane;
  readonly operations: readonly Operation[];
}

/** The results of a batch, in order; or why none of its operations was done; or something to tell the operator. */
export type Reply =
  | { readonly lane: Lane; readonly results: unknown[] }
  | { readonly lane: Lane; readonly trouble: StoreTrouble; readonly problem: string }
  | { readonly notice: string };

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
  readonly #lines: Readonly<Record<Lane, Line<Operation>>>;
  /** Who waits for the thread's reply. */
  readonly #asked: {
    [lane in Lane]?: { resolve(results: unknown[]): void; reject(error: StoreError): void };
  } = {};
  #ended: StoreError | undefined;

  constructor(worker: Worker, onError: ((error: Error) => void) | undefined) {
    this.#worker = worker;
    const line = (lane: Lane) => new Line<Operation>((operations) => this.#send({ lane, operations }));
    this.#lines = { read: line("read"), write: line("write") };
    worker.on("message", (reply: Reply) => {
      if ("notice" in reply) onError?.(new Error(reply.notice));
      else this.#settle(reply);
    });
    worker.on("error", ({ message }) => this.#end(new StoreError("failed", message)));
    worker.on("exit", () => this.#end(new StoreError("failed", "the store was closed")));
  }

  async add(user: string, events: readonly StoredEvent[], keep: number): Promise<void> {
    await this.#lines.write.ask({ name: "add", user, events, keep });
  }

  async history(user: string, most: number): Promise<StoredEvent[]> {
    return (await this.#lines.read.ask({ name: "history", user, most })) as StoredEvent[];
  }

  async remove(user: string): Promise<number> {
    return Number(await this.#lines.write.ask({ name: "remove", user }));
  }

  async check(): Promise<void> {
    await this.#lines.read.ask({ name: "check" });
  }

  async close(): Promise<void> {
    await Promise.all([this.#lines.read.idle(), this.#lines.write.idle()]);
    if (this.#ended) return;
    this.#worker.postMessage("close");
    await once(this.#worker, "exit");
  }

  #send(batch: Batch): Promise<unknown[]> {
    if (this.#ended) return Promise.reject(this.#ended);
    this.#worker.postMessage(batch);
    return new Promise((resolve, reject) => {
      this.#asked[batch.lane] = { resolve, reject };
    });
  }

  #settle(reply: Exclude<Reply, { notice: string }>): void {
    const asked = this.#asked[reply.lane];
    if ("problem" in reply) asked?.reject(new StoreError(reply.trouble, reply.problem));
    else asked?.resolve(reply.results);
  }

  #end(error: StoreError): void {
    this.#ended ??= error;
    for (const asked of Object.values(this.#asked)) asked?.reject(error);
  }
}

/** Opens the file, or makes it; `onError` hears of a file that was replaced. Throws UserError where it cannot be used. */
export async function openSqlite(path: string, onError?: (error: Error) => void): Promise<HistoryStore> {
  const worker = new Worker(workerFile(), { workerData: path });
  const [reply] = (await once(worker, "message")) as [Reply];
  if ("results" in reply) return new SqliteStore(worker, onError);
  throw new UserError({
    place: path,
    problem: `cannot be used as a store of histories: ${"problem" in reply ? reply.problem : ""}`,
    expected: "a SQLite file that foldin serve has made, or a place where it can make one",
    remedy: "Name another with --store",
  });
}
