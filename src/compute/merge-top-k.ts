// Merges the best items of several parts of a catalogue. Blocks of items, and machines that each hold a share of the items,
// exchange these instead of scores.

import { NO_ITEM, type TopK } from "./engine.js";

/**
 * Per row the k best of all parts, best first, equal scores by ascending item: the same result as `topK` over all items. Each part
 * has the k best of its own items (or all of them, if fewer) by their indices in the catalogue. The order of the parts has no
 * effect.
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
