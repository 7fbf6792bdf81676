// Why an item was recommended: what each item of the history adds to its score. That is the score with the whole history
// less the score with the history without that item, which any model can be asked for.

import { throwIfAborted } from "../core/errors.js";
import { fromRows } from "../sparse/csr.js";
import type { Recommender, ScoreOptions } from "./recommender.js";

/** Histories that are scored at once: others need not wait long for the model. */
const AT_ONCE = 8;

export interface ExplainOptions extends ScoreOptions {
  /** Is called between the passes over the model's weights. */
  readonly between?: () => Promise<void>;
}

/**
 * What each item of a history adds to the score of each of the given items, [history.length, items.length], row-major:
 * positive where it speaks for the item. A history of n items is scored n + 1 times. The influences of a history do not
 * add up to the score: no model here is a plain sum over it. Throws AbortedError on the signal.
 */
export async function influences(
  recommender: Recommender,
  history: ArrayLike<number>,
  items: Uint32Array,
  { signal, between }: ExplainOptions = {},
): Promise<Float32Array> {
  const { size } = recommender.items;
  const whole = Array.from(history);
  const added = new Float32Array(whole.length * items.length);
  for (let first = 0; first < whole.length; first += AT_ONCE) {
    await between?.();
    throwIfAborted(signal);
    const without = whole.slice(first, first + AT_ONCE).map((left) => whole.filter((item) => item !== left));
    // The whole history comes along each time: rounding is then the same on both sides of the difference.
    const scores = await recommender.score(fromRows(size, [whole, ...without]), { signal }).at(items);
    for (let at = 0; at < without.length * items.length; at++)
      added[first * items.length + at] = scores[at % items.length] - scores[items.length + at];
  }
  return added;
}
