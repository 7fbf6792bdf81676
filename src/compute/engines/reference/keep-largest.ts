// Truncates a sparse row to its largest entries.

export interface Entry {
  index: number;
  value: number;
}

/** The k entries with the largest values (ties: the lower index), in ascending order of the index. */
export function keepLargest(entries: readonly Entry[], k: number): Entry[] {
  return entries
    .toSorted((a, b) => b.value - a.value || a.index - b.index)
    .slice(0, k)
    .sort((a, b) => a.index - b.index);
}
