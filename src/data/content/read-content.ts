// From files, or from a program's records, to content of the items of a catalogue: found out by its looks, then read by
// the reader of its format.

import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UserError } from "../../core/errors.js";
import type { ProgressListener } from "../../core/progress.js";
import type { Vocabulary } from "../vocabulary.js";
import { type ContentDraft, Skipped } from "./draft.js";
import { wordContent } from "./in-memory.js";
import type { ContentFile, ContentInput } from "./input.js";
import { type Bag, bagMatrix, readBags, readWordList } from "./mult-dat.js";

export type { ContentFile, ContentInput } from "./input.js";

export interface ReadContentOptions {
  progress?: ProgressListener;
  signal?: AbortSignal;
}

/**
 * Reads the content of a catalogue's items. Content of other items is left out and counted. Throws UserError, with file
 * and line, for what cannot be read, and where no item has content.
 */
export async function readContent(
  input: string | ContentInput,
  items: Vocabulary,
  _options: ReadContentOptions = {},
): Promise<ContentDraft> {
  const given: ContentFile = typeof input === "string" ? { file: input } : input;
  return readBagContent(given, items);
}

async function readBagContent(
  { file, vocabulary, ids }: ContentFile,
  items: Vocabulary,
): Promise<ContentDraft> {
  const wordFile = vocabulary ?? join(dirname(file), "vocabulary.dat");
  if (vocabulary === undefined && !existsSync(wordFile))
    throw new UserError({
      place: file,
      problem: "its words are only numbers, and there is no vocabulary.dat beside it",
      remedy: "Name a file with one word a line with --content-vocabulary",
    });
  const words = await readWordList(wordFile);
  const itemOf = ids === undefined ? undefined : (await readWordList(ids)).ids;
  const skipped = new Skipped();
  const bags: (Bag | undefined)[] = new Array(items.size).fill(undefined);
  let line = 0;
  for await (const bag of readBags(file, words.size)) {
    const id = itemOf === undefined ? String(line) : itemOf[line];
    if (id === undefined)
      throw new UserError({
        place: `${file}:${line + 1}`,
        problem: `there are more lines than the ${itemOf?.length} ids of ${ids}`,
      });
    line++;
    const item = items.indexOf(id);
    if (item === undefined) skipped.add(id, "unknown");
    else if (bag.words.length === 0) skipped.add(id, "empty");
    else bags[item] = bag;
  }
  if (itemOf !== undefined && line < itemOf.length)
    throw new UserError({
      place: file,
      problem: `there are ${line} lines`,
      expected: `${itemOf.length}, one for each id of ${ids}`,
    });
  return {
    content: wordContent(bagMatrix(bags, words.size), words),
    files: [basename(file), basename(wordFile)],
    skipped,
  };
}
