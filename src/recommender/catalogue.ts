// Checks that histories match a model's catalogue.

import type { CsrMatrix } from "../sparse/csr.js";

/** Throws RangeError, naming the call, unless the histories have one column per item of the catalogue. */
export function requireCatalogue(call: string, histories: Pick<CsrMatrix, "columns">, items: number): void {
  if (histories.columns === items) return;
  throw new RangeError(
    `${call}: histories have ${histories.columns} columns, the catalogue has ${items} items`,
  );
}
