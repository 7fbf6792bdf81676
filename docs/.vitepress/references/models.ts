// The reference of the models' options: a page for every model, from its schema and its recipes.

import { optionText } from "../../../src/experiments/option-text.js";
import type { Recipe } from "../../../src/experiments/recipes/recipe.js";
import { describeOptions, type OptionDescription } from "../../../src/models/options.js";
import type { Algorithm } from "../../../src/recommender/algorithm.js";
import {
  capitalised,
  code,
  codeBlock,
  escapeText,
  generatedFrom,
  type Pages,
  page,
  sentence,
  table,
} from "./markdown.js";

export interface DocumentedModel {
  readonly algorithm: Algorithm;
  readonly recipes: readonly Recipe[];
}

/** The pages of these models, and their index. */
export function modelPages(models: readonly DocumentedModel[]): Pages {
  return {
    "models/index.md": indexPage(models),
    ...Object.fromEntries(models.map((model) => [`models/${model.algorithm.name}.md`, modelPage(model)])),
  };
}

function indexPage(models: readonly DocumentedModel[]): string {
  return page([
    generatedFrom("the models' schemas"),
    "# Model options",
    "Each model has one set of options. Every option has a default, taken from the paper or from the authors' program where there is one. Set an option with `--set name=value`, or in `options` of [`train`](../library/functions/train.md) in the library.",
    table(
      ["Model", "Description", "Source"],
      models.map(({ algorithm: { name, summary, source } }) => [
        `[${code(name)}](./${name}.md)`,
        escapeText(summary),
        escapeText(source),
      ]),
    ),
    "The equations of all models are in [Models](../../explanation/models.md).",
  ]);
}

function modelPage({ algorithm, recipes }: DocumentedModel): string {
  const { name, summary, source } = algorithm;
  const options = describeOptions(algorithm);
  return page([
    generatedFrom("the model's schema"),
    `# ${name}`,
    escapeText(summary),
    `Source: ${sentence(escapeText(source))} Equations: [Models](../../explanation/models.md#${name}).`,
    "## Options",
    options.length === 0
      ? "This model has no options."
      : table(
          ["Option", "Type", "Default", "Meaning and source"],
          options.map((option) => [
            code(option.name),
            typeText(option),
            option.default === undefined ? "unset" : code(optionText(option.default)),
            `${sentence(escapeText(capitalised(option.description)))}${choicesText(option)}`,
          ]),
        ),
    ...(recipes.length === 0
      ? []
      : ["## Recipes", ...recipes.flatMap((recipe) => recipeBlocks(name, recipe))]),
  ]);
}

/** The values of an option that takes one of several texts. */
function choicesOf({ type }: OptionDescription): string[] {
  const parts = type.split(" | ");
  return parts.length > 1 && parts.every((part) => part.startsWith('"'))
    ? parts.map((part) => part.slice(1, -1))
    : [];
}

const typeText = (option: OptionDescription) =>
  choicesOf(option).length > 0 ? "choice" : escapeText(option.type.replaceAll(" | ", " or "));

function choicesText(option: OptionDescription): string {
  const choices = choicesOf(option);
  return choices.length > 0 ? ` One of ${choices.map(code).join(", ")}.` : "";
}

function recipeBlocks(model: string, { dataset, options, note, validation }: Recipe): string[] {
  const { metric, mean, standardError } = validation;
  return [
    `### ${dataset}`,
    `Chosen on the validation users: ${metric} ${mean.toFixed(4)} ± ${standardError.toFixed(4)}.`,
    table(
      ["Option", "Value"],
      Object.entries(options).map(([name, value]) => [code(name), code(optionText(value))]),
    ),
    ...(note ? [sentence(escapeText(note))] : []),
    codeBlock("sh", `foldin train <dataset> --model ${model} --recipe ${dataset} --out <run>`),
  ];
}
