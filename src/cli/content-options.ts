// Options for the location and the interpretation of item content, shared by `prepare` and `add-items`.

import { type Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../core/errors.js";
import type { ContentFile } from "../data/content/input.js";
import { wholeNumber } from "./engine-options.js";
import { addFileOptions, fileOptions } from "./file-options.js";
import { count } from "./table.js";

/** The options under commander's names. */
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

/** Adds --content and the options for reading it. With `trained`, options that the trained model determines are omitted. */
export function addContentOptions(command: Command, { trained = false } = {}): Command {
  command
    .option(
      "--content <path>",
      "item content: bags of words (mult.dat), a table of texts or vectors, a list of texts (.txt), an array (.npy), or a folder of images named by item id",
    )
    .option("--content-id <column>", "content table: column with the item ids")
    .option("--content-fields <names>", "content table: columns of text or numbers, comma-separated")
    .option(
      "--content-ids <file>",
      "content without ids: file with the item id of each row, one per line (default: row k is item k)",
    )
    .option(
      "--content-vocabulary <file>",
      "file with one word per line: the vocabulary of mult.dat, or the only words to use from texts",
    );
  addFileOptions(command, "content-", "content table");
  if (trained) return command;
  return command
    .addOption(
      new Option("--content-kind <kind>", "representation of the content (default: detected)").choices([
        "words",
        "sequences",
        "vectors",
        "images",
      ]),
    )
    .option("--content-words <count>", "texts: size of the vocabulary (default: 8000)", wholeNumber(1))
    .addOption(
      new Option(
        "--content-split <how>",
        "texts: tokenisation: words = runs of letters and digits, spaces = split at spaces",
      ).choices(["words", "spaces"]),
    )
    .option(
      "--content-stop-words <language>",
      "texts: language of the stop words to remove: eng (default), deu, ..., or none",
    )
    .option("--content-size <height>x<width>", "images: resize to this size (default: 32x32)", sizeOf)
    .addOption(
      new Option("--content-channels <n>", "images: 3 = colour (default), 1 = greyscale").choices(["1", "3"]),
    );
}

function sizeOf(text: string): readonly [number, number] {
  const [, height, width] = /^(\d{1,4})x(\d{1,4})$/.exec(text) ?? [];
  if (!(Number(height) > 0 && Number(width) > 0))
    throw new InvalidArgumentError("Expected <height>x<width>, such as 64x48.");
  return [Number(height), Number(width)];
}

/** The requested content; undefined without --content. Throws UserError for other content options without --content. */
export function contentInput(given: ContentFlags): ContentFile | undefined {
  const file = given.content;
  if (file === undefined) {
    const [stray] = Object.entries(given).filter(
      ([name, value]) => name.startsWith("content") && value !== undefined,
    );
    if (stray === undefined) return undefined;
    throw new UserError({
      place: `--${stray[0].replace(/[A-Z]/g, "-$&").toLowerCase()}`,
      problem: "requires --content",
      remedy: "Add --content <path>",
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

/** What was skipped in a content file: one line per reason, with the first ids. */
export function skippedLines(
  skipped: Readonly<Record<string, number>>,
  examples: readonly { readonly id: string; readonly why: string }[],
): string[] {
  const reasons: Readonly<Record<string, string>> = {
    unknown: "not in the catalogue",
    present: "already in the model",
    empty: "empty",
    duplicate: "duplicate item",
    damaged: "cannot be decoded",
  };
  return Object.entries(skipped).flatMap(([why, rows]) => {
    if (rows === 0) return [];
    const ids = examples.filter((example) => example.why === why).map(({ id }) => id);
    const some = ids.slice(0, 5).join(", ");
    return [
      `${rows === 1 ? "1 entry" : `${count(rows)} entries`} skipped (${reasons[why] ?? why}): ${some}${rows > 5 ? ", ..." : ""}`,
    ];
  });
}

/** "bags of words (20,000 words)" */
export function describeShape(kind: string, shape: readonly number[]): string {
  switch (kind) {
    case "words":
      return `bags of words (${count(shape[0])} words)`;
    case "sequences":
      return `sequences (${count(shape[0])} tokens)`;
    case "vectors":
      return `vectors (${count(shape[0])} dimensions)`;
    default:
      return `images (${shape.join(" x ")})`;
  }
}
