// Folders appear whole or not at all: they are written beside their destination, brought to the disk, and renamed. A writer
// that fails, or is stopped through its signal, leaves nothing behind. Where a folder is replaced, the old one is there until
// the new one is whole, and files in it that foldin did not write go into the new one.

import { existsSync, renameSync } from "node:fs";
import { lstat, mkdir, open, readdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { syncFolder } from "./atomic-file.js";
import { throwIfAborted, UserError } from "./errors.js";
import { makeFolders } from "./folders.js";
import { isLeftover, nameBeside, namesBeside, removeLeftovers, withPartial } from "./leftovers.js";
import { withLock } from "./lock.js";
import { withSystemFault } from "./system-errors.js";

/** How a folder of ours is known, and what in it is ours. */
export interface FolderKind {
  /** A file that every such folder has ("manifest.json"). */
  readonly marker: string;
  /** Whether the marker, parsed, is that of such a folder. Default: any file of that name is. */
  readonly recognises?: (head: unknown) => boolean;
  /** Which files foldin writes into it, by their paths in the folder, with "/". Default: the marker alone. */
  readonly own?: RegExp;
}

export interface AtomicFolderOptions extends FolderKind {
  /** Whether a folder that stands at the destination may be replaced; only one of this kind ever is. */
  force?: boolean;
  /** Whether the caller holds the lock of the destination. Default: it is taken. */
  locked?: boolean;
  signal?: AbortSignal;
}

/**
 * Throws UserError where a folder may not be written: something stands there that is not an empty folder, and `force` is
 * not given, or what stands there is not ours. Call it before long work; `writeFolder` calls it too.
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
      problem: "the folder exists already",
      remedy: "Choose another one, or pass --force to replace it",
    });
  const remedy = "Choose another folder, or empty this one yourself";
  if (!entries.includes(marker))
    throw new UserError({
      place: destination,
      problem: `the folder has no ${marker}, so it is not one that foldin wrote and is not replaced`,
      remedy,
    });
  if (recognises && !recognises(await readHead(join(destination, marker))))
    throw new UserError({
      place: destination,
      problem: `its ${marker} is not one that foldin wrote, so the folder is not replaced`,
      remedy,
    });
}

/** What is in a folder; nothing where there is none. Throws UserError where it is a file, or cannot be read. */
export async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    // A file above it is named by what makes the parents, which is none then.
    if (code === "ENOTDIR" && !existsSync(folder)) await makeFolders(dirname(resolve(folder)));
    if (code === "ENOTDIR")
      throw new UserError({
        place: folder,
        problem: "there is a file of this name",
        remedy: "Choose another folder",
      });
    throw withSystemFault(error, folder);
  }
}

async function requireNoDeadLink(path: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined))?.isSymbolicLink() && !existsSync(path))
    throw new UserError({ place: path, problem: "is a link that leads nowhere", expected: "a folder" });
}

async function readHead(path: string): Promise<unknown> {
  try {
    return (await stat(path)).isFile() ? JSON.parse(await readFile(path, "utf8")) : undefined;
  } catch {
    return undefined;
  }
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
        throw inPlaceOf(partial, destination, error);
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

/** The error in words about the destination: the temporary folder is gone by the time anybody reads them. */
function inPlaceOf(partial: string, destination: string, error: unknown): unknown {
  const told = withSystemFault(error);
  if (!(told instanceof UserError && told.place?.startsWith(partial))) return error;
  const { problem, expected, remedy, cause } = told;
  return new UserError({
    place: destination + told.place.slice(partial.length),
    problem,
    expected,
    remedy,
    cause,
  });
}

/**
 * Renames a folder that is whole to `target`. What stood there is removed, but for files that are not of its kind: they go
 * into the new folder. Returns their paths in it. The caller holds the lock of `target`.
 */
export async function replaceFolder(folder: string, target: string, kind: FolderKind): Promise<string[]> {
  let kept: string[] = [];
  if (!existsSync(target)) {
    await rename(folder, target);
  } else {
    const old = nameBeside(target, "old");
    // At once, so that readers miss it as shortly as can be.
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
 * Puts right what a killed process left at `target`: an old folder that was being replaced is there again, or gone where
 * the new one took its place; what was not finished is removed. The caller holds the lock of `target`.
 */
export async function settleFolder(target: string, kind: FolderKind): Promise<void> {
  await restoreNewest(target);
  for (const old of await namesBeside(target, "old")) await retire(old, target, kind);
  await removeLeftovers(target, { locked: true });
}

/**
 * For readers: where a process was killed between the two renames of a replacement, the old folder is put back. Where another
 * process is just replacing it, waits until that is through.
 */
export async function restoreReplaced(path: string): Promise<void> {
  const target = resolve(path);
  for (let tries = 0; tries < 20; tries++) {
    if (existsSync(target) || (await namesBeside(target, "old")).length === 0) return;
    // Locked: another process is between the two renames, or is about to put it right. What stays missing the caller reports.
    await withLock(target, async () => {
      await restoreNewest(target);
      await removeLeftovers(target, { locked: true });
    }).catch(() => {});
  }
}

async function restoreNewest(target: string): Promise<void> {
  if (existsSync(target)) return;
  const olds = await namesBeside(target, "old");
  const changed = new Map<string, number>();
  for (const old of olds) changed.set(old, (await stat(old)).ctimeMs);
  const [newest] = olds.sort((a, b) => (changed.get(b) ?? 0) - (changed.get(a) ?? 0));
  if (newest !== undefined) await rename(newest, target);
}

/** Removes an old folder whose successor is in place; the user's own files in it go to the successor. */
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
  // From here on it is not whole any more, and nothing to restore.
  const partial = nameBeside(target, "partial");
  await rename(old, partial);
  await rm(partial, { recursive: true, force: true });
  return kept;
}

/** Removes a folder of a kind, but for files in it that are not foldin's. */
export async function removeOwn(folder: string, kind: FolderKind): Promise<void> {
  const files = await filesIn(folder, kind);
  if (files.every(({ isOwn }) => isOwn)) return rm(folder, { recursive: true, force: true });
  for (const { path, isOwn } of files) if (isOwn) await rm(join(folder, path), { force: true });
}

/** Every file, link and such in a folder, and whether it is one that foldin wrote; none where there is no folder. */
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
