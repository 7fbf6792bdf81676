// Writes files atomically: to a temporary file next to the destination, which is flushed to disk and then renamed.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UserError } from "./errors.js";
import { removeLeftovers, temporaryPath, withPartial } from "./leftovers.js";
import { withSystemFault } from "./system-errors.js";

/**
 * Runs `write` on a temporary file next to `path` and renames it to `path`, replacing an existing file. On failure nothing
 * changes. Throws UserError if the system cannot write the file (disk full, no permission).
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

/** Writes data atomically, as `writeFileWhole`. */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await writeFileWhole(path, (file) => file.writeFile(data));
}

/** Synchronous version of `writeFileAtomic`, for listeners that cannot wait. */
export function writeFileAtomicSync(path: string, data: string): void {
  const target = resolve(path);
  const partial = temporaryPath(target, "partial");
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

/** Throws UserError if `path` is a folder, or an existing file and `force` is not set. */
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
      problem: "the file already exists",
      remedy: "Choose another file, or use --force to replace it",
    });
}

/** Flushes the entries of a folder to disk; does nothing on platforms that cannot (Windows). */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  try {
    await handle?.sync();
  } catch {
    // Not every file system can sync a folder, and the rename itself has succeeded.
  } finally {
    await handle?.close();
  }
}
