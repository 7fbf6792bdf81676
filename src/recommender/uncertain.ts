// Models that provide the uncertainty of a score.

import type { CsrMatrix } from "../sparse/csr.js";
import type { Recommender } from "./recommender.js";

/** Scores of some items, each with its standard deviation under the model's posterior. */
export interface UncertainScores {
  /** [histories, items], row-major. */
  readonly means: Float32Array;
  readonly deviations: Float32Array;
}

export interface Uncertain extends Recommender {
  /**
   * The scores of the given items for every history, with their standard deviations. Throws RangeError for an item outside the
   * catalogue, or if the histories do not match the catalogue.
   */
  scoreWithUncertainty(histories: CsrMatrix, items: Uint32Array): Promise<UncertainScores>;
}

export function isUncertain(recommender: Recommender): recommender is Uncertain {
  return "scoreWithUncertainty" in recommender;
}
