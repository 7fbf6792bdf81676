// Comparisons of runs with tests of significance. Their results are kept as long as the runs do not change.

import type { ComparisonJob, ComparisonResult } from "./comparison-messages.js";
import { Jobs } from "./jobs.js";

export class Comparisons extends Jobs<ComparisonJob, ComparisonResult> {
  constructor() {
    super("comparison-worker.js", "comparison");
  }
}
