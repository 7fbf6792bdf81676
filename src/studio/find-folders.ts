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
  let level: { id: string; path: string; isLink: boolean }[] = [{ id: ".", path: root, isLink: true }];
  let visits = 0;
  for (let depth = 0; level.length > 0; depth++) {
    const below: typeof level = [];
    for (const { id, path, isLink } of level) {
      if (visits++ >= limits.folders) {
        isPartial = true;
        break;
      }
      // Symbolic links may lead back.
      if (isLink) {
        const real = await realpath(path).catch(() => path);
        if (visited.has(real)) continue;
        visited.add(real);
      }
      const entries = await entriesOf(path, depth === 0);
      const names = new Set(entries.map(({ name }) => name));
      const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
      if (names.has(manifestFile)) datasets.push({ id, path, names });
      else if (names.has("config.json") && folders.every(({ name }) => PARTS_OF_RUN.has(name)))
        runs.push({ id, path, names });
      else
        for (const entry of folders) {
          const { name } = entry;
          if ((!name.startsWith(".") || REPLACEMENT.test(name)) && name !== "node_modules")
            below.push({
              id: id === "." ? name : `${id}/${name}`,
              path: join(path, name),
              isLink: entry.isSymbolicLink(),
            });
        }
    }
    if (depth === limits.depth && below.length > 0) {
      isPartial = true;
      break;
    }
    level = below;
  }
  const byId = (a: FoundFolder, b: FoundFolder) => (a.id < b.id ? -1 : 1);
  return { runs: runs.sort(byId), datasets: datasets.sort(byId), isPartial };
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
