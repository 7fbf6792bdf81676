// The process of one comparison.

import { type Compared, compare } from "../experiments/compare/compare.js";
import { methodText } from "../experiments/compare/report.js";
import type { ComparisonJob, ComparisonResult } from "./comparison-messages.js";
import { workOn } from "./jobs.js";

workOn<ComparisonJob, ComparisonResult>(async ({ runs, on, metrics, dataset }, progress) => {
  let total = 0;
  const comparison = await compare(
    runs.map(({ name, path }): Compared => ({ name, path })),
    {
      on,
      metrics,
      dataset,
      progress(event) {
        if (event.type === "start") total = event.total ?? 0;
        if (event.type !== "start" && event.type !== "advance") return;
        const share =
          event.type === "advance" && total > 0 ? `, ${Math.round((100 * event.done) / total)} %` : "";
        progress(`${event.task}${share}`);
      },
    },
  );
  return {
    comparison: {
      ...{ on: comparison.on, users: comparison.users, metrics: comparison.metrics },
      method: methodText(comparison),
      systems: comparison.systems.map(({ name, model = "", metrics }) => ({ id: name, model, metrics })),
      pairs: comparison.pairs.map(({ metric, a, b, difference, standardError, randomisationHolm }) => ({
        ...{ metric, a, b, difference, standardError, p: randomisationHolm },
      })),
    },
  };
});
