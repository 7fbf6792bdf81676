// Writes folders atomically: to a temporary folder next to the destination, which is flushed to disk and then renamed. A
// writer that fails or is aborted leaves nothing behind. When a folder is replaced, the old one stays until the new one is
// complete, and files in it that foldin did not write are moved to the new one.

import { existsSync, renameSync } from "node:fs";
import { lstat, mkdir, open, readdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { syncFolder } from "./atomic-file.js";
import { throwIfAborted, UserError } from "./errors.js";
import { makeFolders } from "./folders.js";
import { isLeftover, removeLeftovers, temporaryPath, temporaryPaths, withPartial } from "./leftovers.js";
import { withLock } from "./lock.js";
import { withSystemFault } from "./system-errors.js";

/** Identifies a kind of folder that foldin writes, and the files in it that belong to foldin. */
export interface FolderKind {
  /** A file that every folder of this kind has ("manifest.json"). */
  readonly marker: string;
  /** Whether the parsed marker belongs to a folder of this kind. Default: any file with the name of the marker does. */
  readonly recognises?: (head: unknown) => boolean;
  /** Matches the files that foldin writes, by their paths in the folder, with "/". Default: only the marker. */
  readonly own?: RegExp;
}

export interface AtomicFolderOptions extends FolderKind {
  /** Whether an existing folder may be replaced; only folders of this kind are. */
  force?: boolean;
  /** Whether the caller holds the lock of the destination. Default: false, and the lock is acquired. */
  locked?: boolean;
  signal?: AbortSignal;
}

/**
 * Throws UserError if the destination exists, is not an empty folder, and `force` is not set or foldin did not write it.
 * Call it before long work; `writeFolder` calls it too.
 */
export async function refuseToOverwrite(
  destination: string,
  { force = false, marker, recognises }: AtomicFolderOptions,
): Promise<void> {
  const entries = await entriesOf(destination);
  if (entries.length === 0) return requireNoDeadLink(destination);
  if (!force)
    throw new UserError({
      place: destination,
      problem: "the folder already exists",
      remedy: "Choose another folder, or use --force to replace it",
    });
  const remedy = "Choose another folder, or delete this one yourself";
  if (!entries.includes(marker))
    throw new UserError({
      place: destination,
      problem: `the folder is not replaced because foldin did not write it (it has no ${marker})`,
      remedy,
    });
  if (recognises && !recognises(await readHead(join(destination, marker))))
    throw new UserError({
      place: destination,
      problem: `the folder is not replaced because foldin did not write its ${marker}`,
      remedy,
    });
}

/** The entries of a folder; empty if it does not exist. Throws UserError if it is a file or cannot be read. */
export async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    // If a parent is a file, makeFolders throws an error that names it.
    if (code === "ENOTDIR" && !existsSync(folder)) await makeFolders(dirname(resolve(folder)));
    if (code === "ENOTDIR")
      throw new UserError({
        place: folder,
        problem: "is a file",
        expected: "a folder",
        remedy: "Choose another folder",
      });
    throw withSystemFault(error, folder);
  }
}

async function requireNoDeadLink(path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined))?.isSymbolicLink() && !existsSync(path))
    throw new UserError({ place: path, problem: "is a broken symbolic link", expected: "a folder" });
}

