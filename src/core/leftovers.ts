// Temporary names for files and folders that are being written: `.name.partial-<host>-<process>-<random>` next to the
// destination. The name identifies the process, so the next writer of the same destination can remove what a killed process
// left behind.

import { createHash, randomBytes } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";

const DAY = 86_400_000;
const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
/** Paths that this process is currently writing. */
const own = new Set<string>();

/** Calls `use` with a new temporary path next to `target`; anything that remains there afterwards is removed. */
export async function withPartial<T>(target: string, use: (partial: string) => Promise<T>): Promise<T> {
  const partial = temporaryPath(target, "partial");
  own.add(partial);
  try {
    return await use(partial);
  } finally {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
    own.delete(partial);
  }
}

/** A new temporary path next to `target`. */
export function temporaryPath(target: string, what: "partial" | "old"): string {
  const unique = `${host}-${process.pid}-${randomBytes(4).toString("hex")}`;
  return join(dirname(target), `.${basename(target)}.${what}-${unique}`);
}

/** Existing paths next to `target` with names from `temporaryPath`, including the format of earlier versions. */
export async function temporaryPaths(target: string, what: "partial" | "old"): Promise<string[]> {
  const prefix = `.${basename(target)}.${what}-`;
  const names = await readdir(dirname(target)).catch(() => [] as string[]);
  return names
    .filter(
      (name) => name.startsWith(prefix) && /^([0-9a-f]{8}-)?\d+-[0-9a-f]{8}$/.test(name.slice(prefix.length)),
    )
    .map((name) => join(dirname(target), name));
}

/**
 * Removes what killed processes left next to `target`: everything if the caller holds the lock of `target`, otherwise only
 * what no process can still be writing.
 */
export async function removeLeftovers(target: string, { locked = false } = {}): Promise<void> {
  for (const path of await temporaryPaths(target, "partial"))
    if (locked ? !own.has(path) : await isAbandoned(path))
      await rm(path, { recursive: true, force: true }).catch(() => {});
}

/** Whether a file in a folder written by foldin is an incomplete or temporary one. */
export function isLeftover(name: string): boolean {
  return /^\..+\.((partial|old)-[0-9a-f-]+|lock(-journal)?)$|\.\d+\.tmp$/.test(name);
}

/**
 * Whether the writing process has ended. If that cannot be known (another machine, or a process id that is in use again),
 * a path is abandoned after a day without changes.
 */
async function isAbandoned(path: string): Promise<boolean> {
  const [, of, id] = /\.partial-(?:([0-9a-f]{8})-)?(\d+)-[0-9a-f]{8}$/.exec(path) ?? [];
  const isHere = of === undefined || of === host;
  const owner = Number(id);
  if (isHere && owner === process.pid) return !own.has(path);
  if (isHere && !isRunning(owner)) return true;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > DAY;
}

/** Whether a process with this id exists on this machine. */
export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
