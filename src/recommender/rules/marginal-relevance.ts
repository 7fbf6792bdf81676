// Maximal marginal relevance (Carbonell and Goldstein, The use of MMR, diversity-based reranking for reordering documents and
// producing summaries, SIGIR 1998): a list is built item by item, and next is the item with the largest
//
//   lambda value - (1 - lambda) (largest similarity with an item of the list)          here with diversity = 1 - lambda
//
// The similarity is the cosine. The first item is the one with the largest value. Ties are broken by value, then by index.

import type { Pauses } from "../../core/shared-turns.js";
import type { Caps } from "./caps.js";
import type { UnitVectors } from "./item-vectors.js";

export interface Selection {
  /** Item indices. */
  readonly items: Uint32Array;
  /** The value of each item. */
  readonly values: Float64Array;
  readonly k: number;
  /** From 0 to 1. */
  readonly diversity: number;
  /** The items' vectors; needed if diversity > 0. */
  readonly vectors?: UnitVectors;
  /** Which items may still be added; an item that is not admitted once is not admitted later. */
  readonly caps?: Caps;
}

/** The positions of the chosen items, in order: k of them, or fewer if no more are admitted. Throws AbortedError if the signal of `pauses` is aborted. */
export async function select(
  { items, values, k, diversity, vectors, caps }: Selection,
  pauses: Pauses,
): Promise<number[]> {
  const open = Uint32Array.from(items.keys());
  const nearest = new Float64Array(items.length).fill(-Infinity);
  const chosen: number[] = [];
  let left = open.length;
  while (chosen.length < k && left > 0) {
    if (pauses.due) await pauses.yield();
    const isFirst = chosen.length === 0 || diversity === 0;
    const marginal = (place: number) =>
      isFirst ? values[place] : (1 - diversity) * values[place] - diversity * nearest[place];
    let best = 0;
    let highest = marginal(open[0]);
    for (let o = 1; o < left; o++) {
      const value = marginal(open[o]);
      if (value < highest || (value === highest && isBefore(open[best], open[o]))) continue;
      best = o;
      highest = value;
    }
    const next = open[best];
    chosen.push(next);
    open[best] = open[--left];
    if (caps) {
      caps.add(items[next]);
      left = keepAdmitted(left, caps);
    }
    if (vectors && diversity > 0)
      for (let o = 0; o < left; o++)
        nearest[open[o]] = Math.max(nearest[open[o]], cosine(vectors, next, open[o]));
  }
  return chosen;

  /** Moves the open items that may still be added to the front, and returns their number. */
  function keepAdmitted(count: number, caps: Caps): number {
    let kept = 0;
    for (let o = 0; o < count; o++) if (caps.admits(items[open[o]])) open[kept++] = open[o];
    return kept;
  }

  function isBefore(one: number, other: number): boolean {
    return values[one] === values[other] ? items[one] < items[other] : values[one] > values[other];
  }
}

function cosine({ width, data }: UnitVectors, one: number, other: number): number {
  let sum = 0;
  for (let a = one * width, b = other * width, end = a + width; a < end; a++, b++) sum += data[a] * data[b];
  return sum;
}
