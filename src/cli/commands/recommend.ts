// foldin recommend <run> --history ...: folds in a history and prints the top-ranked items.

import type { Command } from "commander";
import { UserError } from "../../core/errors.js";
import { printable } from "../../core/printable.js";
import type { CliContext } from "../context.js";
import {
  addApproximateOption,
  addEngineOptions,
  collected,
  type EngineFlags,
  engineOf,
  wholeNumber,
} from "../engine-options.js";
import { addRuleOptions, type RuleFlags, rulesFrom, rulesText } from "../rule-options.js";
import { UNAVAILABLE_HELP, WHERE_HELP } from "../rules-help.js";
import { clip, table } from "../table.js";

interface Flags extends EngineFlags, RuleFlags {
  approximate?: true | number;
  history?: string[];
  exclude?: string[];
  where?: string;
  unavailable?: string;
  k: number;
  includeHistory?: boolean;
  json?: boolean;
}

export function register(program: Command, context: CliContext): void {
  const command = addApproximateOption(
    addEngineOptions(
      program
        .command("recommend")
        .summary("recommend items for a history")
        .description(
          "Recommend items for a history, given as item ids or titles. The history is folded in, so the user does not need to be in the training data.",
        )
        .argument("<run>", "a run folder written by foldin train")
        .option(
          "--history <item>",
          "an id, a title, a comma-separated list of these, or @file with one per line (@- = stdin); '' = a user without a history (repeatable)",
          collected,
        )
        .option(
          "--exclude <item>",
          "an item not to recommend, given as in --history; a title excludes all items that have it (repeatable)",
          collected,
        )
        .option("--where <filter>", WHERE_HELP)
        .option("--unavailable <file>", UNAVAILABLE_HELP)
        .option("-k, --k <n>", "number of items", wholeNumber(1), 10)
        .option("--include-history", "also recommend items of the history"),
      "that of the run",
    ),
  );
  addRuleOptions(command)
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  foldin recommend runs/ml-1m --history 'Toy Story' --history 'Alien (1979)'
  foldin recommend runs/ml-1m --history 1,1214 -k 20 --json
  foldin recommend runs/ml-1m --history @seen.txt --exclude 'Toy Story'
  foldin recommend runs/ml-1m --history 'Toy Story' --where 'genres = Comedy and not genres in (Horror, War)'
  foldin recommend runs/ml-1m --history 'Toy Story' --diversity 0.3 --novelty 0.1
  foldin recommend runs/ml-1m --history ''`,
    )
    .action((run: string, flags: Flags) => recommendItems(run, flags, context));
}

async function recommendItems(run: string, flags: Flags, context: CliContext): Promise<void> {
  if (!flags.history)
    throw new UserError({
      place: "--history",
      problem: "is required",
      expected: "item ids or titles",
      remedy: "Give --history once or several times; for a user without a history: --history ''",
    });
  const [{ loadRecommender }, { recommend }, { resolveExcluded, resolveHistory }, { rulesOf }] =
    await Promise.all([
      import("../../serving/load.js"),
      import("../../recommender/recommend.js"),
      import("../history.js"),
      import("../rules.js"),
    ]);
  const { filter, unavailable } = await rulesOf(flags);
  const rules = await rulesFrom(flags);
  const recommender = await loadRecommender(run, {
    ...engineOf(flags),
    approximate: flags.approximate,
    onNote: context.say,
  });
  try {
    const history = await resolveHistory(flags.history, recommender.items);
    const { items } = recommender;
    const excluded = await resolveExcluded(flags.exclude ?? [], items);
    const out = (unavailable ?? []).map((id) => items.indexOf(id)).filter((index) => index !== undefined);
    const found = await recommend(recommender, history, {
      ...{ k: flags.k, filter },
      exclude: Uint32Array.from([...excluded, ...out]),
      includeHistory: flags.includeHistory,
      ...rules,
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
    if (filter) {
      const { unknownValues } = await import("../../recommender/filter/unknown-values.js");
      for (const { attribute, value, nearest } of await unknownValues(items, filter))
        context.say(
          `no item has ${printable(`${attribute} = ${value}`)}${nearest === undefined ? "" : `. Did you mean "${printable(nearest)}"?`}`,
        );
    }
    if (filter && found.items.length === 0) {
      context.say("no item is left: the filter and the exclusions leave out all of them");
      return;
    }
    const { dim, bold } = context.style;
    const titleWidth = Math.max(20, (context.width ?? 100) - 30);
    const titled = recommender.items.titles !== undefined;
    context.out(dim(`history: ${found.history.map(({ title }) => printable(title)).join(" · ") || "empty"}`));
    if (Object.keys(rules).length > 0) context.out(dim(`re-ranked by rules: ${rulesText(flags)}`));
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
