// The Gini index of a distribution of counts, as Shani and Gunawardana define it for recommendations (Evaluating recommendation
// systems, Recommender Systems Handbook, 2011, section 8.3.3):
//
//   G = 1 / (n - 1)  sum_{j=1..n} (2 j - n - 1) p_(j)      with the shares p of the n items in ascending order

/** 0 if all counts are equal, 1 if one has everything; 0 without counts. */
export function giniIndex(counts: Uint32Array): number {
  const n = counts.length;
  const ascending = counts.toSorted();
  let total = 0;
  let weighted = 0;
  for (let j = 0; j < n; j++) {
    total += ascending[j];
    weighted += (2 * (j + 1) - n - 1) * ascending[j];
  }
  return n < 2 || total === 0 ? 0 : weighted / ((n - 1) * total);
}
