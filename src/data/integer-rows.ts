// Interactions with integer ids in blocks of typed arrays: input that is too large for one object per interaction.

import { type ProgressListener, silent } from "../core/progress.js";
import { Turns } from "../core/turns.js";
import { CollectedRows } from "./collected-rows.js";
import { codeIntegers, type Interaction, type Interactions } from "./interactions.js";
import { Vocabulary } from "./vocabulary.js";

/** Some interactions: row k is user users[k] and item items[k]. The arrays may be reused for the next block. */
export interface IntegerBlock {
  readonly users: Uint32Array;
  readonly items: Uint32Array;
}

/** A source of blocks, which can be iterated repeatedly. As an iterable it yields one object per interaction. */
export class IntegerRows implements Iterable<Interaction> {
  /** Number of interactions. */
  readonly length: number;
  readonly #blocks: () => Iterable<IntegerBlock>;

  constructor(length: number, blocks: () => Iterable<IntegerBlock>) {
    this.length = length;
    this.#blocks = blocks;
  }

  blocks(): Iterable<IntegerBlock> {
    return this.#blocks();
  }

  *[Symbol.iterator](): Generator<Interaction> {
    for (const { users, items } of this.#blocks())
      for (let row = 0; row < users.length; row++) yield { user: users[row], item: items[row] };
  }
}

/** Reads all blocks. Throws UserError if the rows need too much memory, and AbortedError. */
export async function fromIntegerRows(
  rows: IntegerRows,
  { progress = silent, signal }: { progress?: ProgressListener; signal?: AbortSignal } = {},
): Promise<Interactions> {
  const kept = new CollectedRows();
  const turns = new Turns(signal);
  const task = "generating interactions";
  progress({ type: "start", task, total: rows.length, unit: "rows" });
  try {
    for (const { users, items } of rows.blocks()) {
      kept.append(users, items, undefined, undefined);
      progress({ type: "advance", task, done: kept.length });
      if (turns.due) await turns.yield();
    }
  } finally {
    progress({ type: "end", task });
  }
  const sourceRows = kept.length + kept.duplicates;
  const { userOf, itemOf } = kept.take();
  return {
    users: Vocabulary.ofIntegers(codeIntegers(userOf)),
    items: Vocabulary.ofIntegers(codeIntegers(itemOf)),
    userOf,
    itemOf,
    sourceRows,
    duplicates: kept.duplicates,
  };
}
