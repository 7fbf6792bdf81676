// Titles that are similar to a text that no item is called.

import { distance } from "fastest-levenshtein";
import { LONGEST_NAME } from "../core/nearest.js";
import type { Vocabulary } from "../data/vocabulary.js";
import { folded, withoutYear } from "./titles.js";

/** Up to three items with similar titles: those that contain the text first, then those within a small edit distance. */
export function nearTitles(text: string, items: Vocabulary): number[] {
  const wanted = folded(text);
  if (wanted === "" || wanted.length > LONGEST_NAME) return [];
  const near: { index: number; apart: number }[] = [];
  for (const [index, title] of (items.titles ?? []).entries()) {
    if (title === null) continue;
    const known = folded(title);
    const apart = Math.min(distance(wanted, known), distance(wanted, withoutYear(known)));
    const contains = wanted.length >= 3 && known.includes(wanted);
    if (contains || apart <= Math.max(1, Math.floor(wanted.length / 3)))
      near.push({ index, apart: contains ? Math.min(apart / 100, 1) : apart });
  }
  return near
    .sort((a, b) => a.apart - b.apart)
    .slice(0, 3)
    .map(({ index }) => index);
}
