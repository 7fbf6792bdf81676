// The thread that owns the SQLite file: a commit waits for the disk, and the event loop must not. What arrives together is
// one transaction, so many writers share one wait.

import { parentPort, workerData } from "node:worker_threads";
import Database from "libsql";
import type { Operation, Reply } from "./sqlite-store.js";

/** What this version writes into the file, and the newest that it reads. */
const FORMAT = 1;

function open(path: string): Database.Database {
  const database = new Database(path);
  database.pragma("busy_timeout = 5000");
  database.pragma("journal_mode = WAL");
  // Each commit is on the disk before it is acknowledged.
  database.pragma("synchronous = FULL");
  const version = Number(database.prepare("PRAGMA user_version").pluck().get());
  if (version > FORMAT) throw new Error(`it has format ${version}, newer than this foldin understands`);
  database.exec(
    `CREATE TABLE IF NOT EXISTS events (
       user TEXT NOT NULL, item TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (user, item)
     ) WITHOUT ROWID`,
  );
  database.pragma(`user_version = ${FORMAT}`);
  return database;
}

const port = parentPort;
if (port) {
  try {
    const database = open(String(workerData));
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
    const perform = (operation: Operation): unknown => {
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
    const answer = (operations: readonly Operation[]): Reply => {
      const writes = operations.some(({ name }) => name === "add" || name === "remove");
      try {
        if (writes) database.exec("BEGIN IMMEDIATE");
        const results = operations.map(perform);
        if (writes) database.exec("COMMIT");
        return { results };
      } catch (error) {
        if (database.inTransaction) database.exec("ROLLBACK");
        return { problem: error instanceof Error ? error.message : String(error) };
      }
    };
    port.on("message", (message: readonly Operation[] | "close") => {
      if (message !== "close") return port.postMessage(answer(message));
      database.close();
      port.close();
    });
    port.postMessage({ results: [] } satisfies Reply);
  } catch (error) {
    port.postMessage({ problem: error instanceof Error ? error.message : String(error) } satisfies Reply);
    port.close();
  }
}
