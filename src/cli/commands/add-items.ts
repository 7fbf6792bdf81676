// foldin add-items <run> --content <file>: adds cold items to a trained model by their content.

import type { Command } from "commander";
import { UserError } from "../../core/errors.js";
import { pathArgument, shellCommand } from "../../core/shell.js";
import type { ItemFile } from "../../data/items.js";
import { addContentOptions, type ContentFlags, contentInput, skippedLines } from "../content-options.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, type EngineFlags } from "../engine-options.js";
import {
  addFileOptions,
  addQueryOptions,
  fileOptions,
  givenFileOption,
  givenQueryOption,
  queryOptions,
} from "../file-options.js";
import { addItemTypeOption, type ItemTypeFlags, itemTypes } from "../item-types.js";
import { plural } from "../table.js";

interface Flags extends EngineFlags, ContentFlags, ItemTypeFlags {
  out?: string;
  items?: string;
  rule?: string;
  force?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("add-items")
    .summary("add cold items to a trained model by their content")
    .description(
      "Add items without interactions to a trained model by their content, and write a new run folder. Nothing is retrained. The new items are recommended together with the existing ones.",
    )
    .argument("<run>", "a run folder written by foldin train, or a model folder")
    .option("--out <run>", "the run folder to write")
    .option(
      "--items <file>",
      "file with the titles and attributes of the new items (default: those in the content table)",
    )
    .option(
      "--rule <name>",
      "how the model derives a new item from its content (default: the model's own rule)",
    )
    .option("--force", "replace the run in --out");
  addItemTypeOption(addQueryOptions(addFileOptions(command, "items-", "items file"), "items-", "items "));
  addEngineOptions(addContentOptions(command, { trained: true }))
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin add-items runs/cvae --content new-films.csv --out runs/cvae-today
  foldin add-items runs/knn --content posters/ --items new-films.csv --out runs/knn-today
  foldin recommend runs/cvae-today --history 'Alien (1979)'`,
    )
    .action((run: string, flags: Flags) => addToRun(run, flags, context));
}

async function addToRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const out = required(flags.out, "--out", "the run folder to write, such as --out runs/today");
  required(flags.content, "--content", "the content of the new items, such as --content new-films.csv");
  const content = contentInput(flags);
  if (content === undefined) throw new UserError({ problem: "option '--content' is required" });
  const { addItems } = await import("../../experiments/add-items.js");
  const { added, items, rule, skipped, examples } = await addItems({
    ...{
      run,
      out,
      content,
      items: itemFile(flags),
      itemTypes: itemTypes(flags),
      rule: flags.rule,
      force: flags.force,
    },
    ...{ engine: flags.engine, threads: flags.threads },
    // Notes only, without the duration of each step.
    progress: (event) => event.type === "note" && context.progress(event),
    signal: context.signal,
  });
  if (flags.json) {
    context.json({ run: out, added: added.length, items, rule, skipped });
    return;
  }
  context.out(`${plural(added.length, "item")} added (rule: ${rule}); ${out} has ${plural(items, "item")}`);
  for (const line of skippedLines(skipped, examples)) context.out(context.style.dim(`  ${line}`));
  context.out(`Next: ${shellCommand("foldin", "recommend", pathArgument(out), "--history")} ...`);
}

function itemFile(flags: Flags): ItemFile | undefined {
  if (flags.items !== undefined)
    return {
      ...{ file: flags.items, ...fileOptions({ ...flags }, "items-") },
      ...queryOptions({ ...flags }, "items-"),
    };
  const stray = flags.itemType
    ? "--item-type"
    : (givenFileOption({ ...flags }, "items-") ?? givenQueryOption({ ...flags }, "items-"));
  if (stray === undefined) return undefined;
  throw new UserError({
    place: stray,
    problem: "requires --items",
    remedy: "Add --items <file>",
  });
}
