// Content on its way from a file into a dataset: what a reader hands over, and what it had to leave out.

import { LargeMap } from "../../core/large-map.js";
import type { SequenceContent, WordContent } from "../content.js";
import type { Database } from "../database.js";
import type { Vocabulary } from "../vocabulary.js";

/** Why something of a content file was left out. */
const skipReasons = {
  unknown: "of no item of the catalogue",
  present: "of items that the model knows already",
  empty: "with nothing in them",
  duplicate: "of an item that came before",
  damaged: "that cannot be decoded",
} as const;
type SkipReason = keyof typeof skipReasons;

/** Counts what is left out, and remembers the first hundred of each kind. */
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
 * Whose content is wanted: a catalogue's items, or whatever items the content speaks of, but for those that are known
 * already. Every item is taken once.
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

  /** Whether the content of an item is to be had; says nothing of whether it was taken before. */
  wants(id: string): boolean {
    return (
      this.#catalogue?.indexOf(id) !== undefined ||
      (!this.#catalogue && this.#present?.indexOf(id) === undefined)
    );
  }

  /** The number of the item, which is taken now; undefined, with the reason noted, where its content is not to be had. */
  take(id: string, isEmpty = false): number | undefined {
    const item = this.#catalogue ? this.#catalogue.indexOf(id) : this.#taken.size;
    if (item === undefined) return this.skipped.add(id, "unknown");
    if (this.#present?.indexOf(id) !== undefined) return this.skipped.add(id, "present");
    if (this.#taken.has(id)) return this.skipped.add(id, "duplicate");
    if (isEmpty) return this.skipped.add(id, "empty");
    this.#taken.set(id, item);
    return item;
  }

  /** How many items there are: the catalogue's, or those taken so far. */
  get size(): number {
    return this.#catalogue?.size ?? this.#taken.size;
  }

  /** The ids of the items, in the order of their numbers. */
  get ids(): readonly string[] {
    return this.#catalogue?.ids ?? [...this.#taken.keys()];
  }

  /** How many items were taken. */
  get taken(): number {
    return this.#taken.size;
  }
}

/** One item's numbers. */
export interface ItemRow {
  readonly item: number;
  readonly row: Float32Array | Uint8Array;
}

/** Rows of numbers, each item at most once, in any order; bytes stand for 0 ... 255 of 255. */
export interface RowDraft {
  readonly kind: "vectors" | "images";
  /** The shape of a row: [dimensions], or [channels, height, width]. */
  readonly shape: readonly number[];
  /** The rows, which can be had once; the database is there to read tables with. */
  readonly rows: (database: Database) => AsyncIterable<ItemRow>;
}

/** What a reader of content hands over. */
export interface ContentDraft {
  readonly content: WordContent | SequenceContent | RowDraft;
  /** Names of the files that it comes from, without their folders. */
  readonly files: readonly string[];
  /** What was left out; complete once the rows have been had. */
  readonly skipped: Skipped;
}
