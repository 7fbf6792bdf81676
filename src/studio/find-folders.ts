// Finds the datasets and runs below a folder by the names of their files. Nothing is opened, and nothing inside a run or a dataset
// is visited. Folders that start with a dot are skipped, except for the unfinished replacement of a run (`.name.new`).

import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../core/errors.js";
import { withSystemFault } from "../core/system-errors.js";
import { manifestFile } from "../data/manifest.js";

/** A folder and the names in it. */
export interface FoundFolder {
  readonly id: string;
  readonly path: string;
  readonly names: ReadonlySet<string>;
}

export interface FoundFolders {
  /** Folders with a config.json that may be runs. */
  readonly runs: readonly FoundFolder[];
  readonly datasets: readonly FoundFolder[];
  /** Whether a limit ended the search. */
  readonly isPartial: boolean;
}

export interface FindLimits {
  /** Levels below the folder. */
  readonly depth: number;
  /** Folders that are visited. */
  readonly folders: number;
}

export const FIND_LIMITS: FindLimits = { depth: 8, folders: 20_000 };

/** The folders inside a run. */
const PARTS_OF_RUN = new Set(["model", "checkpoint"]);
const REPLACEMENT = /^\..+\.new$/;

/** Finds datasets and runs, sorted by path. Throws UserError if the folder itself cannot be read. */
export async function findFolders(root: string, limits = FIND_LIMITS): Promise<FoundFolders> {
  const runs: FoundFolder[] = [];
  const datasets: FoundFolder[] = [];
  const visited = new Set<string>();
  let isPartial = false;
  let visits = 0;
  // Folders first, symbolic links after them: what can be found without a link is found under its own path.
  const waiting: { id: string; path: string; depth: number }[] = [{ id: ".", path: root, depth: 0 }];
  for (let link = 0; link < waiting.length && !isFull(); link++) {
    const { id, path, depth: from } = waiting[link];
    // Links may lead back, and to nothing.
    const real = await realpath(path).catch(() => path);
    let level = [{ id, path, real }];
    for (let depth = from; level.length > 0; depth++) {
      const below: typeof level = [];
      for (const folder of level) {
        if (visited.has(folder.real)) continue;
        if (isFull()) {
          isPartial = true;
          break;
        }
        visits++;
        visited.add(folder.real);
        const entries = await entriesOf(folder.path, folder.id === ".");
        const names = new Set(entries.map(({ name }) => name));
        const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
        if (names.has(manifestFile)) datasets.push({ id: folder.id, path: folder.path, names });
        else if (names.has("config.json") && folders.every(({ name }) => PARTS_OF_RUN.has(name)))
          runs.push({ id: folder.id, path: folder.path, names });
        else
          for (const entry of folders) {
            const { name } = entry;
            if ((name.startsWith(".") && !REPLACEMENT.test(name)) || name === "node_modules") continue;
            const found = {
              id: folder.id === "." ? name : `${folder.id}/${name}`,
              path: join(folder.path, name),
            };
            if (entry.isSymbolicLink()) waiting.push({ ...found, depth: depth + 1 });
            else below.push({ ...found, real: join(folder.real, name) });
          }
      }
      if (depth === limits.depth && below.length > 0) {
        isPartial = true;
        break;
      }
      level = below;
    }
  }
  const byId = (a: FoundFolder, b: FoundFolder) => (a.id < b.id ? -1 : 1);
  return { runs: runs.sort(byId), datasets: datasets.sort(byId), isPartial };

  function isFull(): boolean {
    return visits >= limits.folders;
  }
}

/** The entries of a folder; none if it is not a folder or cannot be read, unless it is the first one. */
async function entriesOf(path: string, isFirst: boolean) {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (!isFirst) return [];
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw new UserError({
        place: path,
        problem: code === "ENOENT" ? "the folder does not exist" : "is a file",
        expected: "a folder with datasets and runs",
      });
    throw withSystemFault(error, path);
  }
}
