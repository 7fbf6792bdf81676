// The former names of the hyperparameter search, for compatibility.

import type { SearchPoint, SearchResult } from "./result.js";
import { type SearchOptions, search } from "./search.js";

/** @deprecated Use `search`. */
export const sweep = search;

/** @deprecated Use `SearchOptions`. */
export type SweepOptions = SearchOptions;

/** @deprecated Use `SearchResult`. */
export type Sweep = SearchResult;

/** @deprecated Use `SearchPoint`. */
export type SweepPoint = SearchPoint;
