// A run folder that several processes may write, of which all but one are wrongly believed to be dead. Each attempt trains in a
// folder of its own, `.<run>.attempt-<id>`, next to the run. It starts by renaming the folder of a former attempt to its own, and
// goes on from the checkpoint in it: the paths of the former attempt are gone, so whatever it still writes fails or goes nowhere.
// At the end the folder is renamed to the run's; renaming a folder never replaces one that is not empty.

import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { syncFolder } from "../core/atomic-file.js";
import { removeOwn } from "../core/atomic-folder.js";
import { makeFolders } from "../core/folders.js";
import type { Attempt } from "../tasks/performer.js";
import { checkpointFolderOf, modelFolderOf, runFolderKind } from "./run-folder.js";

const infix = ".attempt-";

/**
 * Calls `work` with the attempt's folder, which may contain an unfinished run to resume, and renames it to `folder`, whose former
 * contents it takes over or replaces. If another attempt was faster, its folder stays. Throws AbortedError if the attempt is over.
 */
export async function inAttemptFolder<T>(
  folder: string,
  attempt: Attempt,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const parent = dirname(folder);
  await makeFolders(parent);
  await attempt.fence();
  const own = join(parent, `.${basename(folder)}${infix}${attempt.id}`);
  const [best, ...others] = await formerOf(folder);
  // If it fails, another attempt was faster: this one begins from the beginning, and its fence ends it.
  if (best !== undefined) await rename(best, own).catch(() => {});
  for (const other of others) await removeOwn(other, runFolderKind);
  const result = await work(own);
  await attempt.fence();
  try {
    await rename(own, folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    await rm(own, { recursive: true, force: true });
  }
  await syncFolder(parent);
  return result;
}

/** Folders with unfinished work on a run, the one that is furthest first: the run's own, and those of former attempts. */
async function formerOf(folder: string): Promise<string[]> {
  const parent = dirname(folder);
  const prefix = `.${basename(folder)}${infix}`;
  const names = (await readdir(parent)).filter(
    (name) => (name.startsWith(prefix) && !name.endsWith(".lock")) || name === basename(folder),
  );
  const found: { path: string; when: number }[] = [];
  for (const name of names) {
    const path = join(parent, name);
    const when = async (part: string) => (await stat(part).catch(() => undefined))?.mtimeMs;
    // Without a config.json it is what a former attempt wrote after its folder had been renamed.
    if ((await when(join(path, runFolderKind.marker))) === undefined) continue;
    const checkpoint = await when(join(checkpointFolderOf(path), "checkpoint.safetensors"));
    const model = await when(modelFolderOf(path));
    found.push({ path, when: model === undefined ? (checkpoint ?? 0) : Number.POSITIVE_INFINITY });
  }
  return found.sort((a, b) => b.when - a.when || a.path.localeCompare(b.path)).map(({ path }) => path);
}

/** Removes what attempts left next to the runs in a folder. */
export async function removeAttempts(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => [] as string[]);
  for (const name of names)
    if (name.startsWith(".") && name.includes(infix))
      await rm(join(parent, name), { recursive: true, force: true }).catch(() => {});
}
