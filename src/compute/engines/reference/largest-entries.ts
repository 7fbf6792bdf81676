// Keeps the entries of the largest magnitude of many columns.

export interface SparseColumn {
  rows: number[];
  values: number[];
}

/** Keeps the `count` entries of the largest magnitude (in float32) of all columns, ties by column and row; whether each column changed. */
export function keepLargestEntries(columns: readonly SparseColumn[], count: number): boolean[] {
  const all = columns.flatMap(({ values }, column) => values.map((value, at) => ({ column, at, value })));
  if (all.length <= count) return columns.map(() => false);
  const size = ({ value }: { value: number }) => Math.abs(Math.fround(value));
  const kept = columns.map(() => [] as number[]);
  // The sort is stable, and the entries are in order.
  for (const { column, at } of all.sort((a, b) => size(b) - size(a)).slice(0, count)) kept[column].push(at);
  return columns.map((column, c) => {
    const changed = kept[c].length < column.rows.length;
    const order = kept[c].sort((a, b) => a - b);
    column.rows = order.map((at) => column.rows[at]);
    column.values = order.map((at) => column.values[at]);
    return changed;
  });
}
