// Whether the best point lies at the edge of the search space, where a wider search may find a better point.

import { optionText } from "../option-text.js";
import type { SearchResult } from "./result.js";
import { isRange } from "./space.js";

/** One sentence per varied option whose best value is at the lower or upper end, and one if the best point was still improving. */
export function edgesOf({
  space,
  points,
  best,
  options,
}: Pick<SearchResult, "space" | "points" | "best" | "options">): string[] {
  const { epochs = 0, chosenEpoch } = best;
  const rising = epochs > 1 && chosenEpoch === epochs && options["compatibility.restoreBest"] !== false;
  const edges = space.flatMap((dimension) => {
    const { name } = dimension;
    const tried = points.filter(({ state }) => state === "done").map(({ setting }) => setting[name]);
    const numbers = [...new Set(tried)].filter((value) => typeof value === "number").sort((a, b) => a - b);
    const value = best.setting[name];
    if (numbers.length < 3 || typeof value !== "number") return [];
    const low = numbers.filter((number) => number < value).length;
    const high = numbers.length - 1 - low;
    // With values drawn from a range, the outermost tenth is the edge.
    const edge = isRange(dimension.alternatives) ? Math.ceil(numbers.length / 10) : 1;
    if (low >= edge && high >= edge) return [];
    const side = low < edge ? "lower" : "upper";
    return [
      `${name}=${optionText(value)} is at the ${side} end of the search space: a wider search may find a better point`,
    ];
  });
  if (rising)
    edges.push(`the best point was still improving in its last epoch (${epochs}): more epochs may be better`);
  return edges;
}
