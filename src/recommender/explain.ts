// Explains a recommendation by the contribution of each history item to its score: the score with the whole history minus the
// score without that item. This works for every model.

import { throwIfAborted } from "../core/errors.js";
import { fromRows } from "../sparse/csr.js";
import type { Recommender, ScoreOptions } from "./recommender.js";

/** Histories scored at a time, so that other requests do not wait long for the model. */
const AT_ONCE = 8;

export interface ExplainOptions extends ScoreOptions {
  /** Called between passes over the model's weights. */
  readonly between?: () => Promise<void>;
}

/**
 * The contribution of each history item to the score of each of the given items, [history.length, items.length], row-major;
 * positive if it supports the item. A history of n items is scored n + 1 times. The contributions do not add up to the score,
 * because no model here is a plain sum over the history. Throws AbortedError if the signal is aborted.
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
    // The whole history is scored in every batch, so that both terms of the difference are rounded in the same way.
    const scores = await recommender.score(fromRows(size, [whole, ...without]), { signal }).at(items);
    for (let at = 0; at < without.length * items.length; at++)
      added[first * items.length + at] = scores[at % items.length] - scores[items.length + at];
  }
  return added;
}
