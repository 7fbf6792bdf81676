// foldin compare <runs...>: compares trained models on the same held-out users, with significance tests.

import { type Command, InvalidArgumentError, Option } from "commander";
import { UserError } from "../../core/errors.js";
import type { Against } from "../../experiments/compare/compare.js";
import type { CliContext } from "../context.js";
import { addEngineOptions, type EngineFlags, wholeNumber } from "../engine-options.js";
import { table } from "../table.js";

interface Flags extends EngineFlags {
  on: "test" | "validation";
  dataset?: string;
  metrics?: string[];
  categories?: string;
  against: Against;
  rounds: number;
  seed: number;
  csv?: string;
  html?: string;
  force?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  addEngineOptions(
    program
      .command("compare")
      .summary("compare trained models, with significance tests")
      .description(
        "Evaluate several runs on the same held-out users and test each pair of runs: randomisation test and paired t-test on the per-user values, with Holm correction.",
      )
      .argument(
        "<runs...>",
        "run folders, or CSV files of per-user values written by foldin evaluate --per-user",
      )
      .addOption(
        new Option("--on <split>", "the users to evaluate on")
          .choices(["test", "validation"])
          .default("test"),
      )
      .option("--dataset <folder>", "the dataset folder (default: that of the first run)")
      .option(
        "--metrics <names...>",
        "metrics such as ndcg@100 recall@20; runs are sorted by the first",
        namesOf,
      )
      .option(
        "--categories <attribute>",
        "attribute with the categories of items, for the metric calibration@k",
      )
      .addOption(
        new Option(
          "--against <which>",
          "pairs to test: all pairs, or each run against the best or the first one",
        )
          .choices(["all", "best", "first"])
          .default("all"),
      )
      .option("--rounds <n>", "number of rounds of the randomisation test", wholeNumber(100), 10_000)
      .option("--seed <n>", "seed of the randomisation test", wholeNumber(0), 98765),
  )
    .option("--csv <file>", "write all test results as CSV")
    .option("--html <file>", "write an HTML report")
    .option("--force", "replace the files in --csv and --html")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin compare runs/mult-vae runs/mult-dae runs/popularity
  foldin compare runs/baseline runs/new-* --against first --html compared.html
  foldin compare runs/mult-vae baseline.csv`,
    )
    .action((runs: string[], flags: Flags) => compareRuns(runs, flags, context));
}

/** Metric names, separated by commas or by spaces. */
function namesOf(value: string, before: string[] | undefined): string[] {
  const names = value.split(",").filter((name) => name !== "");
  if (names.length === 0) throw new InvalidArgumentError("Expected metric names, such as ndcg@100.");
  return [...(before ?? []), ...names];
}

async function compareRuns(runs: string[], flags: Flags, context: CliContext): Promise<void> {
  for (const path of [flags.csv, flags.html])
    if (path !== undefined && runs.includes(path))
      throw new UserError({
        place: path,
        problem: "is one of the inputs and would be overwritten",
        remedy: "Choose another file",
      });
  const { requireFreeFile } = await import("../../core/atomic-file.js");
  for (const path of [flags.csv, flags.html])
    if (path !== undefined) await requireFreeFile(path, { force: flags.force });
  const [{ compare }, report, { estimateText }] = await Promise.all([
    import("../../experiments/compare/compare.js"),
    import("../../experiments/compare/report.js"),
    import("../../experiments/reproduction-report.js"),
  ]);
  const comparison = await compare(runs, { ...flags, progress: context.progress, signal: context.signal });
  if (flags.csv !== undefined) await report.writeComparisonCsv(flags.csv, comparison);
  if (flags.html !== undefined) await report.writeComparisonPage(flags.html, comparison);
  if (flags.json) {
    context.json(comparison);
    return;
  }

  const { systems, metrics, against, pairs } = comparison;
  const { bold, dim } = context.style;
  const [metric] = metrics;
  context.out(
    `${bold(`${systems.length} models`)}${comparison.dataset === null ? "" : ` on ${comparison.dataset}`}, best first by ${metric}`,
  );
  context.out(
    table(
      [
        { heading: "" },
        { heading: "run" },
        { heading: "model" },
        ...metrics.map((name) => ({ heading: name, align: "right" as const })),
      ],
      systems.map((system, s) => [
        String(s + 1),
        system.name,
        system.model ?? "table",
        ...metrics.map((name) => estimateText(system.metrics[name])),
      ]),
      dim,
    ),
  );
  const tested = pairs.filter((pair) => pair.metric === metric);
  context.out(`\n${bold(metric)}`);
  context.out(
    table(
      [
        { heading: "pair" },
        { heading: "difference", align: "right" },
        { heading: "p", align: "right" },
        { heading: "p of t", align: "right" },
        { heading: "" },
      ],
      tested
        .slice(0, PAIRS)
        .map((pair) => [
          `${pair.a} – ${pair.b}`,
          `${report.differenceText(pair.difference)} ± ${pair.standardError.toFixed(4)}`,
          report.pText(pair.randomisationHolm),
          report.pText(pair.tHolm),
          pair.randomisationHolm < report.LEVEL ? "differ" : "may be chance",
        ]),
      dim,
    ),
  );
  if (tested.length > PAIRS)
    context.out(dim(`and ${tested.length - PAIRS} more pairs: see --csv, --html or --json`));
  context.out();
  context.out(dim(report.methodText(comparison)));
  if (metrics.length > 1) context.out(dim("tests for the other metrics: see --csv, --html or --json"));
  if (against === "best")
    context.out(dim("the best run was selected on the same users; --against all avoids this bias"));
  for (const path of [flags.csv, flags.html]) if (path !== undefined) context.out(`wrote ${path}`);
}

/** Maximum number of pairs shown on the terminal. */
const PAIRS = 15;
