// A file that appears whole or not at all: written beside its place, flushed to the disk, then renamed over it.

import { type FileHandle, open, rename, rm } from "node:fs/promises";

/** Runs `write` on a new file beside `path` and renames it to `path` (replacing what was there); on failure nothing changes. */
export async function writeFileWhole(
  path: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const beside = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(beside, "w");
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
