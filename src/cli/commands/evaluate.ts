// foldin evaluate <run>: computes ranking metrics of a trained model on the held-out users of its dataset.

import { type Command, Option } from "commander";
import { UserError } from "../../core/errors.js";
import type { MetricValue, Segment, Segments } from "../../evaluation/evaluate.js";
import type { CliContext } from "../context.js";
import { datasetOfRun } from "../dataset-of-run.js";
import { addEngineOptions, type EngineFlags, engineOf } from "../engine-options.js";
import { addRuleOptions, type RuleFlags, rulesFrom, rulesText } from "../rule-options.js";
import { count, plural, table } from "../table.js";

interface Flags extends EngineFlags, RuleFlags {
  on: "test" | "validation";
  dataset?: string;
  metrics?: string[];
  categories?: string;
  coldItems?: true | "alone" | "among-all";
  evaluator: "foldin" | "cvae-paper";
  segments?: boolean;
  perUser?: string;
  force?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = addEngineOptions(
    program
      .command("evaluate")
      .summary("evaluate a trained model on held-out users")
      .description(
        "Evaluate a trained model on held-out users: fold in a part of each user's history and compare the ranking with the held-out items.",
      )
      .argument("<run>", "a run folder written by foldin train")
      .addOption(
        new Option("--on <split>", "the users to evaluate on")
          .choices(["test", "validation"])
          .default("test"),
      )
      .option("--dataset <folder>", "the dataset folder (default: that of the run)")
      .option(
        "--metrics <names...>",
        "metrics such as ndcg@100 recall@20 recall-plain@20 precision@10 map@10 mrr@10 hit-rate@10, and of the lists themselves: coverage@100 gini@100 novelty@20 diversity@20 long-tail@20 calibration@20",
      )
      .option(
        "--categories <attribute>",
        "attribute with the categories of items, for the metric calibration@k",
      )
      .addOption(
        new Option(
          "--cold-items [lists]",
          "evaluate only cold items (without training interactions): ranked among themselves (alone, the default) or among all items (among-all)",
        ).choices(["alone", "among-all"]),
      )
      .addOption(
        new Option(
          "--evaluator <name>",
          "cvae-paper: as in the figures of the CVAE paper; all users are evaluated, nothing is masked, and training items count as hits",
        )
          .choices(["foldin", "cvae-paper"])
          .default("foldin"),
      ),
    "that of the run",
  );
  addRuleOptions(command)
    .option("--segments", "also by length of the history and by popularity of the held-out items")
    .option("--per-user <file>", "write per-user values as CSV, for foldin compare")
    .option("--force", "replace the file in --per-user")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin evaluate runs/ml-1m
  foldin evaluate runs/ml-1m --metrics ndcg@10 recall@10 --on validation
  foldin evaluate runs/ml-1m --metrics ndcg@10 diversity@10 coverage@10 --diversity 0.3
  foldin evaluate runs/ml-1m --per-user ml-1m.csv`,
    )
    .action((run: string, flags: Flags) => evaluateRun(run, flags, context));
}

async function evaluateRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const [
    { loadRecommender },
    { cvaePaper, evaluate },
    { everyone },
    { coldItems },
    { loadDataset, readManifest },
    { chosenOn, readRunFolder, requireComplete, requireHeldOut },
    { fingerprint },
    { requireModelMemory },
  ] = await Promise.all([
    import("../../serving/load.js"),
    import("../../evaluation/evaluate.js"),
    import("../../evaluation/everyone.js"),
    import("../../evaluation/cold-items.js"),
    import("../../data/dataset.js"),
    import("../../experiments/run-folder.js"),
    import("../../training/identity.js"),
    import("../../serving/memory-need.js"),
  ]);
  if (flags.perUser !== undefined) {
    const { requireFreeFile } = await import("../../core/atomic-file.js");
    await requireFreeFile(flags.perUser, { force: flags.force });
  }
  const rules = await rulesFrom(flags);
  const paper = flags.evaluator === "cvae-paper";
  if (paper && flags.on === "validation")
    throw new UserError({
      place: "--on",
      problem: "--evaluator cvae-paper evaluates all users on their test items",
      remedy: "Remove --on or --evaluator",
    });
  const runFolder = requireComplete(await readRunFolder(run));
  const { config } = runFolder;
  const folder = datasetOfRun(run, config, flags.dataset);
  const use = { what: "evaluating", models: [run], precision: engineOf(flags).precision, blocks: true };
  await requireModelMemory(run, { ...use, dataset: (await readManifest(folder)).counts }, context.progress);
  const dataset = await loadDataset(folder, { signal: context.signal });
  // The users of other data may all be new.
  if (chosenOn(config) === fingerprint(dataset)) requireHeldOut(runFolder, flags.on);
  const cold = flags.coldItems === undefined ? undefined : coldItems(dataset.train);
  if (cold?.length === 0)
    throw new UserError({
      place: "--cold-items",
      problem: `${dataset.name} has no cold items: all ${count(dataset.items.size)} items have training interactions`,
      remedy: "Prepare the dataset with --catalogue catalogue or --catalogue all to keep cold items",
    });
  const recommender = await loadRecommender(run, engineOf(flags));
  try {
    const { algorithm, users, skipped, metrics, rows, perUser, segments } = await evaluate(
      recommender,
      dataset,
      {
        on: flags.on,
        // Metric names may be separated by commas or by spaces.
        metrics:
          flags.metrics?.flatMap((names) => names.split(",")).filter((name) => name !== "") ??
          (paper ? [50, 100, 150, 200, 250, 300].map((m) => `recall-plain@${m}`) : undefined),
        ...(paper && cvaePaper),
        ...(cold && { only: { items: cold, among: flags.coldItems === "among-all" ? "all" : "themselves" } }),
        segments: flags.segments,
        rules,
        categories: flags.categories,
        signal: context.signal,
        progress: context.progress,
      },
    );
    if (flags.perUser !== undefined) {
      const { writePerUser } = await import("../../experiments/compare/per-user.js");
      const { ids } = (paper ? everyone(dataset) : dataset[flags.on]).users;
      await writePerUser(flags.perUser, { users: Array.from(rows, (row) => ids[row]), values: perUser });
    }
    if (flags.json) {
      const coldItems = cold && {
        items: cold.length,
        lists: flags.coldItems === "among-all" ? "among-all" : "alone",
      };
      const evaluator = paper ? { evaluator: flags.evaluator } : {};
      context.json({
        ...{
          algorithm,
          dataset: dataset.name,
          split: paper ? cvaePaper.on : flags.on,
          ...evaluator,
          ...(cold && { coldItems }),
          ...(Object.keys(rules).length > 0 && { rules }),
        },
        ...{ users, metrics, segments },
      });
      return;
    }
    context.out(
      `${context.style.bold(algorithm)} on ${dataset.name}, ${count(users)} ${paper ? "" : `${flags.on} `}users${skipped > 0 ? ` (${count(skipped)} without held-out items skipped)` : ""}`,
    );
    if (paper)
      context.out(
        "evaluator of the CVAE paper: all users are evaluated, nothing is masked, and training items count as hits",
      );
    if (cold)
      context.out(
        `evaluated on ${plural(cold.length, "cold item")}, ranked ${flags.coldItems === "among-all" ? "among all items" : "among themselves"}`,
      );
    if (Object.keys(rules).length > 0) context.out(`re-ranked by rules: ${rulesText(flags)}`);
    context.out(
      table(
        [
          { heading: "metric" },
          { heading: "mean", align: "right" },
          { heading: "standard error", align: "right" },
        ],
        Object.entries(metrics).map(([name, { mean, standardError }]) => [
          name,
          mean.toFixed(5),
          standardError?.toFixed(5) ?? "–",
        ]),
        context.style.dim,
      ),
    );
    if (segments) printSegments(segments, context);
  } finally {
    recommender.dispose();
  }
}

/** Two tables: users by the length of their history, and held-out items by popularity. */
function printSegments({ history, popularity }: Segments, { out, style }: CliContext): void {
  const right = (heading: string) => ({ heading, align: "right" as const });
  const valuesOf = ({ metrics }: Segment, names: readonly string[]) =>
    names.map((name) => valueText(metrics[name]));
  const namesOf = (segments: readonly Segment[]) =>
    Object.keys(segments.find(({ users }) => users > 0)?.metrics ?? {});
  const ofUsers = namesOf(history);
  out(`\n${style.bold("by length of the history")}`);
  out(
    table(
      [{ heading: "items in it" }, right("users"), ...ofUsers.map(right)],
      history.map((segment) => [
        segment.from === segment.to ? count(segment.to) : `${count(segment.from)}–${count(segment.to)}`,
        count(segment.users),
        ...valuesOf(segment, ofUsers),
      ]),
      style.dim,
    ),
  );
  const ofItems = namesOf(popularity);
  out(`\n${style.bold("by popularity of the held-out items")}`);
  out(
    table(
      [
        { heading: "" },
        right("items"),
        right("interactions"),
        right("held out"),
        right("users"),
        ...ofItems.map(right),
      ],
      popularity.map((segment) => [
        segment.name,
        count(segment.items),
        `${(100 * segment.share).toFixed(1)} %`,
        count(segment.heldOut),
        count(segment.users),
        ...valuesOf(segment, ofItems),
      ]),
      style.dim,
    ),
  );
}

function valueText(value: MetricValue | undefined): string {
  return value === undefined ? "–" : `${value.mean.toFixed(5)} ± ${value.standardError?.toFixed(5)}`;
}
