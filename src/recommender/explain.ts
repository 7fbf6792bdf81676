// Why an item was recommended: what each item of the history adds to its score. That is the score with the whole history
// less the score with the history without that item, which any model can be asked for.

import { fromRows } from "../sparse/csr.js";
import type { Recommender, ScoreOptions } from "./recommender.js";

/**
 * What each item of a history adds to the score of each of the given items, [history.length, items.length], row-major:
 * positive where it speaks for the item. A history of n items is scored n + 1 times. The influences of a history do not
 * add up to the score: no model here is a plain sum over it. Throws AbortedError on the signal.
 */
export async function influences(
  recommender: Recommender,
  history: readonly number[],
  items: Uint32Array,
  options?: ScoreOptions,
): Promise<Float32Array> {
  const without = history.map((left) => history.filter((item) => item !== left));
  const histories = fromRows(recommender.items.size, [history, ...without]);
  const scores = await recommender.score(histories, options).at(items);
  const added = new Float32Array(history.length * items.length);
  for (let at = 0; at < added.length; at++) added[at] = scores[at % items.length] - scores[items.length + at];
  return added;
}
