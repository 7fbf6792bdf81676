// The items of a catalogue for which an output layer is computed.

import type { SparseTensor } from "./tensor.js";

/** A selection of a catalogue's items. */
export type ItemSelection =
  | { readonly kind: "all" }
  /** The items from .. to - 1: what one of several machines has. */
  | { readonly kind: "share"; readonly from: number; readonly to: number }
  | ItemSample;

/**
 * Sampled items and the targets of a batch, for likelihoods that are estimated from a sample. With o_i the logit of item i,
 * s_i = o_i - logQ_i, and k_i the number of times it was drawn:
 *
 * Multinomial, `ownTargets: "exact"`: the loss of a row is the sum over its targets i of x_i (ln Z - o_i), where Z is the sum of
 * exp(o_i) over its targets plus the sum of k_j exp(s_j) over drawn j that are not among them. With exp(logQ) the expected number of
 * draws, Z is an unbiased estimate of the softmax's denominator.
 * Multinomial, `ownTargets: "added"`: the loss of a row is the sum over its targets i of
 *   -s_i + ln(exp(s_i) + sum over drawn j of k_j exp(s_j)),
 * the sampled softmax of FastVAE (Chen et al., WWW 2022): a target is part of its own denominator, and of others as often as it was
 * drawn. Adding a constant to all logQ has no effect.
 * Multinomial, `ownTargets: "drawn"`: the softmax over the drawn items only, -s_i + ln(sum over drawn j of k_j exp(s_j));
 * every target must then have been drawn.
 * Bernoulli: targets are exact, the others are weighted by k_j exp(-logQ_j), which is unbiased if exp(logQ) is the expected number
 * of draws: the loss is the sum over targets of [softplus(o_i) - x_i o_i] plus the sum over other drawn j of
 * k_j exp(-logQ_j) softplus(o_j). `ownTargets` has no effect.
 *
 * A sample of all items, each drawn once, with logQ = 0 (and targets "exact" or "drawn") is exact.
 */
export interface ItemSample {
  readonly kind: "sample";
  /** Items of the catalogue, ascending, each once: all that were drawn, and all targets of the batch. */
  readonly items: Uint32Array;
  /** The number of times each item was drawn; 0 = it is only a target. */
  readonly draws: Float32Array;
  /** The correction of each item, in nats. */
  readonly logQ: Float32Array;
  readonly ownTargets: "exact" | "added" | "drawn";
}

/**
 * The sample of a batch: its targets (ascending, each once) and the drawn items in any order, with repetitions. `logQ` is called
 * once for every item of the sample.
 */
export function itemSample(
  targets: Uint32Array,
  drawn: ArrayLike<number>,
  logQ: (item: number) => number,
  ownTargets: ItemSample["ownTargets"] = "added",
): ItemSample {
  const sorted = new Uint32Array(drawn).sort();
  const items = new Uint32Array(targets.length + sorted.length);
  const draws = new Float32Array(items.length);
  let count = 0;
  // Every batch goes through this, so it is written without iterators.
  for (let t = 0, d = 0; t < targets.length || d < sorted.length; count++) {
    const item =
      d === sorted.length || (t < targets.length && targets[t] <= sorted[d]) ? targets[t] : sorted[d];
    items[count] = item;
    if (t < targets.length && targets[t] === item) t++;
    for (; d < sorted.length && sorted[d] === item; d++) draws[count]++;
  }
  const corrections = new Float32Array(count);
  for (let at = 0; at < count; at++) corrections[at] = logQ(items[at]);
  return {
    ...{ kind: "sample", items: items.slice(0, count), draws: draws.slice(0, count), ownTargets },
    logQ: corrections,
  };
}

/**
 * Throws RangeError if the sample's lists differ in length, the layer [items, width] does not have the target's items, or a target
 * is not in the sample or, with `ownTargets: "drawn"`, was not drawn.
 */
export function checkSample(
  { items, draws, logQ, ownTargets }: ItemSample,
  layer: { readonly rows: number },
  target: SparseTensor,
): void {
  if (draws.length !== items.length || logQ.length !== items.length)
    throw new RangeError(
      `the sample has ${items.length} items, but ${draws.length} draws and ${logQ.length} corrections`,
    );
  if (layer.rows !== target.columns)
    throw new RangeError(`the output layer has ${layer.rows} items, but the target has ${target.columns}`);
  let at = 0;
  for (const item of target.touched) {
    while (items[at] < item) at++;
    if (items[at] !== item) throw new RangeError(`target item ${item} is not in the sample`);
    if (ownTargets === "drawn" && draws[at] === 0)
      throw new RangeError(`target item ${item} was not drawn, which ownTargets "drawn" requires`);
  }
}
