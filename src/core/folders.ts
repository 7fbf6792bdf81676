// The one place that makes folders. Node's recursive mkdir never ends where the system says that a folder cannot be made
// though its parent is there (pseudo file systems, some network mounts); here every level is one call.

import { lstat, mkdir, rmdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UserError } from "./errors.js";
import { systemFault } from "./system-errors.js";

/**
 * Makes a folder and its missing parents; returns those that were made, outermost first. Throws UserError where a folder
 * cannot be made or a file is in the way; what was made by then is removed again.
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

/** Removes folders that `makeFolders` has made, as far as nothing is in them. */
export async function removeEmptyFolders(made: readonly string[]): Promise<void> {
  for (const folder of made.toReversed()) await rmdir(folder).catch(() => {});
}

/** The levels of a path that are not there yet, outermost first. */
async function missingLevels(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw cannotBeMade(folder, error);
    });
    if (found?.isDirectory()) return missing;
    if (found) throw new UserError({ place: folder, problem: "is a file", expected: "a folder" });
    missing.unshift(folder);
    if (dirname(folder) === folder) return missing;
  }
}

/** Whether it was made; false where another process has just done so. */
async function makeOne(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (cause) {
    const error = cause as NodeJS.ErrnoException;
    if (error.code !== "EEXIST") throw cannotBeMade(folder, error);
    const found = await stat(folder).catch(() => undefined);
    if (found?.isDirectory()) return false;
    const isLink = (await lstat(folder).catch(() => undefined))?.isSymbolicLink();
    throw new UserError({
      place: folder,
      problem: isLink ? "is a link that leads nowhere" : "is a file",
      expected: "a folder",
    });
  }
}

function cannotBeMade(folder: string, cause: NodeJS.ErrnoException): UserError {
  const fault = systemFault(cause);
  return new UserError({
    place: folder,
    problem:
      cause.code === "ENOENT"
        ? "the folder cannot be made: the file system there takes none (ENOENT)"
        : `the folder cannot be made: ${fault?.reason ?? cause.message}`,
    remedy: fault?.remedy ?? "Choose another place",
    cause,
  });
}
