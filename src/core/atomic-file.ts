// A file that appears whole or not at all: written beside its place, flushed to the disk, then renamed over it.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UserError } from "./errors.js";
import { nameBeside, removeLeftovers, withPartial } from "./leftovers.js";
import { withSystemFault } from "./system-errors.js";

/**
 * Runs `write` on a new file beside `path` and renames it to `path`, replacing what was there; on failure nothing changes.
 * Throws UserError where the system cannot write it (a full disk, a missing permission).
 */
export async function writeFileWhole(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const target = resolve(path);
  await removeLeftovers(target);
  try {
    await withPartial(target, async (partial) => {
      const file = await open(partial, "wx");
      try {
        await write(file);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, target);
    });
  } catch (error) {
    throw withSystemFault(error, path);
  }
  await syncFolder(dirname(target));
}

/** Writes data as `writeFileWhole` does. */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await writeFileWhole(path, (file) => file.writeFile(data));
}

/** The same at once, for listeners that cannot wait. */
export function writeFileAtomicSync(path: string, data: string): void {
  const target = resolve(path);
  const partial = nameBeside(target, "partial");
  try {
    const file = openSync(partial, "wx");
    try {
      writeFileSync(file, data);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { force: true });
    throw withSystemFault(error, path);
  }
}

/** Throws UserError where a file may not be written: a folder is there, or a file that may not be replaced. */
export async function requireFreeFile(path: string, { force = false } = {}): Promise<void> {
  const there = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw withSystemFault(error, path);
  });
  if (there?.isDirectory())
    throw new UserError({ place: path, problem: "is a folder", expected: "a file to write" });
  if (there && !force)
    throw new UserError({
      place: path,
      problem: "there is a file of this name already",
      remedy: "Choose another one, or replace it with --force",
    });
}

/** Brings a folder's own entries to the disk; a platform that cannot (Windows) is left alone. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  try {
    await handle?.sync();
  } catch {
    // Not every file system can sync a folder; the rename itself has happened.
  } finally {
    await handle?.close();
  }
}
