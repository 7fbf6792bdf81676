// A dataset for training only, from generated histories.

import { type CsrMatrix, type Dataset, emptyMatrix, Vocabulary } from "foldin";

/** Ids "0", "1", ... */
export const names = (size: number): Vocabulary =>
  new Vocabulary(Array.from({ length: size }, (_, k) => String(k)));

/** Has no validation users, and test users only if `test` is given. */
export function trainingOnly(train: CsrMatrix, test?: Dataset["test"]): Dataset {
  const none = emptyMatrix(0, train.columns);
  const nobody = { users: names(0), foldIn: none, heldOut: none };
  return {
    name: "generated",
    items: names(train.columns),
    users: names(train.rows),
    train,
    validation: nobody,
    test: test ?? nobody,
  };
}
