// Histories in a SQLite file (write-ahead log, synchronous = FULL): needs no database server, and acknowledged writes
// survive a crash.

import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { UserError } from "../../core/errors.js";
import { BatchQueue } from "./batch-queue.js";
import { type HistoryStore, type StoredEvent, StoreError, type StoreTrouble } from "./history-store.js";

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

/** Reads and writes have separate lanes to the thread, so that a read does not wait for a blocked write. */
export type Lane = "read" | "write";

/** Operations that are done together. */
export interface Batch {
  readonly lane: Lane;
  readonly operations: readonly Operation[];
}

/** The results of a batch, in order; or why none of its operations was done; or a notice for the operator. */
export type Reply =
  | { readonly lane: Lane; readonly results: unknown[] }
  | { readonly lane: Lane; readonly trouble: StoreTrouble; readonly problem: string }
  | { readonly notice: string };

/** The program of the thread. Tests that run from the sources use the built file. */
function workerFile(): URL {
  const adjacent = new URL("./sqlite-worker.js", import.meta.url);
  return existsSync(fileURLToPath(adjacent))
    ? adjacent
    : new URL("../../../dist/serving/store/sqlite-worker.js", import.meta.url);
}

class SqliteStore implements HistoryStore {
  readonly kind = "sqlite";
  readonly #worker: Worker;
  readonly #queues: Readonly<Record<Lane, BatchQueue<Operation>>>;
  /** Callbacks that wait for the reply of the thread. */
  readonly #asked: {
    [lane in Lane]?: { resolve(results: unknown[]): void; reject(error: StoreError): void };
  } = {};
  #ended: StoreError | undefined;

  constructor(worker: Worker, onError: ((error: Error) => void) | undefined) {
    this.#worker = worker;
    const queue = (lane: Lane) => new BatchQueue<Operation>((operations) => this.#send({ lane, operations }));
    this.#queues = { read: queue("read"), write: queue("write") };
    worker.on("message", (reply: Reply) => {
      if ("notice" in reply) onError?.(new Error(reply.notice));
      else this.#settle(reply);
    });
    worker.on("error", ({ message }) => this.#end(new StoreError("failed", message)));
    worker.on("exit", () => this.#end(new StoreError("failed", "the store was closed")));
  }

  async add(user: string, events: readonly StoredEvent[], keep: number): Promise<void> {
    await this.#queues.write.ask({ name: "add", user, events, keep });
  }

  async history(user: string, most: number): Promise<StoredEvent[]> {
    return (await this.#queues.read.ask({ name: "history", user, most })) as StoredEvent[];
  }

  async remove(user: string): Promise<number> {
    return Number(await this.#queues.write.ask({ name: "remove", user }));
  }

  async check(): Promise<void> {
    await this.#queues.read.ask({ name: "check" });
  }

  async close(): Promise<void> {
    await Promise.all([this.#queues.read.idle(), this.#queues.write.idle()]);
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

/** Opens the file, or creates it. `onError` is called if the file is replaced. Throws UserError if it cannot be used. */
export async function openSqlite(path: string, onError?: (error: Error) => void): Promise<HistoryStore> {
  const worker = new Worker(workerFile(), { workerData: path });
  const [reply] = (await once(worker, "message")) as [Reply];
  if ("results" in reply) return new SqliteStore(worker, onError);
  throw new UserError({
    place: path,
    problem: `cannot be used as a history store: ${"problem" in reply ? reply.problem : ""}`,
    expected: "a SQLite file created by foldin serve, or a path where it can create one",
    remedy: "Choose another with --store",
  });
}
