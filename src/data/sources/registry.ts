// The sources of `foldin prepare`.

import { UserError } from "../../core/errors.js";
import { nearestName } from "../../core/nearest.js";
import { amazonMovies } from "./amazon-movies.js";
import { citeulikeA, citeulikeT } from "./citeulike.js";
import type { KnownSource } from "./known-source.js";
import { ml1m } from "./ml-1m.js";
import { ml20m } from "./ml-20m.js";
import { ml100k } from "./ml-100k.js";
import { mlLatestSmall } from "./ml-latest-small.js";
import { netflix } from "./netflix.js";

/** The public data sets, the smallest MovieLens first. */
export const knownSources: readonly KnownSource[] = [
  ml100k,
  mlLatestSmall,
  ml1m,
  ml20m,
  netflix,
  amazonMovies,
  citeulikeA,
  citeulikeT,
];

/** The generated catalogue: it has no files. */
export const demoName = "demo";

/** Every name, the demo's first. */
export const sourceNames: readonly string[] = [demoName, ...knownSources.map(({ name }) => name)];

/** The source with this name. Throws UserError with the most similar name if it is unknown. */
export function findSource(name: string): KnownSource {
  const found = knownSources.find((source) => source.name === name);
  if (found) return found;
  const nearest = nearestName(name, sourceNames);
  throw new UserError({
    problem: `there is no source "${name}"`,
    expected: sourceNames.join(", "),
    remedy: nearest === undefined ? undefined : `Did you mean ${nearest}?`,
  });
}
