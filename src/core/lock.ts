// Ensures that at most one process writes a path, with a SQLite lock: an operating system lock on a small database next to
// the path, `.name.lock`, which the system releases when the process ends, however it ends. The database names the holder.
// See docs/decisions/locks.md for the alternatives.

import { randomUUID } from "node:crypto";
import { constants, existsSync, statSync, unlinkSync } from "node:fs";
import { access, realpath, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "./errors.js";
import { makeFolders, removeEmptyFolders } from "./folders.js";
import { withSystemFault } from "./system-errors.js";

export interface LockOptions {
  /** Milliseconds to wait for another process to release the lock. Default 0. */
  patience?: number;
  /** Called if the file system does not support locks; the work is then done without a lock. */
  onNote?: (text: string) => void;
}

type LibsqlDatabase = InstanceType<typeof import("libsql")>;

interface Holder {
  readonly id: string;
  readonly process: number;
  readonly host: string;
  readonly since: string;
}

/** The locks held by this process; also released if the process exits during its work. */
const held = new Map<string, LibsqlDatabase>();
let watching = false;

/**
 * Runs `work` while holding the lock of `path`. Missing parents are created, and removed again if they stay empty. Throws
 * UserError, naming the process, if another process holds the lock.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  { patience = 0, onNote }: LockOptions = {},
): Promise<T> {
  const target = await realpath(path).catch(() => resolve(path));
  const made = await makeFolders(dirname(target));
  const file = join(dirname(target), `.${basename(target)}.lock`);
  try {
    await acquire(file, path, patience, onNote);
    try {
      return await work();
    } finally {
      release(file);
    }
  } finally {
    await removeEmptyFolders(made);
  }
}

/** Milliseconds until two processes that ask at the same moment find out which one has the lock. */
const ARBITRATION = 300;

async function acquire(
  file: string,
  path: string,
  patience: number,
  onNote: LockOptions["onNote"],
): Promise<void> {
  const { default: Database } = await import("libsql");
  const until = performance.now() + Math.max(patience, ARBITRATION);
  let holder: Holder | undefined;
  for (;;) {
    const before = holder?.id;
    try {
      const outcome = attempt(Database, file);
      if (outcome === "held") return;
      holder = outcome;
    } catch (error) {
      const { code = "", message } = error as Error & { code?: string };
      if (code === "SQLITE_NOTADB" || code === "SQLITE_CORRUPT")
        throw new UserError({
          place: file,
          problem: "is not a lock file of foldin",
          remedy: `Delete it if no process is writing ${path}`,
        });
      if (!code.startsWith("SQLITE_BUSY")) {
        await requireWritable(file, path);
        onNote?.(`${path} cannot be locked (${message}); make sure that no other process writes to it`);
        return;
      }
    }
    // A holder seen twice holds the lock; one seen only once may have just released it.
    const known = holder !== undefined && holder.id === before;
    if (performance.now() > until || (known && patience === 0)) throw isHeld(path, holder);
    await sleep(25);
  }
}

/**
 * Throws UserError with the system's reason if `path` cannot be written for the same reason that the lock file could not be
 * created. An existing path may be writable although no file can be created next to it.
 */
async function requireWritable(file: string, path: string): Promise<void> {
  try {
    await writeFile(file, " ");
    await rm(file);
  } catch (error) {
    const isThere = await access(path, constants.W_OK).then(
      () => true,
      () => false,
    );
    if (!isThere) throw withSystemFault(error, path);
  }
}

function isHeld(path: string, holder: Holder | undefined): UserError {
  const { process: id, host, since } = holder ?? {};
  const who =
    holder === undefined
      ? "another process"
      : `process ${id}${host === hostname() ? "" : ` on ${host}`}${id === process.pid && host === hostname() ? ", this one" : ""}, since ${since}`;
  return new UserError({
    place: path,
    problem: `is being written by another foldin (${who})`,
    remedy: "Wait until it has finished, or stop it",
  });
}

/** Acquires the lock, or returns its holder; undefined while the holder changes. Synchronous, so that calls in this process do not compete. */
function attempt(Database: typeof import("libsql"), file: string): "held" | Holder | undefined {
  const database = new Database(file, { timeout: 0 });
  try {
    const own = { id: randomUUID(), process: process.pid, host: hostname(), since: timeNow() };
    try {
      database.exec("BEGIN IMMEDIATE");
    } catch (error) {
      if (!isBusy(error)) throw error;
      return holderOf(database);
    }
    database.exec("CREATE TABLE IF NOT EXISTS holder (text TEXT)");
    database.exec("DELETE FROM holder");
    database.prepare("INSERT INTO holder VALUES (?)").run(JSON.stringify(own));
    database.exec("COMMIT");
    // This transaction stays open as the lock. Other processes can still read the holder.
    database.exec("BEGIN IMMEDIATE");
    if (holderOf(database)?.id === own.id && isAt(Database, file, own.id)) {
      held.set(file, database);
      watch();
      return "held";
    }
    return undefined;
  } catch (error) {
    if (isBusy(error)) return undefined;
    removeEmpty(file);
    throw error;
  } finally {
    if (held.get(file) !== database) database.close();
  }
}

/** Removes a lock file that could be created but not written. An empty file is never a valid lock, see `isAt`. */
function removeEmpty(file: string): void {
  try {
    if (statSync(file).size === 0) unlinkSync(file);
  } catch {
    // The file does not exist, or the folder is read-only.
  }
}

/** Whether the locked file is still at its path: the previous holder deletes the file when it releases the lock. */
function isAt(Database: typeof import("libsql"), file: string, id: string): boolean {
  if (!existsSync(file)) return false;
  const again = new Database(file, { timeout: 0 });
  try {
    return holderOf(again)?.id === id;
  } finally {
    again.close();
  }
}

function holderOf(database: LibsqlDatabase): Holder | undefined {
  try {
    const row = database.prepare("SELECT text FROM holder").get() as { text: string } | undefined;
    return row && (JSON.parse(row.text) as Holder);
  } catch {
    // The holder is being written.
    return undefined;
  }
}

/**
 * Whether another process, or this one, appears to be writing `path`: there is a lock file whose holder is alive. The lock is not
 * touched. A holder on another machine counts as alive.
 */
export async function isBeingWritten(path: string): Promise<boolean> {
  const target = await realpath(path).catch(() => resolve(path));
  const file = join(dirname(target), `.${basename(target)}.lock`);
  if (!existsSync(file)) return false;
  const { default: Database } = await import("libsql");
  try {
    const database = new Database(file, { timeout: 0, readonly: true });
    try {
      const holder = holderOf(database);
      return holder !== undefined && (holder.host !== hostname() || isRunning(holder.process));
    } finally {
      database.close();
    }
  } catch {
    // Released meanwhile, or not a lock file.
    return false;
  }
}

function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function isBusy(error: unknown): boolean {
  return ((error as { code?: string }).code ?? "").startsWith("SQLITE_BUSY");
}

const timeNow = (): string => new Date().toISOString().slice(0, 19).replace("T", " ");

/** Deletes the file while it is still locked, so that no process locks a file that is about to be deleted. */
function release(file: string): void {
  const database = held.get(file);
  if (!database) return;
  held.delete(file);
  try {
    unlinkSync(file);
    database.close();
  } catch {
    // Windows does not delete open files.
    database.close();
    try {
      unlinkSync(file);
    } catch {
      // A leftover lock file without a lock is harmless.
    }
  }
}

function watch(): void {
  if (watching) return;
  watching = true;
  process.once("exit", () => {
    for (const file of [...held.keys()]) release(file);
  });
}
