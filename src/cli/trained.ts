// The output of a command that has trained a run: writes the report and prints the metrics.

import { join } from "node:path";
import { duration } from "../core/duration.js";
import type { Dataset } from "../data/dataset.js";
import type { Tracker } from "../experiments/trackers/tracker.js";
import type { Recommender } from "../recommender/recommender.js";
import type { CliContext } from "./context.js";
import { count, plural, table } from "./table.js";

export interface PrintOptions {
  /** Wall-clock seconds of training, for a model without epochs. */
  seconds: number;
  json?: boolean;
  /** Additional fields of the JSON object. */
  more?: Record<string, unknown>;
  trackers?: readonly Tracker[];
}

/** Evaluates a finished run, writes its report, and prints the metrics. */
export async function printTrained(
  out: string,
  recommender: Recommender,
  dataset: Dataset,
  { seconds, json = false, more = {}, trackers }: PrintOptions,
  context: CliContext,
): Promise<void> {
  const { reportOnRun } = await import("../experiments/run-report.js");
  const report = await reportOnRun(out, recommender, dataset, {
    ...{ seconds, signal: context.signal, trackers },
  });
  if (json) {
    context.json({
      run: out,
      algorithm: recommender.algorithm,
      dataset: dataset.name,
      seconds,
      epochs: report.epochs.length,
      chosenEpoch: report.chosenEpoch ?? null,
      metrics: Object.fromEntries(
        report.metrics.map(({ name, test, validation }) => [name, { test, validation }]),
      ),
      ...more,
    });
    return;
  }
  const kept = report.chosenEpoch === undefined ? "" : `, epoch ${count(report.chosenEpoch)} kept`;
  const epochs = report.epochs.length > 0 ? ` (${plural(report.epochs.length, "epoch")}${kept})` : "";
  context.out(
    `${context.style.bold(recommender.algorithm)} trained on ${dataset.name} in ${duration(report.seconds)}${epochs}`,
  );
  const evaluated = report.metrics.some(({ test, validation }) => test ?? validation);
  if (!evaluated) context.out("not evaluated: no user is held out");
  else
    context.out(
      table(
        [
          { heading: "metric" },
          { heading: "test", align: "right" },
          { heading: "validation", align: "right" },
        ],
        report.metrics
          .slice(0, 3)
          .map(({ name, test, validation }) => [name, estimate(test), estimate(validation)]),
        context.style.dim,
      ),
    );
  context.out([`run: ${out}`, `report: ${join(out, "report.html")}`]);
}

function estimate(value: { mean: number; standardError?: number } | undefined): string {
  if (!value) return "–";
  return value.standardError === undefined
    ? value.mean.toFixed(4)
    : `${value.mean.toFixed(4)} ± ${value.standardError.toFixed(4)}`;
}
