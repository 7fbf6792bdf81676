// The histories of users to score: all users of a dataset with all of their interactions, or the users of a file. Items are
// matched by id with those of the model, which may have been trained on other data.

import { LargeMap } from "../core/large-map.js";
import type { ProgressListener } from "../core/progress.js";
import { type CsrMatrix, fromPairs } from "../sparse/csr.js";
import type { ReadOptions } from "./columns.js";
import type { Dataset } from "./dataset.js";
import { readInteractions } from "./read.js";
import type { Vocabulary } from "./vocabulary.js";

export interface Histories {
  /** The users' ids; row u of the matrix is user u. No history is empty. */
  readonly users: readonly string[];
  /** [users, the model's items]; each item once, ascending. */
  readonly matrix: CsrMatrix;
  /** Users left out because the model knows none of their items. */
  readonly strangers: number;
  /** Distinct items that the model does not know. */
  readonly unknownItems: number;
}

/** All users of a dataset, in its order; a user's training, validation and test items form one history. */
export function historiesOfDataset(dataset: Dataset, items: Vocabulary): Histories {
  const { train, validation, test, users } = dataset;
  const parts: [readonly string[], CsrMatrix][] = [
    [users.ids, train],
    ...[validation, test].flatMap((split): [readonly string[], CsrMatrix][] => [
      [split.users.ids, split.foldIn],
      [split.users.ids, split.heldOut],
    ]),
  ];
  const rowOf = new LargeMap<string, number>();
  for (const [ids] of parts) for (const id of ids) if (!rowOf.has(id)) rowOf.set(id, rowOf.size);
  const entries = parts.reduce((sum, [, { indices }]) => sum + indices.length, 0);
  const userOf = new Uint32Array(entries);
  const itemOf = new Uint32Array(entries);
  let place = 0;
  for (const [ids, { offsets, indices }] of parts)
    for (const [row, id] of ids.entries())
      for (let k = offsets[row]; k < offsets[row + 1]; k++) {
        userOf[place] = rowOf.get(id) as number;
        itemOf[place++] = indices[k];
      }
  return matched([...rowOf.keys()], userOf, itemOf, dataset.items, items);
}

export interface HistoriesFile {
  readonly path: string;
  readonly columns?: ReadOptions;
  /** Rows with a lower rating are left out. */
  readonly minRating?: number;
}

/** The users of a file of interactions, by ascending id. Throws UserError, naming file and line, if the file is not valid. */
export async function historiesOfFile(
  { path, columns, minRating }: HistoriesFile,
  items: Vocabulary,
  { progress, signal }: { progress?: ProgressListener; signal?: AbortSignal } = {},
): Promise<Histories> {
  // Times are not used, and ratings only with a minimum, so invalid ones are not reported.
  const rating = columns?.rating ?? (minRating === undefined ? false : undefined);
  const read = await readInteractions([path], {
    columns: { ...columns, rating, time: false },
    minRating,
    progress,
    signal,
  });
  return matched(read.users.ids, read.userOf, read.itemOf, read.items, items);
}

/** Converts coordinates in the source's items to histories in the model's items; users without known items are left out. */
function matched(
  ids: readonly string[],
  userOf: Uint32Array,
  itemOf: Uint32Array,
  from: Vocabulary,
  to: Vocabulary,
): Histories {
  const UNKNOWN = 0xffffffff;
  const known = Uint32Array.from(from.ids, (id) => to.indexOf(id) ?? UNKNOWN);
  const counts = new Uint32Array(ids.length);
  const seen = new Uint8Array(from.size);
  let entries = 0;
  for (const [k, item] of itemOf.entries()) {
    seen[item] = 1;
    if (known[item] === UNKNOWN) continue;
    counts[userOf[k]]++;
    entries++;
  }
  const rowOf = new Uint32Array(ids.length);
  const users: string[] = [];
  const present = new Uint8Array(ids.length);
  for (const user of userOf) present[user] = 1;
  for (const [user, id] of ids.entries())
    if (counts[user] > 0) {
      rowOf[user] = users.length;
      users.push(id);
    }
  const rows = new Uint32Array(entries);
  const columns = new Uint32Array(entries);
  let place = 0;
  for (const [k, item] of itemOf.entries()) {
    if (known[item] === UNKNOWN) continue;
    rows[place] = rowOf[userOf[k]];
    columns[place++] = known[item];
  }
  return {
    users,
    matrix: eachOnce(fromPairs(users.length, to.size, rows, columns)),
    strangers: present.reduce((sum, is) => sum + is, 0) - users.length,
    unknownItems: seen.reduce((sum, is, item) => sum + (is && known[item] === UNKNOWN ? 1 : 0), 0),
  };
}

/** The same matrix with the columns of each row sorted and unique. */
function eachOnce({ rows, columns, offsets, indices }: CsrMatrix): CsrMatrix {
  const ends = new Uint32Array(rows + 1);
  const kept = new Uint32Array(indices.length);
  let place = 0;
  for (let row = 0; row < rows; row++) {
    const sorted = indices.slice(offsets[row], offsets[row + 1]).sort();
    for (const [k, column] of sorted.entries())
      if (k === 0 || sorted[k - 1] !== column) kept[place++] = column;
    ends[row + 1] = place;
  }
  return { rows, columns, offsets: ends, indices: kept.slice(0, place) };
}
