// A dataset whose validation users are training users too, to train a chosen model on everything but the test users.

import { type CsrMatrix, fromRows, rowIndices } from "../sparse/csr.js";
import type { Dataset } from "./dataset.js";
import { Vocabulary } from "./vocabulary.js";

/**
 * The dataset with the complete histories of its validation users among the training histories, and without validation users. A
 * validation user who is a training user keeps one row. Interactions count as 1; times and ratings are left out.
 */
export function withValidation(dataset: Dataset): Dataset {
  const { train, validation, users, items } = dataset;
  const columns = items.size;
  const rows: Uint32Array[] = Array.from({ length: train.rows }, (_, user) => rowIndices(train, user));
  const ids = [...users.ids];
  validation.users.ids.forEach((id, user) => {
    const known = users.indexOf(id);
    const held = [rowIndices(validation.foldIn, user), rowIndices(validation.heldOut, user)];
    const row = union(known === undefined ? held : [rows[known], ...held]);
    if (known !== undefined) rows[known] = row;
    else if (row.length > 0) {
      ids.push(id);
      rows.push(row);
    }
  });
  const empty: CsrMatrix = fromRows(columns, []);
  const { trainTimes: _times, trainRatings: _ratings, manifest: _manifest, ...rest } = dataset;
  return {
    ...rest,
    users: new Vocabulary(ids),
    train: fromRows(columns, rows),
    validation: { users: new Vocabulary([]), foldIn: empty, heldOut: empty },
  };
}

function union(lists: readonly Uint32Array[]): Uint32Array {
  return Uint32Array.from(new Set(lists.flatMap((list) => [...list]))).sort();
}
