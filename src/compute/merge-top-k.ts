// The best items of several parts of a catalogue, from the best of each: what blocks of items, and machines with a share of
// them each, hand to one another instead of scores.

import { NO_ITEM, type TopK } from "./engine.js";

/**
 * Per row the k best of all parts, best first, equal scores by ascending item, as `topK` over all items would find them. Each
 * part holds the k best of its own items (all of them where it has fewer) under their numbers in the catalogue. The order of the parts
 * makes no difference.
 */
export function mergeTopK(parts: readonly TopK[], k: number): TopK {
  if (parts.length === 1 && parts[0].k <= k) return parts[0];
  const rows = parts[0]?.rows ?? 0;
  const columns = Math.min(
    k,
    parts.reduce((sum, part) => sum + part.k, 0),
  );
  const items = new Uint32Array(rows * columns).fill(NO_ITEM);
  const scores = new Float32Array(rows * columns).fill(-Infinity);
  const next = new Uint32Array(parts.length);
  for (let row = 0; row < rows; row++) {
    next.fill(0);
    for (let rank = 0; rank < columns; rank++) {
      let best = -1;
      let [bestScore, bestItem] = [-Infinity, NO_ITEM];
      for (const [p, part] of parts.entries()) {
        if (next[p] === part.k) continue;
        const at = row * part.k + next[p];
        const [score, item] = [part.scores[at], part.items[at]];
        if (item === NO_ITEM || score < bestScore || (score === bestScore && item >= bestItem)) continue;
        best = p;
        [bestScore, bestItem] = [score, item];
      }
      if (best < 0) break;
      next[best]++;
      items[row * columns + rank] = bestItem;
      scores[row * columns + rank] = bestScore;
    }
  }
  return { rows, k: columns, items, scores };
}
