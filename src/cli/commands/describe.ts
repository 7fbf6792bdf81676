// foldin describe <dataset>: counts, density, history lengths and popularity curve of a dataset.

import type { Command } from "commander";
import { printable } from "../../core/printable.js";
import type { DatasetDescription, HeldOutDescription, Lengths } from "../../data/describe.js";
import { describeShape } from "../content-options.js";
import type { CliContext } from "../context.js";
import { clip, count, number, plural, table, wrap } from "../table.js";

export function register(program: Command, context: CliContext): void {
  program
    .command("describe")
    .summary("show statistics of a dataset")
    .description(
      "Show the counts, density, history lengths and popularity curve of a dataset. --plots draws its ratings and its interactions per user and per item.",
    )
    .argument("<dataset>", "a dataset folder written by foldin prepare")
    .option("--plots <file>", "write a page with plots to this file, such as plots.html")
    .option("--json", "print one JSON object")
    .action(async (folder: string, { json = false, plots }: { json?: boolean; plots?: string }) => {
      const { describeDataset } = await import("../../data/describe.js");
      const ratings = plots !== undefined;
      const description = await describeDataset(folder, { ratings, signal: context.signal });
      if (plots !== undefined) {
        const { writeDatasetPage } = await import("../../experiments/data-plots.js");
        await writeDatasetPage(plots, description);
        context.say(`plots written to ${plots}`);
      }
      if (json) context.json(description);
      else print(description, context);
    });
}

function print(description: DatasetDescription, context: CliContext): void {
  const { bold, dim } = context.style;
  const { name, users, items, interactions, density, filteredDensity } = description;
  const { source, protocol, filtered, sourceRows, content } = description;
  context.out(bold(name));
  if (source?.description)
    for (const line of wrap(source.description, context.width ?? 100)) context.out(line);
  if (source?.generated) context.out("Generated data: these users, items and interactions do not exist.");
  if (source && source.files.length > 0) context.out(dim(`from ${source.files.join(", ")}`));
  if (protocol) {
    const { protocol: kind, ...options } = protocol;
    const set = Object.entries(options).map(([option, value]) => `${option} ${value}`);
    for (const line of wrap(`protocol ${kind}: ${set.join(", ")}`, context.width ?? 100))
      context.out(dim(line));
  }
  if (sourceRows !== undefined && filtered)
    context.out(
      dim(
        `${count(sourceRows)} rows read, ${count(filtered.interactions)} kept: ` +
          `${count(filtered.users)} users, ${count(filtered.items)} items`,
      ),
    );
  context.out();
  context.out(
    table(
      [
        { heading: "" },
        { heading: "users", align: "right" },
        { heading: "evaluated", align: "right" },
        { heading: "interactions", align: "right" },
        { heading: "held out", align: "right" },
      ],
      [
        ["train", count(users), "", count(interactions), ""],
        heldOutRow("validation", description.validation),
        heldOutRow("test", description.test),
      ],
      dim,
    ),
  );
  context.out();
  context.out(`${count(items)} items, ${count(description.titledItems)} with a title`);
  for (const { name, type, missing, values, frequent, from, to } of description.attributes ?? []) {
    const range = from === undefined ? "no values" : `${from} to ${to}`;
    const of = (frequent ?? []).map(({ value, items }) => `${clip(printable(value), 40)} ${count(items)}`);
    const held =
      values === undefined
        ? range
        : `${plural(values, "value")}: ${of.join(", ")}${values > of.length ? ", ..." : ""}`;
    const none = missing === 0 ? "" : `; ${count(missing)} without`;
    context.out(dim(`  ${printable(name)} (${type}): ${held}${none}`));
  }
  if (content)
    context.out(
      `${count(content.items)} of them with content: ${describeShape(content.kind, content.shape)}; ` +
        plural(content.coldItems, "cold item"),
    );
  const ofAll = filteredDensity === undefined ? "" : `; before the split ${number(100 * filteredDensity)} %`;
  context.out(`density: ${number(100 * density)} % of training users x items${ofAll}`);
  context.out(`interactions per user: ${lengths(description.historyLengths)}`);
  context.out(`interactions per item: ${lengths(description.itemCounts)}`);
  context.out();
  context.out(bold("Popularity curve"));
  const bar = 40;
  for (const { itemShare, items: some, interactionShare } of description.popularity) {
    const filled = Math.round(bar * interactionShare);
    const label = `top ${number(100 * itemShare)} %`.padEnd(10);
    const blocks = "█".repeat(filled) + dim("░".repeat(bar - filled));
    const share = `${(100 * interactionShare).toFixed(1)} %`.padStart(7);
    context.out(`${label} ${blocks} ${share} of interactions ${dim(`(${count(some)} items)`)}`);
  }
}

const heldOutRow = (name: string, split: HeldOutDescription): string[] => [
  name,
  count(split.users),
  count(split.judgedUsers),
  count(split.foldIn),
  count(split.heldOut),
];

const lengths = ({ min, median, mean, max }: Lengths): string =>
  `${count(min)} to ${count(max)}, median ${number(median)}, mean ${number(mean)}`;
