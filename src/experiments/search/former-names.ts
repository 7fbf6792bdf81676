// The former names of the hyperparameter search, for compatibility.

import type { SearchPoint, SearchResult } from "./result.js";
import { search } from "./search.js";
import type { SearchOptions } from "./search-options.js";

/** @deprecated Use `search`. */
export const sweep = search;

/** @deprecated Use `SearchOptions`. */
export type SweepOptions = SearchOptions;

/** @deprecated Use `SearchResult`. */
export type Sweep = SearchResult;

/** @deprecated Use `SearchPoint`. */
export type SweepPoint = SearchPoint;
