// The thread that owns the SQLite file, because a commit waits for the disk and would block the event loop. Operations that
// arrive together share one transaction. If another process holds a lock, a write is retried until its timeout, and reads
// continue.

import { parentPort, workerData } from "node:worker_threads";
import { STORE_FORMAT, type StoreTrouble } from "./history-store.js";
import { type Sqlite, SqliteFile } from "./sqlite-file.js";
import type { Batch, Operation, Reply } from "./sqlite-store.js";

/** Milliseconds during which a batch is retried while the file is locked, and between two attempts. */
const LOCKED_WAIT = { read: 1_000, write: 4_000 };
const TRY_AGAIN = 20;
/** Milliseconds between attempts to empty the log, which may contain deleted data, while other processes read it. */
const ERASE_AGAIN = 500;

/** Maximum attempts to write a batch if the file is replaced in the meantime. */
const MOST_REPLACED = 3;

/** Does one operation. Statements are prepared once per opened file. */
type Perform = (operation: Operation) => unknown;

function performer(database: Sqlite): Perform {
  const insert = database.prepare(
    "INSERT INTO events VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
  );
  const trim = database.prepare(
    "DELETE FROM events WHERE user = ? AND item IN (SELECT item FROM events WHERE user = ? ORDER BY at DESC, item LIMIT -1 OFFSET ?)",
  );
  const select = database.prepare(
    "SELECT item, at FROM events WHERE user = ? ORDER BY at DESC, item LIMIT ?",
  );
  const remove = database.prepare("DELETE FROM events WHERE user = ?");
  return (operation) => {
    switch (operation.name) {
      case "add":
        for (const { item, at } of operation.events) insert.run(operation.user, item, at);
        trim.run(operation.user, operation.user, operation.keep);
        return undefined;
      case "history":
        return (select.all(operation.user, operation.most) as { item: string; at: number }[])
          .map(({ item, at }) => ({ item, at: Number(at) }))
          .reverse();
      case "remove":
        return remove.run(operation.user).changes;
      case "check":
        return select.get("", 1) && undefined;
    }
  };
}

class FileGone extends Error {}
class FileLocked extends Error {}
class DiskFull extends Error {}

class Thread {
  readonly #file: SqliteFile;
  readonly #send: (reply: Reply) => void;
  #perform: Perform;
  /** Whether the last write failed because the disk was full. */
  #full = false;
  /** Whether the file was missing at the last check. */
  #gone = false;
  #erasing: NodeJS.Timeout | undefined;

  constructor(path: string, send: (reply: Reply) => void) {
    this.#file = new SqliteFile(path);
    this.#send = send;
    this.#perform = performer(this.#file.database);
  }

  answer(batch: Batch, until = performance.now() + LOCKED_WAIT[batch.lane]): void {
    const { lane, operations } = batch;
    try {
      this.#send({ lane, results: lane === "write" ? this.#write(operations) : this.#read(operations) });
    } catch (error) {
      const trouble = troubleOf(error);
      if (trouble === "busy" && performance.now() < until)
        return void setTimeout(() => this.answer(batch, until), TRY_AGAIN);
      if (trouble === "full") this.#full = true;
      this.#send({ lane, trouble, problem: error instanceof Error ? error.message : String(error) });
    }
  }

  close(): void {
    clearTimeout(this.#erasing);
    this.#file.close();
  }

  #read(operations: readonly Operation[]): unknown[] {
    this.#verify();
    if (operations.some(({ name }) => name === "check")) this.#requireSpace();
    return operations.map(this.#perform);
  }

  #write(operations: readonly Operation[]): unknown[] {
    this.#verify();
    for (let tries = 0; tries < MOST_REPLACED; tries++) {
      const results = this.#transaction(() => operations.map(this.#perform));
      // If the file was deleted in the meantime, the events are lost with it: write them to the new file or report failure.
      if (this.#verify() !== "same") continue;
      this.#full = false;
      if (operations.some(({ name }, o) => name === "remove" && results[o] !== 0)) this.#erase();
      return results;
    }
    throw new FileLocked(`${this.#file.path} was replaced repeatedly during a write`);
  }

  #transaction<T>(work: () => T): T {
    const { database } = this.#file;
    try {
      database.exec("BEGIN IMMEDIATE");
      const result = work();
      database.exec("COMMIT");
      return result;
    } catch (error) {
      if (database.inTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Throws FileGone if the file no longer exists, and FileLocked if a replaced file is still locked. */
  #verify(): "same" | "opened again" {
    const found = this.#file.verify();
    if (found === "gone") {
      const problem = `${this.#file.path} was deleted or moved`;
      if (!this.#gone)
        this.#send({
          notice: `${problem}: nothing is stored until it is restored or the server is restarted`,
        });
      this.#gone = true;
      throw new FileGone(problem);
    }
    this.#gone = false;
    if (found === "busy") throw new FileLocked(`${this.#file.path} was replaced and is locked`);
    if (found === "opened again") {
      this.#perform = performer(this.#file.database);
      this.#send({ notice: `${this.#file.path} was replaced or its log was deleted; reopened it` });
    }
    return found;
  }

  /** Throws DiskFull if the next write would fail. After a write that failed, only another write can show that there is space again. */
  #requireSpace(): void {
    if (this.#file.isFull()) throw new DiskFull("there is no space left on its disk");
    if (!this.#full) return;
    this.#transaction(() => this.#file.database.exec(`PRAGMA user_version = ${STORE_FORMAT}`));
    this.#full = false;
  }

  /** Empties the log, which still contains the pages from before a deletion. */
  #erase(): void {
    clearTimeout(this.#erasing);
    let busy = true;
    try {
      const [row] = this.#file.database.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
      busy = row.busy !== 0;
    } catch {
      // The same fault makes writes fail, and is reported there.
    }
    if (busy) this.#erasing = setTimeout(() => this.#erase(), ERASE_AGAIN);
  }
}

function troubleOf(error: unknown): StoreTrouble {
  if (error instanceof FileGone) return "gone";
  if (error instanceof FileLocked) return "busy";
  if (error instanceof DiskFull) return "full";
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return "busy";
  return /^SQLITE_FULL/.test(code) ? "full" : "failed";
}

const port = parentPort;
if (port) {
  try {
    const thread = new Thread(String(workerData), (reply) => port.postMessage(reply));
    port.on("message", (message: Batch | "close") => {
      if (message !== "close") return thread.answer(message);
      thread.close();
      // Ends this thread only. Deno's port has no close().
      process.exit();
    });
    port.postMessage({ lane: "read", results: [] } satisfies Reply);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    port.postMessage({ lane: "read", trouble: "failed", problem } satisfies Reply);
    process.exit();
  }
}
