// Whether the best point lies at the edge of what was searched, where a wider search may find a better one.

import { optionText } from "../option-text.js";
import type { SearchResult } from "./result.js";
import { isRange } from "./space.js";

/** One sentence per varied option whose best value is the lowest or highest of the numbers tried, and one where the best still rose. */
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
    // Of many that were drawn, the outermost tenth is the edge.
    const edge = isRange(dimension.alternatives) ? Math.ceil(numbers.length / 10) : 1;
    if (low >= edge && high >= edge) return [];
    const side = low < edge ? "lowest" : "highest";
    return [
      `${name} ${optionText(value)} is among the ${side} that were tried: a wider search may find better`,
    ];
  });
  if (rising)
    edges.push(`the best point was best after its last epoch, ${epochs}: more epochs may be better`);
  return edges;
}