async function readHead(path: string): Promise<unknown> {
  try {
    return (await stat(path)).isFile() ? JSON.parse(await readFile(path, "utf8")) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Runs `write` on a temporary folder next to `destination`, then renames it. Missing parents are created. On an error or an
 * abort the temporary folder is removed and the destination does not change.
 */
export async function writeFolder<T>(
  destination: string,
  options: AtomicFolderOptions,
  write: (folder: string) => Promise<T>,
): Promise<T> {
  const { signal, locked = false } = options;
  await refuseToOverwrite(destination, options);
  throwIfAborted(signal);
  if (!locked)
    return withLock(destination, () => writeFolder(destination, { ...options, locked: true }, write));
  const target = await realpath(destination).catch(() => resolve(destination));
  await makeFolders(dirname(target));
  await settleFolder(target, options);
  await refuseToOverwrite(target, options);
  try {
    return await withPartial(target, async (partial) => {
      await mkdir(partial);
      const result = await write(partial).catch((error: unknown) => {
        throw withDestination(partial, destination, error);
      });
      throwIfAborted(signal);
      await syncTree(partial);
      await refuseToOverwrite(target, options);
      await replaceFolder(partial, target, options);
      return result;
    });
  } catch (error) {
    throw withSystemFault(error, destination);
  }
}

/** Replaces the temporary folder in an error by the destination, because it no longer exists when the error is read. */
function withDestination(partial: string, destination: string, error: unknown): unknown {
  const fault = withSystemFault(error);
  if (!(fault instanceof UserError && fault.place?.startsWith(partial))) return error;
  const { problem, expected, remedy, cause } = fault;
  return new UserError({
    place: destination + fault.place.slice(partial.length),
    problem,
    expected,
    remedy,
    cause,
  });
}

/**
 * Renames a complete folder to `target`. An existing folder is removed, except for files that foldin did not write: they are
 * moved to the new folder, and their paths in it are returned. The caller holds the lock of `target`.
 */
export async function replaceFolder(folder: string, target: string, kind: FolderKind): Promise<string[]> {
  let kept: string[] = [];
  if (!existsSync(target)) {
    await rename(folder, target);
  } else {
    const old = temporaryPath(target, "old");
    // Synchronous, so that the target is missing for the shortest possible time.
    renameSync(target, old);
    try {
      renameSync(folder, target);
    } catch (error) {
      renameSync(old, target);
      throw error;
    }
    kept = await retire(old, target, kind);
  }
  await syncFolder(dirname(target));
  return kept;
}

/**
 * Cleans up after a killed process: restores an old folder that was being replaced, or removes it if the new one is in place;
 * removes incomplete folders. The caller holds the lock of `target`.
 */
export async function settleFolder(target: string, kind: FolderKind): Promise<void> {
  await restoreNewest(target);
  for (const old of await temporaryPaths(target, "old")) await retire(old, target, kind);
  await removeLeftovers(target, { locked: true });
}

/**
 * For readers: restores the old folder if a process was killed between the two renames of a replacement. If another process
 * is currently replacing the folder, waits for it.
 */
export async function restoreReplaced(path: string): Promise<void> {
  const target = resolve(path);
  for (let tries = 0; tries < 20; tries++) {
    if (existsSync(target) || (await temporaryPaths(target, "old")).length === 0) return;
    // If the lock is held, another process is replacing or restoring the folder. The caller reports a folder that stays missing.
    await withLock(target, async () => {
      await restoreNewest(target);
      await removeLeftovers(target, { locked: true });
    }).catch(() => {});
  }
}

async function restoreNewest(target: string): Promise<void> {
  if (existsSync(target)) return;
  const olds = await temporaryPaths(target, "old");
  const changed = new Map<string, number>();
  for (const old of olds) changed.set(old, (await stat(old)).ctimeMs);
  const [newest] = olds.sort((a, b) => (changed.get(b) ?? 0) - (changed.get(a) ?? 0));
  if (newest !== undefined) await rename(newest, target);
}

/** Removes an old folder whose successor is in place; moves the user's own files to the successor. */
async function retire(old: string, target: string, kind: FolderKind): Promise<string[]> {
  const kept: string[] = [];
  for (const { path, isOwn } of await filesIn(old, kind)) {
    if (isOwn) continue;
    let to = join(target, path);
    for (let n = 1; existsSync(to); n++) to = join(target, `${path}.${n}`);
    await makeFolders(dirname(to));
    await rename(join(old, path), to);
    kept.push(to.slice(target.length + 1));
  }
  // From here on the folder is incomplete and must not be restored.
  const partial = temporaryPath(target, "partial");
  await rename(old, partial);
  await rm(partial, { recursive: true, force: true });
  return kept;
}

/** Removes the files that foldin wrote to a folder, and the folder if it contains nothing else. */
export async function removeOwn(folder: string, kind: FolderKind): Promise<void> {
  const files = await filesIn(folder, kind);
  if (files.every(({ isOwn }) => isOwn)) return rm(folder, { recursive: true, force: true });
  for (const { path, isOwn } of files) if (isOwn) await rm(join(folder, path), { force: true });
}

/** All non-folder entries below a folder and whether foldin wrote them; empty if there is no folder. */
async function filesIn(
  folder: string,
  { marker, own }: FolderKind,
): Promise<{ path: string; isOwn: boolean }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    },
  );
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ name, parentPath }) => {
      const path = relative(folder, join(parentPath, name));
      const isOwn = own ? own.test(path.replaceAll(sep, "/")) : path === marker;
      return { path, isOwn: isOwn || isLeftover(name) };
    });
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
