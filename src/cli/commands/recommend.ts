// foldin recommend <run> --history ...: folds a history in and prints the items that the model ranks first.

import type { Command } from "commander";
import { UserError } from "../../core/errors.js";
import { printable } from "../../core/printable.js";
import type { CliContext } from "../context.js";
import { addEngineOptions, collected, type EngineFlags, wholeNumber } from "../engine-options.js";
import { clip, table } from "../table.js";

interface Flags extends EngineFlags {
  history?: string[];
  exclude?: string[];
  k: number;
  includeHistory?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  addEngineOptions(
    program
      .command("recommend")
      .summary("recommend items for a history")
      .description(
        "Recommends items for a history: ids or titles of items that somebody has chosen. Nobody needs to be known to the model: the history is folded in.",
      )
      .argument("<run>", "a run folder, as foldin train writes it")
      .option(
        "--history <item>",
        "an id, a title, a list of those with commas, or @file with one a line (@- is stdin); '' for somebody without a history; may be given again",
        collected,
      )
      .option(
        "--exclude <item>",
        "an item never to recommend, given as in --history; of a title, all items that are called so; may be given again",
        collected,
      )
      .option("-k, --k <n>", "how many items", wholeNumber(1), 10)
      .option("--include-history", "items of the history may be recommended too"),
  )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin recommend runs/ml-1m --history 'Toy Story' --history 'Alien (1979)'
  foldin recommend runs/ml-1m --history 1,1214 -k 20 --json
  foldin recommend runs/ml-1m --history @seen.txt --exclude 'Toy Story'
  foldin recommend runs/ml-1m --history ''`,
    )
    .action((run: string, flags: Flags) => recommendItems(run, flags, context));
}

async function recommendItems(run: string, flags: Flags, context: CliContext): Promise<void> {
  if (!flags.history)
    throw new UserError({
      place: "--history",
      problem: "no history is given",
      expected: "ids or titles of items",
      remedy: "Give --history, as often as needed; for somebody without a history: --history ''",
    });
  const [{ loadRecommender }, { recommend }, { resolveExcluded, resolveHistory }] = await Promise.all([
    import("../../serving/load.js"),
    import("../../recommender/recommend.js"),
    import("../history.js"),
  ]);
  const recommender = await loadRecommender(run, { engine: flags.engine, threads: flags.threads });
  try {
    const history = await resolveHistory(flags.history, recommender.items);
    const { items } = recommender;
    const excluded = await resolveExcluded(flags.exclude ?? [], items);
    const found = await recommend(recommender, history, {
      k: flags.k,
      exclude: Array.from(excluded, (index) => items.ids[index]),
      includeHistory: flags.includeHistory,
      signal: context.signal,
    });
    if (flags.json) {
      context.json({
        algorithm: recommender.algorithm,
        history: found.history.map(({ id, title }) => ({ id, title })),
        recommendations: found.items.map(({ rank, id, title, score, deviation }) => ({
          rank,
          id,
          title,
          score,
          deviation,
        })),
      });
      return;
    }
    const { dim, bold } = context.style;
    const titleWidth = Math.max(20, (context.width ?? 100) - 30);
    const titled = recommender.items.titles !== undefined;
    context.out(
      dim(
        `because of ${found.history.map(({ title }) => printable(title)).join(" · ") || "nothing: an empty history"}`,
      ),
    );
    context.out(
      table(
        [
          { heading: "", align: "right" },
          ...(titled ? [{ heading: "title" }] : []),
          { heading: "id" },
          { heading: "score", align: "right" },
        ],
        found.items.map(({ rank, id, title, score, deviation }) => [
          String(rank),
          ...(titled ? [bold(clip(printable(title), titleWidth))] : []),
          printable(id),
          deviation === undefined ? score.toFixed(3) : `${score.toFixed(3)} ± ${deviation.toFixed(3)}`,
        ]),
        dim,
      ),
    );
  } finally {
    recommender.dispose();
  }
}
