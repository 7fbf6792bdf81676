// foldin index <run>: builds the index of a model with a large catalogue, and measures approximate answers.

import { type Command, InvalidArgumentError } from "commander";
import type { CliContext } from "../context.js";
import { addEngineOptions, type EngineFlags, engineOf } from "../engine-options.js";
import { count, plural, table } from "../table.js";

interface Flags extends EngineFlags {
  recall: number;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  addEngineOptions(
    program
      .command("index")
      .summary("index the items of a model with a large catalogue")
      .description(
        "Divide the items of a model with a large catalogue into blocks of similar items, so that recommend and serve read only a part of them. Their answers remain exact. With --approximate they rank only the items of a few blocks; how many of the exact answers these contain is measured here.",
      )
      .argument("<run>", "a run folder written by foldin train")
      .option(
        "--recall <share>",
        "recall@20 of approximate answers, for which the smallest sufficient number of blocks is chosen",
        share,
        0.99,
      )
      .option("--json", "print one JSON object"),
  )
    .addHelpText(
      "after",
      `
Examples:
  foldin index runs/large
  foldin recommend runs/large --history item-1
  foldin serve runs/large --approximate`,
    )
    .action((run: string, flags: Flags) => indexRun(run, flags, context));
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value <= 1))
    throw new InvalidArgumentError("Expected a share above 0 and at most 1.");
  return value;
}

async function indexRun(run: string, flags: Flags, context: CliContext): Promise<void> {
  const [{ loadRecommender, withoutVectors }, { findModelFolder }, { ranksByProducts }, itemIndex] =
    await Promise.all([
      import("../../serving/load.js"),
      import("../../recommender/model-files.js"),
      import("../../recommender/product-ranking.js"),
      import("../../recommender/item-index.js"),
    ]);
  const { buildIndex, RECALL_AT, writeIndex } = itemIndex;
  const folder = await findModelFolder(run);
  const model = await loadRecommender(run, { ...engineOf(flags), index: false });
  try {
    if (!ranksByProducts(model)) throw withoutVectors(folder, model.algorithm);
    const { signal } = context;
    const { index, measured } = await buildIndex(model, flags.recall, { signal });
    await writeIndex(folder, index);
    if (flags.json) {
      const { chosen, recall } = index;
      context.json({ items: model.items.size, blocks: index.blocks.rows, chosen, recall, measured });
      return;
    }
    context.out(`${plural(model.items.size, "item")} in ${plural(index.blocks.rows, "block")}`);
    context.out(
      table(
        [
          { heading: "blocks", align: "right" },
          { heading: `recall@${RECALL_AT}`, align: "right" },
          { heading: "ms", align: "right" },
          { heading: "" },
        ],
        measured.map(({ blocks, recall, milliseconds }, row) => [
          row === 0 ? "all" : count(blocks),
          recall.toFixed(4),
          milliseconds.toFixed(2),
          row === 0 ? "exact, the default" : blocks === index.chosen ? "--approximate" : "",
        ]),
        context.style.dim,
      ),
    );
  } finally {
    model.dispose();
  }
}
