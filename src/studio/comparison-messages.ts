// What the studio and the process of a comparison send to each other.

import type { ComparisonAnswer, SplitName } from "./api.js";

export interface ComparisonJob {
  /** `changed`: milliseconds since 1970; a run that has changed makes another job. */
  readonly runs: readonly { readonly name: string; readonly path: string; readonly changed: number }[];
  readonly on: SplitName;
  readonly metrics?: readonly string[];
  /** The dataset's folder; default: its location when the first run was trained. */
  readonly dataset?: string;
}

export interface ComparisonResult {
  readonly comparison: NonNullable<ComparisonAnswer["comparison"]>;
}
