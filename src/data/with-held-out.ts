// A dataset whose held-out users are training users too, to train a chosen model on more of the data.

import { UserError } from "../core/errors.js";
import { type CsrMatrix, fromRows, rowIndices } from "../sparse/csr.js";
import type { Dataset, HeldOutSplit } from "./dataset.js";
import { Vocabulary } from "./vocabulary.js";

/**
 * The dataset with the complete histories of its validation users, and with `test` those of its test users, among the training
 * histories; these splits are then empty. A held-out user who is a training user keeps one row. Interactions count as 1; ratings are left
 * out, and times cannot be read.
 */
export function withHeldOut(dataset: Dataset, { test = false } = {}): Dataset {
  const { train, users, items } = dataset;
  const columns = items.size;
  const rows: Uint32Array[] = Array.from({ length: train.rows }, (_, user) => rowIndices(train, user));
  const ids = [...users.ids];
  const places = new Map(ids.map((id, user) => [id, user]));
  for (const split of test ? [dataset.validation, dataset.test] : [dataset.validation])
    split.users.ids.forEach((id, user) => {
      const place = places.get(id);
      const held = [rowIndices(split.foldIn, user), rowIndices(split.heldOut, user)];
      const row = union(place === undefined ? held : [rows[place], ...held]);
      if (place !== undefined) rows[place] = row;
      else if (row.length > 0) {
        places.set(id, rows.length);
        ids.push(id);
        rows.push(row);
      }
    });
  const { trainTimes, trainRatings: _ratings, manifest: _manifest, ...rest } = dataset;
  return {
    ...rest,
    users: new Vocabulary(ids),
    train: fromRows(columns, rows),
    validation: nobody(columns),
    ...(test && { test: nobody(columns) }),
    ...(trainTimes && { trainTimes: noTimes(dataset.name) }),
  };
}

/** The times of the held-out interactions are not read, so no training can use times. */
function noTimes(name: string): () => Promise<Float64Array> {
  return () => {
    throw new UserError({
      place: name,
      problem: "a model that uses times cannot be trained on the held-out users too",
      expected: "a run without window and halfLife",
      remedy: "Train it with foldin train",
    });
  };
}

function nobody(columns: number): HeldOutSplit {
  const empty: CsrMatrix = fromRows(columns, []);
  return { users: new Vocabulary([]), foldIn: empty, heldOut: empty };
}

function union(lists: readonly Uint32Array[]): Uint32Array {
  return Uint32Array.from(new Set(lists.flatMap((list) => [...list]))).sort();
}
