// The histories that a command folds in: from a file, or of all users of a dataset. Shared by `embed` and `score`.

import type { Command } from "commander";
import { UserError } from "../core/errors.js";
import type { Histories } from "../data/histories.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { CliContext } from "./context.js";
import { datasetOfRun } from "./dataset-of-run.js";
import {
  addFileOptions,
  addQueryOptions,
  type FileFlags,
  fileOptions,
  givenFileOption,
  givenQueryOption,
  queryOptions,
} from "./file-options.js";
import { plural } from "./table.js";

/** The options under commander's names. */
export interface HistoriesFlags {
  dataset?: string;
  histories?: string;
  user?: string;
  item?: string;
  rating?: string;
  minRating?: number;
}

export function addHistoriesOptions(command: Command): Command {
  command
    .option(
      "--histories <file>",
      "users to fold in: a file with one user and item per row (CSV, TSV, Parquet, JSON lines), or a database",
    )
    .option(
      "--dataset <folder>",
      "users to fold in: all users of a dataset folder, with their full histories (default: the run's dataset)",
    )
    .option("--user <column>", "histories file: user column")
    .option("--item <column>", "histories file: item column")
    .option("--rating <column>", "histories file: rating column")
    .option("--min-rating <n>", "histories file: ignore rows with a lower rating", number);
  return addQueryOptions(addFileOptions(command, "", "histories file"), "", "histories ");
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new UserError({ place: "--min-rating", problem: `must be a number; got "${text}"` });
}

/** Locates the histories before any long work starts. Throws UserError if the options cannot be combined. */
export async function locateHistories(
  run: string,
  flags: HistoriesFlags,
): Promise<{ kind: "file" | "dataset"; path: string }> {
  const { histories, dataset } = flags;
  const given: FileFlags = { ...flags };
  if (histories !== undefined && dataset !== undefined)
    throw new UserError({
      place: "--dataset",
      problem: "cannot be combined with --histories",
      remedy: "Use only one of them",
    });
  if (histories !== undefined) return { kind: "file", path: histories };
  const named = (["user", "item", "rating", "minRating"] as const).find((name) => flags[name] !== undefined);
  const stray =
    named === undefined
      ? (givenFileOption(given, "") ?? givenQueryOption(given, ""))
      : named === "minRating"
        ? "--min-rating"
        : `--${named}`;
  if (stray !== undefined)
    throw new UserError({
      place: stray,
      problem: "requires --histories",
      remedy: "Add --histories <file>",
    });
  if (dataset !== undefined) return { kind: "dataset", path: dataset };
  const { readRunFolder } = await import("../experiments/run-folder.js");
  const { config } = await readRunFolder(run);
  return { kind: "dataset", path: datasetOfRun(run, config, undefined) };
}

/** The counts of the dataset that has the histories; undefined for a file. */
export async function countsOf({ kind, path }: { kind: "file" | "dataset"; path: string }) {
  if (kind === "file") return undefined;
  const { readManifest } = await import("../data/dataset.js");
  return (await readManifest(path)).counts;
}

/** The histories as item indices of the model; reports skipped users and items. Throws UserError if no user remains. */
export async function readHistories(
  { kind, path }: { kind: "file" | "dataset"; path: string },
  flags: HistoriesFlags,
  items: Vocabulary,
  context: CliContext,
): Promise<Histories> {
  const { signal, progress } = context;
  const { historiesOfDataset, historiesOfFile } = await import("../data/histories.js");
  let read: Histories;
  if (kind === "file") {
    const { user, item, rating } = flags;
    const columns = {
      user,
      item,
      rating,
      ...fileOptions({ ...flags }, ""),
      ...queryOptions({ ...flags }, ""),
    };
    read = await historiesOfFile({ path, columns, minRating: flags.minRating }, items, { signal, progress });
  } else {
    const { loadDataset } = await import("../data/dataset.js");
    read = historiesOfDataset(await loadDataset(path, { content: false, signal }), items);
  }
  if (read.users.length === 0)
    throw new UserError({
      place: path,
      problem: "contains no item that the model knows",
      expected: `item ids such as ${items.ids.slice(0, 3).join(", ")}`,
      remedy:
        kind === "file"
          ? "Set the item column with --item"
          : "Use the dataset that the model was trained on, or a newer version of it",
    });
  if (read.unknownItems > 0)
    context.say(`skipped ${plural(read.unknownItems, "item")} of ${path} that the model does not know`);
  if (read.strangers > 0)
    context.say(`skipped ${plural(read.strangers, "user")} of ${path} without any item that the model knows`);
  return read;
}
