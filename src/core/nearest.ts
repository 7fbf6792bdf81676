// Suggestions ("Did you mean ...?"): the known name that is closest to a mistyped one.

import { distance } from "fastest-levenshtein";

/** Longer texts are not mistyped names, and comparing them with every name would be slow. */
export const LONGEST_NAME = 200;

/** The closest known name, if at most two letters or a third of them differ, or if one contains the other. */
export function nearestName(typed: string, known: Iterable<string>): string | undefined {
  if (typed.length > LONGEST_NAME) return undefined;
  const wanted = typed.toLowerCase();
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const name of known) {
    const candidate = name.toLowerCase();
    const contained = wanted.length >= 3 && (candidate.includes(wanted) || wanted.includes(candidate));
    const far = distance(wanted, candidate);
    const limit = contained
      ? Infinity
      : Math.max(Math.min(2, candidate.length - 2), Math.floor(candidate.length / 3));
    if (far <= limit && far < bestDistance) {
      best = name;
      bestDistance = far;
    }
  }
  return best;
}

/** `Did you mean "x"?`, or the list of known names. */
export function suggestion(typed: string, known: readonly string[]): string {
  const nearest = nearestName(typed, known);
  return nearest === undefined ? `Known: ${known.join(", ")}.` : `Did you mean "${nearest}"?`;
}
