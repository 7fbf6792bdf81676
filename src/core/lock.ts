// At most one process writes a path. The lock is SQLite's: a lock of the operating system on a small database beside the
// path, `.name.lock`, which the system itself takes back when the process ends, however it ends. The database says who holds
// it. See docs/decisions/locks.md for what else was considered.

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
  /** Milliseconds to wait for another process to end its work. Default 0. */
  patience?: number;
  /** Hears where the file system cannot lock, and the work goes on without. */
  onNote?: (text: string) => void;
}

type LibsqlDatabase = InstanceType<typeof import("libsql")>;

interface Holder {
  readonly id: string;
  readonly process: number;
  readonly host: string;
  readonly since: string;
}

/** Locks of this process: removed also where it ends in the middle of its work. */
const held = new Map<string, LibsqlDatabase>();
let watching = false;

/**
 * Does `work` while no other process that asks for the same lock may write `path`. Missing parents are made, and removed
 * again where nothing is put into them. Throws UserError, naming the process, where another one holds the lock.
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

/** How long two processes that ask at the same moment may take to find out who was first. */
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
          problem: "is not a lock that foldin made",
          remedy: `Remove it, if nothing is writing ${path}`,
        });
      if (!code.startsWith("SQLITE_BUSY")) {
        await requireWritable(file, path);
        onNote?.(`${path} cannot be locked (${message}): take care that no other process writes it`);
        return;
      }
    }
    // A name that stays is the holder's; at first it may be that of a process that has just left.
    const known = holder !== undefined && holder.id === before;
    if (performance.now() > until || (known && patience === 0)) throw isHeld(path, holder);
    await sleep(25);
  }
}

/**
 * Throws UserError, with the system's own words, where the reason that a lock file could not be made keeps `path` from being
 * written, too. What is there already may be written although nothing can be put beside it.
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
    remedy: "Wait until that has ended, or stop it",
  });
}

/** Takes the lock, or says who has it; undefined where that is just changing. Synchronous, so that this process is not its own rival. */
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
    // This lock is kept. Others can read meanwhile, and so see the name.
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

/** A file that could be made and not written. Nobody relies on one that is empty: see `isAt`. */
function removeEmpty(file: string): void {
  try {
    if (statSync(file).size === 0) unlinkSync(file);
  } catch {
    // It is not there, or the folder is read-only.
  }
}

/** Whether the file that is locked is still the one at its place: its former holder removes it when it lets go. */
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
    // It is just being written.
    return undefined;
  }
}

function isBusy(error: unknown): boolean {
  return ((error as { code?: string }).code ?? "").startsWith("SQLITE_BUSY");
}

const timeNow = (): string => new Date().toISOString().slice(0, 19).replace("T", " ");

/** Removes the file while it is still locked, so that nobody locks one that is about to go. */
function release(file: string): void {
  const database = held.get(file);
  if (!database) return;
  held.delete(file);
  try {
    unlinkSync(file);
    database.close();
  } catch {
    // Windows removes no open file.
    database.close();
    try {
      unlinkSync(file);
    } catch {
      // An unlocked file of this name does no harm.
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
