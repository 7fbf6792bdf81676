// The description of a public data set: its files, how to read them, its published protocols with their expected counts, and
// where to get it. Each source is described in a file of its own.

import type { ReadOptions } from "../columns.js";
import type { ContentFile } from "../content/input.js";
import type { Interaction } from "../interactions.js";
import type { ItemFile, ItemRecord } from "../items.js";
import type { DatasetCounts } from "../manifest.js";
import type { ProtocolInput, ProtocolOptions } from "../protocol.js";
import type { Download } from "./download.js";

/**
 * File names in the source's folder, best first; "*" matches any text without "/". All files that match the first name with a
 * match are used, sorted by name.
 */
export type FileNames = readonly string[];

/** The files with the interactions, and how to read them. */
interface SourceInteractions {
  readonly names: FileNames;
  /** Their columns, if detection is not enough. */
  readonly columns?: ReadOptions;
  /** Converts files that DuckDB cannot read to pieces of one CSV file, in bounded memory. */
  readonly rewrite?: (files: readonly string[]) => AsyncIterable<Buffer>;
  /** Reads small files directly. */
  readonly parse?: (
    files: readonly string[],
    folder: string,
    options: ProtocolOptions,
  ) => Promise<Iterable<Interaction>>;
}

/** The files with the titles. They may be missing: the items then have no titles. */
interface SourceItems {
  readonly names: FileNames;
  readonly columns?: Omit<ItemFile, "file">;
  /** Creates the records directly; `file` is undefined if no file has one of the names. */
  readonly parse?: (file: string | undefined) => Promise<readonly ItemRecord[]>;
}

/** The files with the items' content. They may be missing: the dataset then has none. */
export interface SourceContent {
  readonly names: FileNames;
  /** How to read it. A vocabulary is looked up in the same folder; if it is missing, one is chosen. */
  readonly input?: Omit<ContentFile, "file">;
}

/** The published subset of a manifest's counts. */
export type PublishedCounts = { readonly [K in keyof DatasetCounts]?: Partial<DatasetCounts[K]> };

/** A published protocol of the source, and its expected counts. */
export interface PublishedProtocol {
  readonly options: ProtocolInput;
  readonly counts: PublishedCounts;
  /** Files that it requires; if they are missing, the next protocol is the default. */
  readonly needs?: FileNames;
  /** The origin of the counts: a paper, a repository, an independent program. */
  readonly from: string;
}

export interface KnownSource {
  /** Its name in `foldin prepare`: "ml-1m". */
  readonly name: string;
  /** "MovieLens 1M". */
  readonly title: string;
  readonly homepage: string;
  /** The terms of use, in one line. */
  readonly licence: string;
  readonly interactions: SourceInteractions;
  readonly items?: SourceItems;
  readonly content?: SourceContent;
  /** The first one whose files exist is the default of `foldin prepare`. */
  readonly protocols: readonly [PublishedProtocol, ...PublishedProtocol[]];
  /** Absent: there is no official address; `getting` says how to get the files. */
  readonly download?: Download;
  /** How to get the files, in one sentence. */
  readonly getting?: string;
  /** Whether its publisher updates it from time to time, so that different counts are not an error. */
  readonly changes?: boolean;
}
