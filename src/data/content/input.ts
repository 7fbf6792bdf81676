// How content is asked for: a file or folder and how it is to be understood, or records from a program.

import type { ContentForm, ContentKind, TextRule } from "../content.js";
import type { FileOptions } from "../table-source.js";

/** How content is to be understood, and what is to become of it. */
export interface ContentOptions {
  /** What it is to become, where its looks do not say it: text becomes words, or sequences where that is said. */
  kind?: ContentKind;
  /** Text: how many words to know, the best by tf-idf (sequences: the most frequent). Default 8000, as citeulike-a has. */
  words?: number;
  /** Text: "words" (letters and digits, lower case), or "spaces": what stands between blanks, as it is. Default "words". */
  split?: TextRule["split"];
  /** Text: whose stop words are left out (ISO 639-3), or null for none. Default "eng" for words, null for sequences. */
  stopWords?: TextRule["stopWords"];
  /** Pictures: [height, width] to which they are resized. Default [32, 32]. */
  size?: readonly [height: number, width: number];
  /** Pictures: 3 (colours) or 1 (grey). Default 3. */
  channels?: 1 | 3;
}

/** Content in a file, or pictures in a folder. */
export interface ContentFile extends ContentOptions, FileOptions {
  /**
   * Bags of words (mult.dat), a list of texts, one a line (.txt), a table of texts or vectors (CSV, TSV, Parquet, JSON lines), an
   * array (.npy), or a folder of pictures named by the ids of their items.
   */
  file: string;
  /** Where rows have no id of their own (mult.dat, .npy, .txt): a file with the item of each row, one id a line. Default: row k is item k. */
  ids?: string;
  /** mult.dat: its words, one a line (default: vocabulary.dat beside it). Text: the words to know, instead of choosing them. */
  vocabulary?: string;
  /** Tables: the column of the items' ids; found by its usual names where not given. */
  id?: string;
  /** Tables: the columns of text (joined), of numbers, or the one with lists of numbers; found by their names and looks. */
  fields?: readonly string[];
}

/** The content of one item, from a program: one of `text`, `tokens` and `vector`, the same for all. */
export interface ContentRecord {
  readonly id: string | number;
  readonly text?: string | null;
  readonly tokens?: readonly (string | number)[];
  readonly vector?: ArrayLike<number>;
}

export type ContentInput = ContentFile | (ContentOptions & { records: Iterable<ContentRecord> });

/** The texts' rule that options, or the form of a model, ask for. */
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

/** How many words are chosen where nobody says it: those of citeulike-a. */
export const defaultWords = 8000;
