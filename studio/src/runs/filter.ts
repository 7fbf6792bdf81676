// The filter of the table of runs. Words separated by spaces; a run is shown if all of them hold. A word is a part of the run's
// path, model or dataset, or a condition on a field: model=mult-vae, latent>=200, ndcg@100>0.4.

import type { Run, SplitName } from "../../../src/studio/api.js";

type Operator = "=" | "!=" | "<" | "<=" | ">" | ">=";

export type Condition =
  | { readonly word: string }
  | { readonly field: string; readonly operator: Operator; readonly value: string };

/** Parses the text of the filter. */
export function parseFilter(text: string): Condition[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== "")
    .map((word) => {
      const [, field, operator, value] = /^([^<>=!]+)(!=|<=|>=|=|<|>)(.+)$/.exec(word) ?? [];
      return field === undefined
        ? { word: word.toLowerCase() }
        : { field, operator: operator as Operator, value };
    });
}

/** A field's value: a text, or a number; undefined if the run does not have it. */
export function fieldOf(run: Run, field: string, split: SplitName): string | number | undefined {
  switch (field) {
    case "run":
      return run.id;
    case "model":
    case "state":
    case "engine":
    case "precision":
    case "seed":
    case "threads":
    case "epochs":
      return run[field];
    case "dataset":
      return run.dataset.name;
    case "seconds":
      return run.seconds ?? undefined;
    case "size":
      return run.modelBytes ?? undefined;
    case "changed":
      return run.changed;
    default:
      return run.on[split]?.metrics[field]?.mean ?? run.options[field];
  }
}

/** The conditions' fields that no run has: probably mistyped. */
export function unknownFields(
  runs: readonly Run[],
  conditions: readonly Condition[],
  split: SplitName,
): string[] {
  return conditions
    .flatMap((one) => ("field" in one ? [one.field] : []))
    .filter((field) => runs.length > 0 && runs.every((run) => fieldOf(run, field, split) === undefined));
}

/** Whether all conditions hold for the run. */
export function matches(run: Run, conditions: readonly Condition[], split: SplitName): boolean {
  return conditions.every((condition) => {
    if ("word" in condition)
      return [run.id, run.model, run.dataset.name].some((text) =>
        text.toLowerCase().includes(condition.word),
      );
    if (condition.field === "dataset") return isOfDataset(run, condition.operator, condition.value);
    const found = fieldOf(run, condition.field, split);
    return found !== undefined && holds(found, condition.operator, condition.value);
  });
}

/** A dataset is named by its name, its path in the folder, or the beginning of its fingerprint. */
function isOfDataset({ dataset }: Run, operator: Operator, value: string): boolean {
  const { name, id, fingerprint } = dataset;
  const isNamed =
    [name, id].some((text) => text?.toLowerCase() === value.toLowerCase()) ||
    (value.length >= 4 && fingerprint.startsWith(value));
  return operator === "=" ? isNamed : operator === "!=" && !isNamed;
}

function holds(found: string | number, operator: Operator, value: string): boolean {
  const [left, right] = [Number(found), Number(value)];
  const isNumber = !Number.isNaN(left) && !Number.isNaN(right) && value.trim() !== "";
  switch (operator) {
    case "=":
      return isNumber ? left === right : String(found).toLowerCase() === value.toLowerCase();
    case "!=":
      return !holds(found, "=", value);
    case "<":
      return isNumber && left < right;
    case "<=":
      return isNumber && left <= right;
    case ">":
      return isNumber && left > right;
    case ">=":
      return isNumber && left >= right;
  }
}
