// Whose histories a command folds in: those of a file, or of everybody in a dataset. `embed` and `score` share the options.

import type { Command } from "commander";
import { UserError } from "../core/errors.js";
import type { Histories } from "../data/histories.js";
import type { Vocabulary } from "../data/vocabulary.js";
import type { CliContext } from "./context.js";
import { datasetOfRun } from "./dataset-of-run.js";
import { addFileOptions, type FileFlags, fileOptions, givenFileOption } from "./file-options.js";
import { plural } from "./table.js";

/** As commander names them. */
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
      "users and items, a row each (CSV, TSV, Parquet, JSON lines): the users to fold in",
    )
    .option(
      "--dataset <folder>",
      "a dataset folder: everybody in it, with all that is known of them (default: the run's)",
    )
    .option("--user <column>", "histories' file: the user's column")
    .option("--item <column>", "histories' file: the item's column")
    .option("--rating <column>", "histories' file: the rating's column")
    .option("--min-rating <n>", "histories' file: leave out rows with a lower rating", number);
  return addFileOptions(command, "", "histories' file");
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new UserError({ place: "--min-rating", problem: `"${text}" is not a number` });
}

/** Where the histories are, found before anything long begins. Throws UserError where the options do not go together. */
export async function locateHistories(
  run: string,
  flags: HistoriesFlags,
): Promise<{ kind: "file" | "dataset"; path: string }> {
  const { histories, dataset } = flags;
  const given: FileFlags = { ...flags };
  if (histories !== undefined && dataset !== undefined)
    throw new UserError({
      place: "--dataset",
      problem: "cannot go with --histories",
      remedy: "Give one of them",
    });
  if (histories !== undefined) return { kind: "file", path: histories };
  const named = (["user", "item", "rating", "minRating"] as const).find((name) => flags[name] !== undefined);
  const stray =
    named === undefined ? givenFileOption(given, "") : named === "minRating" ? "--min-rating" : `--${named}`;
  if (stray !== undefined)
    throw new UserError({
      place: stray,
      problem: "is about a file of histories, and none is given",
      remedy: "Name the file with --histories",
    });
  if (dataset !== undefined) return { kind: "dataset", path: dataset };
  const { readRunFolder } = await import("../experiments/run-folder.js");
  const { config } = await readRunFolder(run);
  return { kind: "dataset", path: datasetOfRun(run, config, undefined) };
}

/** The histories, in the model's items; says who and what is left out. Throws UserError where nobody remains. */
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
    const columns = { user, item, rating, ...fileOptions({ ...flags }, "") };
    read = await historiesOfFile({ path, columns, minRating: flags.minRating }, items, { signal, progress });
  } else {
    const { loadDataset } = await import("../data/dataset.js");
    read = historiesOfDataset(await loadDataset(path, { content: false, signal }), items);
  }
  if (read.users.length === 0)
    throw new UserError({
      place: path,
      problem: "the model knows no item of any user in it",
      expected: `items such as ${items.ids.slice(0, 3).join(", ")}`,
      remedy:
        kind === "file"
          ? "Name the item's column with --item"
          : "Give the dataset it was trained on, or a newer one",
    });
  if (read.unknownItems > 0)
    context.say(`left out, as the model does not know them: ${plural(read.unknownItems, "item")} of ${path}`);
  if (read.strangers > 0)
    context.say(
      `left out, as the model knows none of their items: ${plural(read.strangers, "user")} of ${path}`,
    );
  return read;
}
