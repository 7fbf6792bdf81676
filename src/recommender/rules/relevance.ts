// The relevance of the items in a user's pool: their scores, scaled so that the best item has 1 and the last one 0. Scores of models
// have different units, and those of one model different ranges for different users; weights of rules should mean the same for all.

/** (score - smallest) / (largest - smallest); 1 for all if they are equal. Infinite scores count as the nearest finite one. */
export function relevanceOf(scores: Float32Array): Float64Array {
  let [least, most] = [Infinity, -Infinity];
  for (const score of scores)
    if (Number.isFinite(score)) {
      least = Math.min(least, score);
      most = Math.max(most, score);
    }
  const spread = most - least;
  return Float64Array.from(scores, (score) =>
    spread > 0 ? Math.min(1, Math.max(0, (score - least) / spread)) : 1,
  );
}
