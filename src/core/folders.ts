// The only code that creates folders. Node's recursive mkdir does not terminate if the system reports that a folder cannot
// be created although its parent exists (pseudo file systems, some network mounts); here every level is one call.

import { lstat, mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UserError } from "./errors.js";
import { systemFault } from "./system-errors.js";

/**
 * Creates a folder and its missing parents; returns the created folders, outermost first. Throws UserError if a folder
 * cannot be created or a file with its name exists; folders created before that are removed.
 */
export async function makeFolders(path: string): Promise<string[]> {
  const missing = await missingLevels(resolve(path));
  const made: string[] = [];
  try {
    for (const folder of missing) if (await makeOne(folder)) made.push(folder);
    return made;
  } catch (error) {
    await removeEmptyFolders(made);
    throw error;
  }
}

/** Removes folders that `makeFolders` created, if they are empty. */
export async function removeEmptyFolders(made: readonly string[]): Promise<void> {
  for (const folder of made.toReversed()) await rmdir(folder).catch(() => {});
}

/** The missing levels of a path, outermost first. */
async function missingLevels(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw cannotBeCreated(folder, error);
    });
    if (found?.isDirectory()) return missing;
    if (found) throw new UserError({ place: folder, problem: "is a file", expected: "a folder" });
    missing.unshift(folder);
    if (dirname(folder) === folder) return missing;
  }
}

/** Creates a folder; false if another process has just created it. */
async function makeOne(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    if (error.code !== "EEXIST") throw cannotBeCreated(folder, error);
    const found = await stat(folder).catch(() => undefined);
    if (found?.isDirectory()) return false;
    const isLink = (await lstat(folder).catch(() => undefined))?.isSymbolicLink();
    throw new UserError({
      place: folder,
      problem: isLink ? "is a broken symbolic link" : "is a file",
      expected: "a folder",
    });
  }
}

function cannotBeCreated(folder: string, cause: NodeJS.ErrnoException): UserError {
  const fault = systemFault(cause);
  return new UserError({
    place: folder,
    problem:
      cause.code === "ENOENT"
        ? "the folder cannot be created: the file system does not support it (ENOENT)"
        : `the folder cannot be created: ${fault?.reason ?? cause.message}`,
    remedy: fault?.remedy ?? "Choose another location",
    cause,
  });
}
