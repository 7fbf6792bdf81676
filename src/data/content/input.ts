// How content is asked for: a file or folder and how it is to be understood, or records from a program.

import type { ContentKind } from "../content.js";

/** Content in a file, or pictures in a folder. */
export interface ContentFile {
  /**
   * Bags of words (mult.dat), a table of texts or vectors (CSV, Parquet, JSON lines), an array (.npy), or a folder of
   * pictures named by the ids of their items.
   */
  file: string;
  /** What it is to become, where its looks do not say it: text can become words or sequences. */
  kind?: ContentKind;
  /** mult.dat and .npy: a file with the item's id of each row, one a line. Default: row k is item k. */
  ids?: string;
  /** mult.dat: its words, one a line (default: vocabulary.dat beside it). Text: the words to know, instead of choosing them. */
  vocabulary?: string;
}

export type ContentInput = ContentFile;
