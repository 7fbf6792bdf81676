// foldin models [name]: lists the models, or the options of one model.

import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { plural, table, wrap } from "../table.js";

export function register(program: Command, context: CliContext): void {
  program
    .command("models")
    .summary("list the models, or the options of one model")
    .description(
      "List the models. With a name, show the options of that model with default, type and meaning, and its recipes.",
    )
    .argument("[name]", "a model name, such as mult-vae")
    .option("--json", "print one JSON object")
    .action((name: string | undefined, { json = false }: { json?: boolean }) =>
      name === undefined ? listModels(context, json) : showModel(name, context, json),
    );
}

async function listModels(context: CliContext, json: boolean): Promise<void> {
  const { algorithmNames, findAlgorithm } = await import("../../models/registry.js");
  const algorithms = await Promise.all(algorithmNames.map(findAlgorithm));
  if (json) {
    context.json({ models: algorithms.map(({ name, summary, source }) => ({ name, summary, source })) });
    return;
  }
  const { bold, dim } = context.style;
  const width = Math.max(...algorithms.map(({ name }) => name.length));
  for (const { name, summary, source } of algorithms) {
    const [first, ...rest] = wrap(summary, (context.width ?? 100) - width - 2);
    context.out(`${bold(name)}${" ".repeat(width - name.length)}  ${first}`);
    for (const line of rest) context.out(" ".repeat(width + 2) + line);
    context.out(dim(" ".repeat(width + 2) + source));
  }
  context.out(`\nOptions of a model: foldin models ${algorithms.at(-1)?.name}`);
}

async function showModel(name: string, context: CliContext, json: boolean): Promise<void> {
  const [{ findAlgorithm }, { describeOptions }] = await Promise.all([
    import("../../models/registry.js"),
    import("../../models/options.js"),
  ]);
  const { optionText, optionTexts } = await import("../../experiments/option-text.js");
  const { recipesOf } = await import("../../experiments/recipes/registry.js");
  const algorithm = await findAlgorithm(name);
  const options = describeOptions(algorithm);
  const recipes = await recipesOf(algorithm.name);
  if (json) {
    context.json({
      name: algorithm.name,
      summary: algorithm.summary,
      source: algorithm.source,
      options: options.map((option) => ({ ...option, default: option.default ?? null })),
      recipes: recipes.map(({ dataset, options, note, searches, validation }) => ({
        name: dataset,
        options,
        note,
        searches,
        validation,
      })),
    });
    return;
  }
  const { bold, dim } = context.style;
  context.out(bold(algorithm.name));
  context.out(algorithm.summary);
  context.out(dim(algorithm.source));
  if (options.length === 0) {
    context.out("\nThis model has no options.");
    return;
  }
  const cells = [...options.map((option) => [option.name, optionText(option.default), option.type] as const)];
  const widths = [0, 1, 2].map((c) => Math.max(...cells.map((row) => row[c].length)));
  const meaningWidth = Math.max(30, (context.width ?? 120) - widths[0] - widths[1] - widths[2] - 6);
  context.out();
  context.out(
    table(
      [{ heading: "option" }, { heading: "default" }, { heading: "type" }, { heading: "meaning" }],
      options.flatMap((option, o) =>
        wrap(option.description, meaningWidth).map((line, l) =>
          l === 0 ? [...cells[o], line] : ["", "", "", line],
        ),
      ),
      dim,
    ),
  );
  const lines = (text: string) => {
    for (const line of wrap(text, (context.width ?? 120) - 2)) context.out(`  ${line}`);
  };
  for (const { dataset, note, searches, validation, options } of recipes) {
    const { metric, mean, standardError } = validation;
    const reached = `validation ${metric} ${mean.toFixed(4)} ± ${standardError.toFixed(4)}`;
    context.out(`\n${bold(`recipe ${dataset}`)}  ${reached}`);
    lines(optionTexts(options).join(" "));
    if (note) lines(note);
    for (const { command, points, best } of searches)
      context.out(dim(`  ${plural(points, "point")}, best ${best.mean.toFixed(4)}: ${command}`));
    context.out(dim(`  measured with: ${validation.command}`));
  }
  context.out(
    `\nSet an option: foldin train <dataset> --model ${name} --set ${options[0].name}=... --out <run>`,
  );
}
