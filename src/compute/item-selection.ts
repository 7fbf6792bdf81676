// Which items of a catalogue an output layer is computed for.

/** A selection of a catalogue's items. */
export type ItemSelection =
  | { readonly kind: "all" }
  /** The items from .. to - 1: what one of several machines has. */
  | { readonly kind: "share"; readonly from: number; readonly to: number }
  | ItemSample;

/**
 * Drawn items and the targets of a batch, for likelihoods that are estimated from them. With o_i the logit of item i,
 * s_i = o_i - logQ_i, and k_i how often it was drawn:
 *
 * Multinomial, `ownTargets: "added"`: the loss of a row is the sum over its targets i of
 *   -s_i + ln(exp(s_i) + sum over drawn j of k_j exp(s_j)),
 * the sampled softmax of FastVAE (Chen et al., WWW 2022): a target counts in its own denominator, and in others as often as it was
 * drawn. logQ is the logarithm of the proposal's probability; a constant added to all of it changes nothing.
 * Multinomial, `ownTargets: "drawn"`: the softmax over the drawn items alone, -s_i + ln(sum over drawn j of k_j exp(s_j));
 * every target must then have been drawn.
 * Bernoulli: targets are exact, the others weighted by k_j exp(-logQ_j), which has the right expectation where exp(logQ) is
 * the expected number of draws: the loss is sum over targets of [softplus(o_i) - x_i o_i] + sum over other drawn j of
 * k_j exp(-logQ_j) softplus(o_j). `ownTargets` makes no difference.
 *
 * A sample of all items, each drawn once, with logQ = 0 (and targets "drawn") is no approximation.
 */
export interface ItemSample {
  readonly kind: "sample";
  /** Items of the catalogue, ascending, each once: all that were drawn, and all targets of the batch. */
  readonly items: Uint32Array;
  /** How often each was drawn; 0 = it is there as a target only. */
  readonly draws: Float32Array;
  /** The correction of each, in nats. */
  readonly logQ: Float32Array;
  readonly ownTargets: "added" | "drawn";
}

/**
 * The sample of a batch: its targets (ascending, each once) and what was drawn, in any order, an item as often as it was
 * drawn. `logQ` is asked once for every item of the sample.
 */
export function itemSample(
  targets: Uint32Array,
  drawn: ArrayLike<number>,
  logQ: (item: number) => number,
  ownTargets: ItemSample["ownTargets"] = "added",
): ItemSample {
  const sorted = Uint32Array.from(drawn).sort();
  const items = new Uint32Array(targets.length + sorted.length);
  const draws = new Float32Array(items.length);
  let count = 0;
  for (let t = 0, d = 0; t < targets.length || d < sorted.length; count++) {
    items[count] = Math.min(targets[t] ?? Infinity, sorted[d] ?? Infinity);
    if (targets[t] === items[count]) t++;
    for (; sorted[d] === items[count]; d++) draws[count]++;
  }
  return {
    ...{ kind: "sample", items: items.slice(0, count), draws: draws.slice(0, count), ownTargets },
    logQ: Float32Array.from(items.subarray(0, count), logQ),
  };
}

/**
 * Throws RangeError where a batch has a target outside the sample, or, where a target counts only as it was drawn, one that was
 * not. `targets` ascend.
 */
export function checkTargets({ items, draws, ownTargets }: ItemSample, targets: Uint32Array): void {
  let at = 0;
  for (const target of targets) {
    while (items[at] < target) at++;
    if (items[at] !== target) throw new RangeError(`the target's item ${target} is not in the sample`);
    if (ownTargets === "drawn" && draws[at] === 0)
      throw new RangeError(`the target's item ${target} was not drawn, and is not added`);
  }
}
