// A SQLite file of histories, as its thread holds it: opened with the guards that keep other programs' files and newer
// formats untouched, and watched, because SQLite goes on writing into a file that was deleted or replaced.

import { chmodSync, closeSync, openSync, rmSync, statfsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import Database from "libsql";
import { STORE_FORMAT } from "./history-store.js";

export type Sqlite = Database.Database;

/** Only the user that the server runs as may read what its users touched. */
const PRIVATE = 0o600;
/** Milliseconds to wait for another process while the file is opened. */
const OPEN_WAIT = 5_000;
/** Below so many free bytes a disk counts as full: SQLite's log grows in steps, and the system needs some. */
const LEAST_FREE = 256 * 1024;
const COLUMNS = ["user", "item", "at"];

/** Which file a path means at the moment: its device and inode. */
function identityOf(path: string): string | undefined {
  try {
    const there = statSync(path, { bigint: true, throwIfNoEntry: false });
    return there && `${there.dev}:${there.ino}`;
  } catch {
    // Its folder is a folder no more.
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

  /** Opens the file, or makes it. Throws Error, saying why, where it is not one of ours or cannot be used. */
  constructor(path: string) {
    this.path = resolve(path);
    this.database = open(this.path, true);
    this.#remember();
  }

  /**
   * Compares the files at the path with those that are open. A file that took their place is opened instead, as is the
   * database again where only its log was deleted. "gone" where there is none. What the log holds is first written into
   * the file that it belongs to, wherever that is by now; "busy" where another process does not let that happen.
   */
  verify(): "same" | "opened again" | "gone" | "busy" {
    const { path } = this;
    const now = identityOf(path);
    if (now === undefined) {
      try {
        this.#leave();
      } catch {
        // Nothing depends on it, unless the file comes back.
      }
      return "gone";
    }
    const log = identityOf(`${path}-wal`);
    const memory = identityOf(`${path}-shm`);
    if (this.database.open && now === this.#identity && log === this.#log && memory === this.#memory)
      return "same";
    if (!this.#leave()) return "busy";
    // The log of the file before would be taken for the new one's, and spoil it.
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

  /** Whether the disk is full, or the file has reached the size that it may have. */
  isFull(): boolean {
    const { blocks, bavail, bsize } = statfsSync(dirname(this.path));
    // Some network file systems give no numbers.
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

  /** Closes the database with everything in its file; false where that cannot be yet. */
  #leave(): boolean {
    if (!this.database.open) return true;
    // The driver closes for good only once its statements are collected, so that closing alone does not do it.
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
  // Made before SQLite does: its log and its shared memory get the mode of the file.
  if (!there && make) closeSync(openSync(path, "a", PRIVATE));
  const database = new Database(path);
  try {
    database.pragma(`busy_timeout = ${OPEN_WAIT}`);
    requireOurs(database);
    database.pragma("journal_mode = WAL");
    for (const file of [path, `${path}-wal`, `${path}-shm`]) makePrivate(file);
    // Each commit is on the disk before it is acknowledged.
    database.pragma("synchronous = FULL");
    // What is forgotten is overwritten.
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
    // The log and the shared memory are there once something was read.
    database.prepare("SELECT 1 FROM events LIMIT 1").get();
    database.pragma("busy_timeout = 0");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Refuses a newer format, and files of other programs, before anything in them is touched. */
function requireOurs(database: Sqlite): void {
  const version = Number(pragma(database, "user_version"));
  if (version > STORE_FORMAT)
    throw new Error(`it has format ${version}, newer than this foldin understands (${STORE_FORMAT})`);
  const tables = (
    database.prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").all() as {
      name: string;
    }[]
  ).map(({ name }) => name);
  const columns = (database.pragma("table_info(events)") as { name: string }[]).map(({ name }) => name);
  const ours = tables.includes("events") && COLUMNS.every((name, c) => columns[c] === name);
  if (version === STORE_FORMAT && ours) return;
  // One that was killed before it had marked its file.
  if (version === 0 && (tables.length === 0 || (ours && tables.length === 1))) return;
  throw new Error(
    ours ? `its format is ${version}, which is not one of foldin's` : "it is another program's database",
  );
}

/** Where that is not ours to change, the mode stays as it is. */
function makePrivate(file: string): void {
  try {
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, PRIVATE);
  } catch {}
}
