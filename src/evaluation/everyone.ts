// All users of a dataset, for evaluators that include users without held-out items: the CVAE authors' program
// (lib/evaluatePaper.m) averages over all users and counts training items as hits.

import type { Dataset, HeldOutSplit } from "../data/dataset.js";
import { Vocabulary } from "../data/vocabulary.js";
import { fromRows, rowIndices, stackRows, takeRows } from "../sparse/csr.js";

/** The training users with their training rows as histories, then the other test users; a row of `heldOut` is empty for a user without held-out items. */
export function everyone({ items, users, train, test }: Dataset): HeldOutSplit {
  const others = Uint32Array.from({ length: test.users.size }, (_, row) => row).filter(
    (row) => users.indexOf(test.users.ids[row]) === undefined,
  );
  const ofTrained = users.ids.map((id) => {
    const row = test.users.indexOf(id);
    return row === undefined ? [] : rowIndices(test.heldOut, row);
  });
  return {
    users: new Vocabulary([...users.ids, ...Array.from(others, (row) => test.users.ids[row])]),
    foldIn: stackRows(items.size, [train, takeRows(test.foldIn, others)]),
    heldOut: stackRows(items.size, [fromRows(items.size, ofTrained), takeRows(test.heldOut, others)]),
  };
}
