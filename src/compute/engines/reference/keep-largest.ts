// The part of a sparse row that is worth keeping.

export interface Entry {
  index: number;
  value: number;
}

/** The k entries of the largest value (ties: the lower index), in ascending order of the index. */
export function keepLargest(entries: readonly Entry[], k: number): Entry[] {
  return entries
    .toSorted((a, b) => b.value - a.value || a.index - b.index)
    .slice(0, k)
    .sort((a, b) => a.index - b.index);
}
