// A SQLite file of histories, as opened by its thread. Files of other programs and newer formats are rejected unchanged.
// The file is checked before each use, because SQLite keeps writing to a file that was deleted or replaced.

import { chmodSync, closeSync, openSync, rmSync, statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "libsql";
import { STORE_FORMAT } from "./history-store.js";

export type Sqlite = Database.Database;

/** Only the operating system user of the server may read the histories. */
const PRIVATE = 0o600;
/** Milliseconds to wait for another process when opening the file. */
const OPEN_WAIT = 5_000;
/** With fewer free bytes a disk counts as full: SQLite's log grows in steps, and the system needs some space too. */
const LEAST_FREE = 256 * 1024;
const COLUMNS = ["user", "item", "at"];

/** The device and inode of the file that is currently at a path. */
function identityOf(path: string): string | undefined {
  try {
    const there = statSync(path, { bigint: true, throwIfNoEntry: false });
    return there && `${there.dev}:${there.ino}`;
  } catch {
    // The parent is no longer a folder.
    return undefined;
  }
}

function pragma(database: Sqlite, name: string): unknown {
  const [row] = database.pragma(name) as Record<string, unknown>[];
  return row?.[name];
}

export class SqliteFile {
  readonly path: string;
  database: Sqlite;
  #identity: string | undefined;
  #log: string | undefined;
  #memory: string | undefined;

  /** Opens the file, or creates it. Throws Error if it was not created by foldin or cannot be used. */
  constructor(path: string) {
    this.path = resolve(path);
    this.database = open(this.path, true);
    this.#remember();
  }

  /**
   * Compares the files at the path with the open ones. If the file was replaced, the new one is opened; if only its log was
   * deleted, the database is opened again. Returns "gone" if there is no file. Before that, the log is written to the file
   * that it belongs to, even if that was moved; returns "busy" if another process prevents this.
   */
  verify(): "same" | "opened again" | "gone" | "busy" {
    const { path } = this;
    const now = identityOf(path);
    if (now === undefined) {
      try {
        this.#leave();
      } catch {
        // Only relevant if the file comes back.
      }
      return "gone";
    }
    const log = identityOf(`${path}-wal`);
    const memory = identityOf(`${path}-shm`);
    if (this.database.open && now === this.#identity && log === this.#log && memory === this.#memory)
      return "same";
    if (!this.#leave()) return "busy";
    // SQLite would apply the log of the previous file to the new one and corrupt it.
    if (now !== this.#identity)
      for (const [suffix, known] of [
        ["-wal", this.#log],
        ["-shm", this.#memory],
      ])
        if (known !== undefined && identityOf(path + suffix) === known)
          rmSync(path + suffix, { force: true });
    this.database = open(path, false);
    this.#remember();
    return "opened again";
  }

  /** Whether the disk is full or the file has reached its maximum size. */
  isFull(): boolean {
    const { blocks, bavail, bsize } = statfsSync(dirname(this.path));
    // Some network file systems do not report free space.
    if (blocks > 0 && bavail * bsize < LEAST_FREE) return true;
    const [most, pages, free] = ["max_page_count", "page_count", "freelist_count"].map((name) =>
      Number(pragma(this.database, name)),
    );
    return pages >= most && free === 0;
  }

  close(): void {
    try {
      this.#leave();
    } finally {
      if (this.database.open) this.database.close();
    }
  }

  /** Writes the log to the database file and closes it; false if that is not possible yet. */
  #leave(): boolean {
    if (!this.database.open) return true;
    // Closing alone does not write the log: the driver releases the file only once its statements are garbage-collected.
    const [{ busy }] = this.database.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
    if (busy !== 0) return false;
    this.database.close();
    return true;
  }

  #remember(): void {
    this.#identity = identityOf(this.path);
    this.#log = identityOf(`${this.path}-wal`);
    this.#memory = identityOf(`${this.path}-shm`);
  }
}

function open(path: string, make: boolean): Sqlite {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there && !there.isFile()) throw new Error("it is not a file");
  // Create the file before SQLite does, because its log and shared memory get the mode of the file.
  if (!there && make) closeSync(openSync(path, "a", PRIVATE));
  const database = new Database(path);
  try {
    database.pragma(`busy_timeout = ${OPEN_WAIT}`);
    requireOurs(database);
    database.pragma("journal_mode = WAL");
    for (const file of [path, `${path}-wal`, `${path}-shm`]) makePrivate(file);
    // Each commit is on the disk before it is acknowledged.
    database.pragma("synchronous = FULL");
    // Deleted data is overwritten.
    database.pragma("secure_delete = ON");
    if (pragma(database, "user_version") === 0) {
      database.exec("BEGIN IMMEDIATE");
      database.exec(
        `CREATE TABLE IF NOT EXISTS events (
           user TEXT NOT NULL, item TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (user, item)
         ) WITHOUT ROWID`,
      );
      database.pragma(`user_version = ${STORE_FORMAT}`);
      database.exec("COMMIT");
    }
    // The log and the shared memory exist after the first read.
    database.prepare("SELECT 1 FROM events LIMIT 1").get();
    database.pragma("busy_timeout = 0");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Rejects newer formats and files of other programs before anything in them is changed. */
function requireOurs(database: Sqlite): void {
  const version = Number(pragma(database, "user_version"));
  if (version > STORE_FORMAT)
    throw new Error(`it has format ${version}, newer than this version of foldin supports (${STORE_FORMAT})`);
  const tables = (
    database.prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").all() as {
      name: string;
    }[]
  ).map(({ name }) => name);
  const columns = (database.pragma("table_info(events)") as { name: string }[]).map(({ name }) => name);
  const ours = tables.includes("events") && COLUMNS.every((name, c) => columns[c] === name);
  if (version === STORE_FORMAT && ours) return;
  // Left by a process that was killed before it set the version.
  if (version === 0 && (tables.length === 0 || (ours && tables.length === 1))) return;
  throw new Error(ours ? `it has the unknown format ${version}` : "it is the database of another program");
}

/** Makes a file private; ignores failures, because the file may belong to another user. */
function makePrivate(file: string): void {
  try {
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, PRIVATE);
  } catch {}
}
