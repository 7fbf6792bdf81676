// The range in which `tune` searches an option, as metadata of its schema: `.meta(logRange(1, 1000))`. Options without it keep
// their values. The ranges are wider than what was best on the data sets that we know, and contain the default.

import type { JsonValue } from "../core/json.js";

/** Numbers between two ends, drawn uniformly or log-uniformly; or a list of values, in which null stands for an unset option. */
export type Tuned =
  | { readonly low: number; readonly high: number; readonly scale: "linear" | "log" }
  | readonly JsonValue[];

/** The metadata of a schema, which the JSON schema of the options repeats. */
type TunedMeta = { readonly tuned: Tuned };

/** Numbers from `low` to `high`, all alike. */
export function linearRange(low: number, high: number): TunedMeta {
  return { tuned: { low, high, scale: "linear" } };
}

/** Numbers from `low` (above 0) to `high`, all orders of magnitude alike. */
export function logRange(low: number, high: number): TunedMeta {
  return { tuned: { low, high, scale: "log" } };
}

/** One of these values. */
export function oneOf(...values: JsonValue[]): TunedMeta {
  return { tuned: values };
}
