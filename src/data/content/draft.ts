// Content between a file and a dataset: what a reader returns, and what it skipped.

import { LargeMap } from "../../core/large-map.js";
import type { SequenceContent, WordContent } from "../content.js";
import type { Database } from "../database.js";
import type { Vocabulary } from "../vocabulary.js";

/** Why something in a content file was skipped. */
const skipReasons = {
  unknown: "its item is not in the catalogue",
  present: "its item is already in the model",
  empty: "it is empty",
  duplicate: "its item appeared before",
  damaged: "it cannot be decoded",
} as const;
type SkipReason = keyof typeof skipReasons;

/** Counts what is skipped, and keeps the first hundred ids per reason. */
class Skipped {
  readonly counts: Record<SkipReason, number> = {
    unknown: 0,
    present: 0,
    empty: 0,
    duplicate: 0,
    damaged: 0,
  };
  readonly examples: { id: string; why: SkipReason }[] = [];

  add(id: string, why: SkipReason): undefined {
    if (this.counts[why]++ < 100) this.examples.push({ id, why });
    return undefined;
  }
}

/**
 * The items whose content is read: those of a catalogue, or all items in the content that are not `present` already. The
 * content of an item is taken only once.
 */
export class WantedItems {
  readonly skipped = new Skipped();
  readonly #catalogue: Vocabulary | undefined;
  readonly #present: Vocabulary | undefined;
  readonly #taken = new LargeMap<string, number>();

  constructor({ catalogue, present }: { catalogue?: Vocabulary; present?: Vocabulary }) {
    this.#catalogue = catalogue;
    this.#present = present;
  }

  /** Whether the content of an item is read, regardless of whether it was taken before. */
  accepts(id: string): boolean {
    return (
      this.#catalogue?.indexOf(id) !== undefined ||
      (!this.#catalogue && this.#present?.indexOf(id) === undefined)
    );
  }

  /** Takes the item and returns its number; undefined if its content is skipped, in which case the reason is counted. */
  take(id: string, isEmpty = false): number | undefined {
    const item = this.#catalogue ? this.#catalogue.indexOf(id) : this.#taken.size;
    if (item === undefined) return this.skipped.add(id, "unknown");
    if (this.#present?.indexOf(id) !== undefined) return this.skipped.add(id, "present");
    if (this.#taken.has(id)) return this.skipped.add(id, "duplicate");
    if (isEmpty) return this.skipped.add(id, "empty");
    this.#taken.set(id, item);
    return item;
  }

  /** Number of items: those of the catalogue, or those taken so far. */
  get size(): number {
    return this.#catalogue?.size ?? this.#taken.size;
  }

  /** The ids of the items, in the order of their numbers. */
  get ids(): readonly string[] {
    return this.#catalogue?.ids ?? [...this.#taken.keys()];
  }

  /** Number of items taken. */
  get taken(): number {
    return this.#taken.size;
  }
}

/** The numbers of one item. */
export interface ItemRow {
  readonly item: number;
  readonly row: Float32Array | Uint8Array;
}

/** Rows of numbers, each item at most once, in any order; a byte b means b / 255. */
export interface RowDraft {
  readonly kind: "vectors" | "images";
  /** The shape of a row: [dimensions], or [channels, height, width]. */
  readonly shape: readonly number[];
  /** The rows, which can be iterated once. The database is used to read tables. */
  readonly rows: (database: Database) => AsyncIterable<ItemRow>;
}

/** The result of a content reader. */
export interface ContentDraft {
  readonly content: WordContent | SequenceContent | RowDraft;
  /** Names of the source files, without their folders. */
  readonly files: readonly string[];
  /** What was skipped; complete only after the rows have been iterated. */
  readonly skipped: Skipped;
}
