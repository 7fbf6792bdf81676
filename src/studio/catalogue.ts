// The datasets and runs of a folder. Each look searches the folder again, but reads only what has changed: files are recognised by
// their times and sizes.

import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { UserError } from "../core/errors.js";
import { version } from "../core/version.js";
import { manifestFile } from "../data/manifest.js";
import { gain, metricNames } from "../evaluation/metrics.js";
import type { DatasetSummary, FolderAnswer, Run } from "./api.js";
import { FIND_LIMITS, type FoundFolder, findFolders } from "./find-folders.js";
import { readDatasetSummary } from "./read-dataset.js";
import { readRun } from "./read-run.js";

/** What was read from a folder: a summary, nothing (it is something else), or why it cannot be read. */
type Reading<T> = { readonly summary?: T; readonly problem?: string };

interface Remembered<T> {
  readonly stamp: string;
  readonly reading: Reading<T>;
}

/** Folders that are read at the same time. */
const AT_ONCE = 16;

export class Catalogue {
  readonly root: string;
  readonly #runs = new Map<string, Remembered<Run>>();
  readonly #datasets = new Map<string, Remembered<DatasetSummary>>();
  #looking: Promise<FolderAnswer> | undefined;
  #last: FolderAnswer | undefined;

  constructor(root: string) {
    this.root = resolve(root);
  }

  /** Reads what has changed. Calls at the same time share one look. Throws UserError if the folder cannot be read. */
  look(): Promise<FolderAnswer> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** The last look, without asking the file system; a new one if there is none. */
  async recent(): Promise<FolderAnswer> {
    return this.#last ?? this.look();
  }

  /** A run of the last look with its path; undefined for any other id, so that a request cannot name other folders. */
  find(id: string): { readonly run: Run; readonly path: string } | undefined {
    const run = this.#runs.get(id)?.reading.summary;
    return run && { run, path: join(this.root, id) };
  }

  /** A dataset of the last look, with the present time and size of its manifest; undefined for any other id. */
  async findDataset(id: string): Promise<{ readonly path: string; readonly stamp: string } | undefined> {
    if (this.#datasets.get(id)?.reading.summary === undefined) return undefined;
    const path = join(this.root, id);
    return { path, stamp: await stampOf(join(path, manifestFile)) };
  }

  async #look(): Promise<FolderAnswer> {
    const found = await findFolders(this.root);
    const runs = await readAll(found.runs, this.#runs, readRun, stampOfRun);
    const datasets = await readAll(found.datasets, this.#datasets, readDatasetSummary, ({ path }) =>
      stampOf(join(path, manifestFile)),
    );
    const limits = `the folder is too large to be searched completely: at most ${FIND_LIMITS.folders} folders, ${FIND_LIMITS.depth} levels deep`;
    this.#last = {
      folder: this.root,
      version,
      runs: placed(runs.summaries, datasets.summaries, this.root),
      datasets: datasets.summaries,
      lowerIsBetter: lowerIsBetter(runs.summaries),
      problems: [
        ...(found.isPartial ? [{ id: ".", problem: limits }] : []),
        ...datasets.problems,
        ...runs.problems,
      ],
    };
    return this.#last;
  }
}

/** The metrics of the runs of which a lower value is better. */
function lowerIsBetter(runs: readonly Run[]): string[] {
  const names = new Set(
    runs.flatMap(({ on }) => [on.test, on.validation].flatMap((one) => Object.keys(one?.metrics ?? {}))),
  );
  // A later version may have other metrics.
  const isKnown = (name: string) => metricNames.includes(name.split("@")[0]);
  return [...names].filter((name) => isKnown(name) && gain(name, 0, 1) > 0);
}

/** The runs with the ids of their datasets: those at the paths where they were trained, or else the only ones of the same name. */
function placed(runs: readonly Run[], datasets: readonly DatasetSummary[], root: string): Run[] {
  const byPath = new Map(datasets.map(({ id }) => [resolve(root, id), id]));
  return runs.map((run) => {
    const { name, path } = run.dataset;
    const named = datasets.filter((one) => one.name === name);
    const id =
      (path === null ? undefined : byPath.get(resolve(path))) ??
      (named.length === 1 ? named[0].id : undefined);
    return id === undefined ? run : { ...run, dataset: { ...run.dataset, id } };
  });
}

/** Reads the folders whose stamp has changed, and forgets those that are gone. */
async function readAll<T>(
  found: readonly FoundFolder[],
  remembered: Map<string, Remembered<T>>,
  read: (folder: FoundFolder) => Promise<T | undefined>,
  stampOf: (folder: FoundFolder, known: T | undefined) => Promise<string>,
) {
  const ids = new Set(found.map(({ id }) => id));
  for (const id of remembered.keys()) if (!ids.has(id)) remembered.delete(id);
  for (let start = 0; start < found.length; start += AT_ONCE)
    await Promise.all(
      found.slice(start, start + AT_ONCE).map(async (folder) => {
        const known = remembered.get(folder.id);
        const stamp = await stampOf(folder, known?.reading.summary);
        if (known?.stamp === stamp) return;
        remembered.set(folder.id, { stamp, reading: await readingOf(folder, read) });
      }),
    );
  const summaries: T[] = [];
  const problems: { id: string; problem: string }[] = [];
  for (const { id } of found) {
    const { summary, problem } = remembered.get(id)?.reading ?? {};
    if (summary !== undefined) summaries.push(summary);
    if (problem !== undefined) problems.push({ id, problem });
  }
  return { summaries, problems };
}

async function readingOf<T>(
  folder: FoundFolder,
  read: (folder: FoundFolder) => Promise<T | undefined>,
): Promise<Reading<T>> {
  try {
    return { summary: await read(folder) };
  } catch (error) {
    if (error instanceof UserError) return { problem: error.message };
    // The folder was removed while it was read.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

/** A run that is not finished is read at every look: whether its process is alive is not in a file. */
async function stampOfRun({ path, names }: FoundFolder, known: Run | undefined): Promise<string> {
  const parts = ["config.json", "metrics.jsonl", "result.json", "model"];
  const stamps = await Promise.all(parts.map((name) => (names.has(name) ? stampOf(join(path, name)) : "-")));
  const isOpen = known !== undefined && known.state !== "finished";
  return [...stamps, names.has("checkpoint"), names.has("report.html"), isOpen ? performance.now() : ""].join(
    " ",
  );
}

async function stampOf(path: string): Promise<string> {
  const status = await stat(path).catch(() => undefined);
  return status ? `${status.mtimeMs}:${status.size}:${status.ino}` : "-";
}
