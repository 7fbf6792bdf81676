// The content options: a file or folder and how to read it, or records from a program.

import type { ContentForm, ContentKind, TextRule } from "../content.js";
import type { FileOptions } from "../table-source.js";

/** How to read and convert content. */
export interface ContentOptions {
  /** The kind of content, if detection is not enough. Text becomes "words" unless "sequences" is set. */
  kind?: ContentKind;
  /** Text: the size of the vocabulary, chosen by tf-idf (sequences: by frequency). Default 8000, as in citeulike-a. */
  words?: number;
  /** Text: "words" (runs of letters and digits, in lower case), or "spaces" (split at white space, unchanged). Default "words". */
  split?: TextRule["split"];
  /** Text: the language (ISO 639-3) whose stop words are removed, or null. Default "eng" for words, null for sequences. */
  stopWords?: TextRule["stopWords"];
  /** Images: the size to which they are resized. Default [32, 32]. */
  size?: readonly [height: number, width: number];
  /** Images: 3 (colour) or 1 (greyscale). Default 3. */
  channels?: 1 | 3;
}

/** Content in a file, or images in a folder. */
export interface ContentFile extends ContentOptions, FileOptions {
  /**
   * Bags of words (mult.dat), a list of texts, one per line (.txt), a table of texts or vectors (CSV, TSV, Parquet, JSON lines), an
   * array (.npy), or a folder of images named by the ids of their items.
   */
  file: string;
  /** For files without ids (mult.dat, .npy, .txt): a file with the id of each row's item, one per line. Default: row k is item k. */
  ids?: string;
  /** mult.dat: its words, one per line (default: vocabulary.dat in the same folder). Text: the vocabulary to use instead of choosing one. */
  vocabulary?: string;
  /** Tables: the column of the items' ids; if not given, it is found by its usual names. */
  id?: string;
  /** Tables: the columns of text (joined) or of numbers, or the column of lists of numbers. Default: detected from names and values. */
  fields?: readonly string[];
}

/** The content of one item, from a program: one of `text`, `tokens` and `vector`, the same one for all items. */
export interface ContentRecord {
  readonly id: string | number;
  readonly text?: string | null;
  readonly tokens?: readonly (string | number)[];
  readonly vector?: ArrayLike<number>;
}

export type ContentInput = ContentFile | (ContentOptions & { records: Iterable<ContentRecord> });

/** The text rule from the options, or from the form of a model. */
export function textRuleOf(
  kind: "words" | "sequences",
  options: ContentOptions,
  form?: ContentForm,
): TextRule {
  const trained = form && "text" in form ? form.text : undefined;
  return (
    trained ?? {
      split: options.split ?? "words",
      stopWords: options.stopWords === undefined ? (kind === "words" ? "eng" : null) : options.stopWords,
    }
  );
}

/** The default size of the vocabulary: that of citeulike-a. */
export const defaultWords = 8000;
