// Files and folders appear whole or not at all: they are written beside their destination, brought to the disk, and
// renamed. A writer that fails, or is stopped through its signal, leaves nothing behind.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { throwIfAborted, UserError } from "./errors.js";

export interface AtomicFolderOptions {
  /** Whether a folder that stands at the destination may be replaced; only one that holds `marker` ever is. */
  force?: boolean;
  /** The file by which a folder of ours is known ("manifest.json"). */
  marker: string;
  signal?: AbortSignal;
}

/**
 * Throws UserError where a folder may not be written: something stands there that is not an empty folder, and `force` is
 * not given, or what stands there is not ours. Call it before long work; `writeFolder` calls it too.
 */
export async function refuseToOverwrite(
  destination: string,
  { force = false, marker }: AtomicFolderOptions,
): Promise<void> {
  const entries = await readdir(destination).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [] as string[];
    if (error.code === "ENOTDIR")
      throw new UserError({
        place: destination,
        problem: "there is a file of this name",
        remedy: "Choose another folder",
      });
    throw error;
  });
  if (entries.length === 0) return;
  if (!force)
    throw new UserError({
      place: destination,
      problem: "the folder exists already",
      remedy: "Choose another one, or pass --force to replace it",
    });
  if (!entries.includes(marker))
    throw new UserError({
      place: destination,
      problem: `the folder holds no ${marker}, so it is not one of ours and is not replaced`,
      remedy: "Choose another folder, or empty this one yourself",
    });
}

/**
 * Lets `write` fill a temporary folder beside `destination`, then renames it. Parents are made. On an error or an abort
 * the temporary folder is removed and what stood at the destination before stays as it was.
 */
export async function writeFolder<T>(
  destination: string,
  options: AtomicFolderOptions,
  write: (folder: string) => Promise<T>,
): Promise<T> {
  const target = resolve(destination);
  await refuseToOverwrite(target, options);
  throwIfAborted(options.signal);
  await mkdir(dirname(target), { recursive: true });
  await sweep(target);
  const temporary = beside(target, "partial");
  try {
    await mkdir(temporary);
    const result = await write(temporary);
    throwIfAborted(options.signal);
    await syncTree(temporary);
    await refuseToOverwrite(target, options);
    await replace(temporary, target);
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Writes a file beside `path`, brings it to the disk, and renames it: a reader sees the old file or the new one. */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const target = resolve(path);
  const temporary = beside(target, "partial");
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(target));
}

/** A fresh name next to `target`, which says whose it is: `.name.partial-<process>-<random>`. */
function beside(target: string, what: string): string {
  const unique = `${process.pid}-${randomBytes(4).toString("hex")}`;
  return join(dirname(target), `.${basename(target)}.${what}-${unique}`);
}

/** Removes what a killed process left beside the same destination. */
async function sweep(target: string): Promise<void> {
  const prefix = `.${basename(target)}.partial-`;
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(prefix)) continue;
    const owner = Number(name.slice(prefix.length).split("-")[0]);
    if (Number.isInteger(owner) && owner > 0 && !isRunning(owner))
      await rm(join(dirname(target), name), { recursive: true, force: true });
  }
}

/** Whether a process of this number exists. */
export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function replace(temporary: string, target: string): Promise<void> {
  if (!existsSync(target)) {
    await rename(temporary, target);
  } else {
    const old = beside(target, "old");
    await rename(target, old);
    try {
      await rename(temporary, target);
    } catch (error) {
      await rename(old, target);
      throw error;
    }
    await rm(old, { recursive: true, force: true });
  }
  await syncFolder(dirname(target));
}

async function syncTree(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    if (!(await stat(path)).isFile()) continue;
    const file = await open(path, "r+");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
  await syncFolder(folder);
}

/** Brings a folder's own entries to the disk; a platform that cannot (Windows) is left alone. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  try {
    await handle?.sync();
  } catch {
    // Not every file system can sync a folder; the rename itself has happened.
  } finally {
    await handle?.close();
  }
}
