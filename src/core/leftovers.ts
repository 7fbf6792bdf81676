// What is being written has a name beside its destination that tells whose it is: `.name.partial-<host>-<process>-<random>`
// until it is whole. What a killed process left is known by that name, and removed by the next one that writes the same.

import { createHash, randomBytes } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";

const DAY = 86_400_000;
const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
/** What this process is writing now. */
const own = new Set<string>();

/** Lends `use` a fresh name beside `target`; whatever is there in the end is removed. */
export async function withPartial<T>(target: string, use: (partial: string) => Promise<T>): Promise<T> {
  const partial = nameBeside(target, "partial");
  own.add(partial);
  try {
    return await use(partial);
  } finally {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
    own.delete(partial);
  }
}

/** A fresh name next to `target`. */
export function nameBeside(target: string, what: "partial" | "old"): string {
  const unique = `${host}-${process.pid}-${randomBytes(4).toString("hex")}`;
  return join(dirname(target), `.${basename(target)}.${what}-${unique}`);
}

/** Full paths beside `target` with names that `nameBeside` gave, or a former version. */
export async function namesBeside(target: string, what: "partial" | "old"): Promise<string[]> {
  const prefix = `.${basename(target)}.${what}-`;
  const names = await readdir(dirname(target)).catch(() => [] as string[]);
  return names
    .filter(
      (name) => name.startsWith(prefix) && /^([0-9a-f]{8}-)?\d+-[0-9a-f]{8}$/.test(name.slice(prefix.length)),
    )
    .map((name) => join(dirname(target), name));
}

/**
 * Removes what killed processes left beside `target`: all of it where the caller has the lock of `target`, else what
 * nobody can be writing any more.
 */
export async function removeLeftovers(target: string, { locked = false } = {}): Promise<void> {
  for (const path of await namesBeside(target, "partial"))
    if (locked ? !own.has(path) : await isAbandoned(path))
      await rm(path, { recursive: true, force: true }).catch(() => {});
}

/** Whether a file inside a folder of ours is one that was not finished. */
export function isLeftover(name: string): boolean {
  return /^\..+\.((partial|old)-[0-9a-f-]+|lock(-journal)?)$|\.\d+\.tmp$/.test(name);
}

/** Of a process that has ended; one of another machine, or with a number that is in use again, after a day without a change. */
async function isAbandoned(path: string): Promise<boolean> {
  const [, of, id] = /\.partial-(?:([0-9a-f]{8})-)?(\d+)-[0-9a-f]{8}$/.exec(path) ?? [];
  const isHere = of === undefined || of === host;
  const owner = Number(id);
  if (isHere && owner === process.pid) return !own.has(path);
  if (isHere && !isRunning(owner)) return true;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > DAY;
}

/** Whether a process of this number exists on this machine. */
export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
