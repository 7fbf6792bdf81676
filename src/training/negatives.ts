// Draws the items of a sampled softmax: those that all histories of a batch are compared with in one update. The draws are named by
// seed and update, so they are the same on every engine, for any number of threads, and after a resume.
//
// Draws are stratified: of d draws, the n-th falls into the n-th of d equal shares of the probability. An item of probability q is
// drawn d q times on average, as by independent draws, but a popular item hardly more or less often than that: all users of a batch
// share the draws, so that their variation is not averaged out.

import { type ItemSample, itemSample } from "../compute/item-selection.js";
import { RandomSequence, streamOf } from "../core/philox.js";
import type { CsrMatrix } from "../sparse/csr.js";

/** How items are drawn: each alike, or in proportion to popularity^0.75 (Mikolov et al. 2013, section 2.2). */
export type Proposal = "uniform" | "popularity";

/** What `ItemSample` calls exact targets, and added targets (FastVAE). */
export type SampledLoss = "exact-targets" | "fastvae";

export interface NegativeOptions {
  /** Draws per update, of which popular items may be several; unset or 0 = all items are used instead. */
  readonly negatives?: number;
  /** Unset = popularity. */
  readonly proposal?: Proposal;
  /** Unset = exact-targets. */
  readonly sampledLoss?: SampledLoss;
}

const FLATTENED = 0.75;
const STREAM = streamOf("negatives");

/** The sample of a batch, from the items of its histories (ascending, each once) and the number of the update. */
export type NegativeSampler = (targets: Uint32Array, update: number) => ItemSample;

/**
 * The sampler of a training run on histories [users, items]; undefined if no negatives are wanted. The correction logQ of an item is
 * the logarithm of the number of times that it is expected to be drawn. An item without interactions
 * counts as one with a single interaction, so that every item can be drawn.
 */
export function negativeSampler(
  histories: CsrMatrix,
  { negatives = 0, proposal = "popularity", sampledLoss = "exact-targets" }: NegativeOptions,
  seed: number,
): NegativeSampler | undefined {
  if (negatives === 0) return undefined;
  const { itemAt, logQ } = proposals[proposal](histories);
  const logDraws = Math.log(negatives);
  const ownTargets = sampledLoss === "fastvae" ? "added" : "exact";
  return (targets, update) => {
    const random = new RandomSequence({ seed, step: update, stream: STREAM });
    const drawn = new Uint32Array(negatives);
    for (let n = 0, item = 0; n < negatives; n++) {
      item = itemAt((n + unit(random)) / negatives, item);
      drawn[n] = item;
    }
    return itemSample(targets, drawn, (item) => logDraws + logQ(item), ownTargets);
  };
}

interface Distribution {
  /** The item where the cumulative probability exceeds `share`, in [0, 1); no item before `least` is looked at. */
  readonly itemAt: (share: number, least: number) => number;
  /** The logarithm of an item's probability. */
  readonly logQ: (item: number) => number;
}

const proposals: Readonly<Record<Proposal, (histories: CsrMatrix) => Distribution>> = {
  uniform: ({ columns }) => ({
    itemAt: (share) => Math.min(columns - 1, Math.floor(share * columns)),
    logQ: () => -Math.log(columns),
  }),
  popularity({ columns, indices }) {
    const counts = new Uint32Array(columns);
    for (const item of indices) counts[item]++;
    /** The sum of the weights up to and with each item. */
    const sums = new Float64Array(columns);
    let total = 0;
    for (let item = 0; item < columns; item++) {
      total += Math.max(1, counts[item]) ** FLATTENED;
      sums[item] = total;
    }
    const logTotal = Math.log(total);
    return {
      itemAt: (share, least) => firstAbove(sums, total * share, least),
      logQ: (item) => FLATTENED * Math.log(Math.max(1, counts[item])) - logTotal,
    };
  },
};

/** A number in [0, 1) of 53 random bits: with 32, the probabilities of rare items among millions would be coarse. */
function unit(random: RandomSequence): number {
  const high = random.word() >>> 5;
  return (high * 2 ** 26 + (random.word() >>> 6)) * 2 ** -53;
}

/** The first index from `low` on of an ascending list whose number exceeds `bound`; the last index if none does. */
function firstAbove(ascending: Float64Array, bound: number, low: number): number {
  // The next draw is usually near: the range doubles until it contains it.
  let high = low;
  for (let step = 1; high < ascending.length - 1 && ascending[high] <= bound; step *= 2) {
    low = high + 1;
    high = Math.min(ascending.length - 1, high + step);
  }
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] > bound) high = middle;
    else low = middle + 1;
  }
  return low;
}
