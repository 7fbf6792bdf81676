// The process of one comparison: receives the runs, sends progress and the result, and ends. It ends with its parent.

import { type Compared, compare } from "../experiments/compare/compare.js";
import { methodText } from "../experiments/compare/report.js";
import type { ComparisonJob, FromComparison, ToComparison } from "./comparison-messages.js";

/** Milliseconds between two reports of progress. */
const INTERVAL = 300;

// Ctrl-C reaches every process of a terminal; the parent stops this one.
process.on("SIGINT", () => {});
process.once("disconnect", () => process.exit());
process.once("message", ({ job }: ToComparison) => void work(job));

const send = (message: FromComparison) =>
  new Promise<void>((sent) => process.send?.(message, () => sent()) ?? sent());

async function work({ runs, on, metrics, dataset }: ComparisonJob): Promise<void> {
  let total = 0;
  let told = 0;
  try {
    const comparison = await compare(
      runs.map(({ name, path }): Compared => ({ name, path })),
      {
        on,
        metrics,
        dataset,
        progress(event) {
          if (event.type === "start") total = event.total ?? 0;
          if (event.type !== "start" && event.type !== "advance") return;
          if (event.type === "advance" && performance.now() - told < INTERVAL) return;
          told = performance.now();
          const share =
            event.type === "advance" && total > 0 ? `, ${Math.round((100 * event.done) / total)} %` : "";
          void send({ progress: `${event.task}${share}` });
        },
      },
    );
    await send({
      comparison: {
        ...{ on: comparison.on, users: comparison.users, metrics: comparison.metrics },
        method: methodText(comparison),
        systems: comparison.systems.map(({ name, model = "", metrics }) => ({ id: name, model, metrics })),
        pairs: comparison.pairs.map(({ metric, a, b, difference, standardError, randomisationHolm }) => ({
          ...{ metric, a, b, difference, standardError, p: randomisationHolm },
        })),
      },
    });
  } catch (error) {
    await send({ problem: error instanceof Error ? error.message : String(error) });
  }
  process.exit();
}
