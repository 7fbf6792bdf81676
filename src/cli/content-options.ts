// Options that say where the items' content is and how it is to be understood; `prepare` and `add-items` share them.

import { type Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../core/errors.js";
import type { ContentFile } from "../data/content/input.js";
import { wholeNumber } from "./engine-options.js";
import { addFileOptions, fileOptions } from "./file-options.js";
import { count } from "./table.js";

/** As commander names them. */
export interface ContentFlags {
  content?: string;
  contentKind?: ContentFile["kind"];
  contentId?: string;
  contentFields?: string;
  contentIds?: string;
  contentVocabulary?: string;
  contentWords?: number;
  contentSplit?: ContentFile["split"];
  contentStopWords?: string;
  contentSize?: readonly [number, number];
  contentChannels?: "1" | "3";
}

/** Adds --content and all that says how it is read; `trained` leaves out what a trained model decides. */
export function addContentOptions(command: Command, { trained = false } = {}): Command {
  command
    .option(
      "--content <path>",
      "what is known of the items: bags of words (mult.dat), a table of texts or vectors, a list of texts (.txt), an array (.npy), or a folder of pictures named by item",
    )
    .option("--content-id <column>", "content table: the column of the items' ids")
    .option("--content-fields <names>", "content table: the columns of text or numbers, with commas")
    .option(
      "--content-ids <file>",
      "content without ids: the item of each row, one id a line (default: row k is item k)",
    )
    .option(
      "--content-vocabulary <file>",
      "words, one a line: those of mult.dat, or the only ones to know of texts",
    );
  addFileOptions(command, "content-", "content table");
  if (trained) return command;
  return command
    .addOption(
      new Option("--content-kind <kind>", "what content is to become (default: by its looks)").choices([
        "words",
        "sequences",
        "vectors",
        "images",
      ]),
    )
    .option("--content-words <count>", "texts: how many words to know (default 8000)", wholeNumber(1))
    .addOption(
      new Option(
        "--content-split <how>",
        "texts: words = letters and digits, spaces = between blanks",
      ).choices(["words", "spaces"]),
    )
    .option(
      "--content-stop-words <language>",
      "texts: whose stop words are left out: eng (default), deu, ... or none",
    )
    .option("--content-size <height>x<width>", "pictures: what they are resized to (default 32x32)", sizeOf)
    .addOption(
      new Option("--content-channels <n>", "pictures: 3 = colours (default), 1 = grey").choices(["1", "3"]),
    );
}

function sizeOf(text: string): readonly [number, number] {
  const [, height, width] = /^(\d{1,4})x(\d{1,4})$/.exec(text) ?? [];
  if (!(Number(height) > 0 && Number(width) > 0))
    throw new InvalidArgumentError("Expected a height and a width, as in 64x48.");
  return [Number(height), Number(width)];
}

/** The content that is asked for; undefined where none is. Throws UserError for options about content without --content. */
export function contentInput(given: ContentFlags): ContentFile | undefined {
  const file = given.content;
  if (file === undefined) {
    const [stray] = Object.entries(given).filter(
      ([name, value]) => name.startsWith("content") && value !== undefined,
    );
    if (stray === undefined) return undefined;
    throw new UserError({
      place: `--${stray[0].replace(/[A-Z]/g, "-$&").toLowerCase()}`,
      problem: "is about content, and none is given",
      remedy: "Name it with --content",
    });
  }
  return {
    file,
    ...fileOptions({ ...given }, "content-"),
    kind: given.contentKind,
    id: given.contentId,
    fields: given.contentFields?.split(",").map((name) => name.trim()),
    ids: given.contentIds,
    vocabulary: given.contentVocabulary,
    words: given.contentWords,
    split: given.contentSplit,
    stopWords: given.contentStopWords === "none" ? null : given.contentStopWords,
    size: given.contentSize,
    channels: given.contentChannels === undefined ? undefined : given.contentChannels === "1" ? 1 : 3,
  };
}

/** What was left out of a content file, a line per reason, with the first ids. */
export function skippedLines(
  skipped: Readonly<Record<string, number>>,
  examples: readonly { readonly id: string; readonly why: string }[],
): string[] {
  const reasons: Readonly<Record<string, string>> = {
    unknown: "of no item of the catalogue",
    present: "of items that the model knows already",
    empty: "with nothing in them",
    duplicate: "of an item that came before",
    damaged: "that cannot be decoded",
  };
  return Object.entries(skipped).flatMap(([why, rows]) => {
    if (rows === 0) return [];
    const ids = examples.filter((example) => example.why === why).map(({ id }) => id);
    const some = ids.slice(0, 5).join(", ");
    return [
      `${rows === 1 ? "1 entry" : `${count(rows)} entries`} skipped ${reasons[why] ?? why}: ${some}${rows > 5 ? ", ..." : ""}`,
    ];
  });
}

/** "a bag of words over 20,000" */
export function describeShape(kind: string, shape: readonly number[]): string {
  switch (kind) {
    case "words":
      return `bags of words (${count(shape[0])} words)`;
    case "sequences":
      return `sequences (${count(shape[0])} tokens)`;
    case "vectors":
      return `vectors (${count(shape[0])} dimensions)`;
    default:
      return `pictures (${shape.join(" x ")})`;
  }
}
