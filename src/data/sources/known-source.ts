// What is known about a public data set: its files, how they are read, the protocol it is published with, the counts that
// come out of it, and where to get it. One file per source, and nothing in it but facts.

import type { ProtocolInput } from "../protocol.js";
import type { ReadOptions } from "../read.js";
import type { Download } from "./download.js";

/** A file, or a family of files, in the source's folder. */
export interface SourceFiles {
  /**
   * Names in the folder, best first; "*" stands for any text without "/". The first that is there is taken: all files of
   * that pattern, in the order of their names.
   */
  readonly names: readonly string[];
  readonly read?: ReadOptions;
}

/** Counts at one stage of the preparation; only those that are known. */
export type Counts = Readonly<Record<string, number>>;

export interface KnownSource {
  /** What `foldin prepare` calls it: "ml-1m". */
  readonly name: string;
  /** "MovieLens 1M". */
  readonly title: string;
  readonly homepage: string;
  /** Who may use it, in one line. */
  readonly licence: string;
  readonly interactions: SourceFiles;
  /** Where titles are. Missing files are no error: the items then have no titles. */
  readonly items?: SourceFiles;
  /** How it is published: the defaults of `foldin prepare`. */
  readonly protocol: ProtocolInput;
  /** Where protocol and seed are the defaults: what must come out. */
  readonly expected: Counts;
  /** The published counts' source: "spec of Liang et al. 2018, table 1". */
  readonly expectedFrom: string;
  /** Absent: nothing may be fetched; `homepage` says how to get the files. */
  readonly download?: Download;
}
