// Content on its way from a file into a dataset: what a reader hands over, and what it had to leave out.

import type { SequenceContent, WordContent } from "../content.js";

/** Why something of a content file was left out. */
export const skipReasons = {
  unknown: "of no item of the catalogue",
  empty: "without anything in it",
  duplicate: "of an item that came before",
  damaged: "that cannot be decoded",
} as const;
export type SkipReason = keyof typeof skipReasons;

/** Counts what is left out, and remembers the first hundred of each kind. */
export class Skipped {
  readonly counts: Record<SkipReason, number> = { unknown: 0, empty: 0, duplicate: 0, damaged: 0 };
  readonly examples: { id: string; why: SkipReason }[] = [];

  add(id: string, why: SkipReason): void {
    if (this.counts[why]++ < 100) this.examples.push({ id, why });
  }
}

/** One item's numbers. */
export interface ItemRow {
  readonly item: number;
  readonly row: Float32Array | Uint8Array;
}

/** Rows of numbers, each item at most once, in any order; bytes stand for 0 ... 255 of 255. They can be had once. */
export interface RowDraft {
  readonly kind: "vectors" | "images";
  /** The shape of a row: [dimensions], or [channels, height, width]. */
  readonly shape: readonly number[];
  readonly rows: AsyncIterable<ItemRow>;
}

/** What a reader of content hands over. */
export interface ContentDraft {
  readonly content: WordContent | SequenceContent | RowDraft;
  /** Names of the files that it comes from, without their folders. */
  readonly files: readonly string[];
  /** Complete once the rows have been had. */
  readonly skipped: Skipped;
}
