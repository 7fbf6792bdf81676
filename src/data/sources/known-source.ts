// What is known about a public data set: its files, how they are read, the protocols it is published with, the counts that
// come out of each, and where to get it. One file per source with little in it but facts.

import type { ReadOptions } from "../columns.js";
import type { ContentFile } from "../content/input.js";
import type { Interaction } from "../interactions.js";
import type { ItemFile, ItemRecord } from "../items.js";
import type { DatasetCounts } from "../manifest.js";
import type { ProtocolInput, ProtocolOptions } from "../protocol.js";
import type { Download } from "./download.js";

/**
 * File names in the source's folder, best first; "*" stands for any text without "/". The first name that is there is
 * taken: all files that fit it, in the order of their names.
 */
export type FileNames = readonly string[];

/** Where the interactions are, and how they are read. */
interface SourceInteractions {
  readonly names: FileNames;
  /** Their columns, where the files' own looks do not say it. */
  readonly columns?: ReadOptions;
  /** Turns files that DuckDB cannot read into pieces of one CSV file, in bounded memory. */
  readonly rewrite?: (files: readonly string[]) => AsyncIterable<Buffer>;
  /** Reads small files itself. */
  readonly parse?: (
    files: readonly string[],
    folder: string,
    options: ProtocolOptions,
  ) => Promise<Iterable<Interaction>>;
}

/** Where the titles are. Missing files are no error: the items then have no titles. */
interface SourceItems {
  readonly names: FileNames;
  readonly columns?: Omit<ItemFile, "file">;
  /** Makes the records itself; `file` is undefined where none of the names is there. */
  readonly parse?: (file: string | undefined) => Promise<readonly ItemRecord[]>;
}

/** Where the items' content is. Missing files are no error: the dataset then has none. */
export interface SourceContent {
  readonly names: FileNames;
  /** How it is read; a vocabulary is looked for in the same folder, and chosen where it is missing. */
  readonly input?: Omit<ContentFile, "file">;
}

/** Counts of a manifest; those that are published. */
export type PublishedCounts = { readonly [K in keyof DatasetCounts]?: Partial<DatasetCounts[K]> };

/** A protocol that the source is published with, and what must come out of it. */
export interface PublishedProtocol {
  readonly options: ProtocolInput;
  readonly counts: PublishedCounts;
  /** Files that must be in the folder for it; where they are missing, the next protocol is the default. */
  readonly needs?: FileNames;
  /** Where the counts are from: a paper, a repository, an independent program. */
  readonly from: string;
}

export interface KnownSource {
  /** What `foldin prepare` calls it: "ml-1m". */
  readonly name: string;
  /** "MovieLens 1M". */
  readonly title: string;
  readonly homepage: string;
  /** Who may use it, in one line. */
  readonly licence: string;
  readonly interactions: SourceInteractions;
  readonly items?: SourceItems;
  readonly content?: SourceContent;
  /** The first one whose files are there is the default of `foldin prepare`. */
  readonly protocols: readonly [PublishedProtocol, ...PublishedProtocol[]];
  /** Absent: there is no official address; `getting` says how to come by the files. */
  readonly download?: Download;
  /** What to know about getting the files, in one sentence. */
  readonly getting?: string;
  /** Whether its publisher replaces it from time to time, so that counts may rightly differ. */
  readonly changes?: boolean;
}
