// foldin add-items <run> --content <file>: takes items that nobody has touched into a trained model, by their content.

import type { Command } from "commander";
import { UserError } from "../../core/errors.js";
import { pathArgument, shellCommand } from "../../core/shell.js";
import type { ItemFile } from "../../data/items.js";
import { addContentOptions, type ContentFlags, contentInput, skippedLines } from "../content-options.js";
import { type CliContext, required } from "../context.js";
import { addEngineOptions, type EngineFlags } from "../engine-options.js";
import { addFileOptions, fileOptions, givenFileOption } from "../file-options.js";
import { count, plural } from "../table.js";

interface Flags extends EngineFlags, ContentFlags {
  out?: string;
  items?: string;
  rule?: string;
  force?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("add-items")
    .summary("add items that nobody has touched to a trained model")
    .description(
      "Gives new items a place in a trained model by their content alone and writes a new run folder. Nothing is trained; the items are recommended beside the others.",
    )
    .argument("<run>", "a run folder, as foldin train writes it, or a model folder")
    .option("--out <run>", "the run folder to write")
    .option("--items <file>", "titles of the new items (default: those in the content's table)")
    .option("--rule <name>", "how a new item gets its place; the model has a default and may have others")
    .option("--force", "replace the run in --out");
  addFileOptions(command, "items-", "items' file");
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
  required(flags.content, "--content", "what is known of the new items, such as --content new-films.csv");
  const content = contentInput(flags);
  if (content === undefined) throw new UserError({ problem: "no content is given" });
  const { addItems } = await import("../../experiments/add-items.js");
  const { added, items, rule, skipped, examples } = await addItems({
    ...{ run, out, content, items: itemFile(flags), rule: flags.rule, force: flags.force },
    ...{ engine: flags.engine, threads: flags.threads },
    // What is worth saying, without the time that each step took.
    progress: (event) => event.type === "note" && context.progress(event),
    signal: context.signal,
  });
  if (flags.json) {
    context.json({ run: out, added: added.length, items, rule, skipped });
    return;
  }
  context.out(`${plural(added.length, "item")} added (rule: ${rule}); ${out} now knows ${count(items)}`);
  for (const line of skippedLines(skipped, examples)) context.out(context.style.dim(`  ${line}`));
  context.out(`Next: ${shellCommand("foldin", "recommend", pathArgument(out), "--history")} ...`);
}

function itemFile(flags: Flags): ItemFile | undefined {
  if (flags.items !== undefined) return { file: flags.items, ...fileOptions({ ...flags }, "items-") };
  const stray = givenFileOption({ ...flags }, "items-");
  if (stray === undefined) return undefined;
  throw new UserError({
    place: stray,
    problem: "is about the items file, and none is given",
    remedy: "Name it with --items",
  });
}
