// Converts sequences to bags of tokens.

import type { CsrMatrix } from "../../sparse/csr.js";

/** Counts the tokens of each row: [rows, tokens], in order of first appearance. */
export function countRows({
  rows,
  columns,
  offsets,
  indices,
}: CsrMatrix): CsrMatrix & { readonly values: Float32Array } {
  const place = new Int32Array(columns).fill(-1);
  const counted = { rows, columns, offsets: new Uint32Array(rows + 1) };
  const found = new Uint32Array(indices.length);
  const counts = new Float32Array(indices.length);
  let end = 0;
  for (let row = 0; row < rows; row++) {
    const start = end;
    for (let k = offsets[row]; k < offsets[row + 1]; k++) {
      const token = indices[k];
      if (place[token] < start) {
        place[token] = end;
        found[end++] = token;
      }
      counts[place[token]]++;
    }
    counted.offsets[row + 1] = end;
  }
  return { ...counted, indices: found.slice(0, end), values: counts.slice(0, end) };
}
