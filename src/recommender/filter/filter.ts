// A filter: which items may be recommended, by their attributes. It is JSON:
//
//   { "attribute": "genre", "is": "Comedy" }            for a list: contains
//   { "attribute": "genre", "isNot": "Horror" }         exactly the items for which `is` does not hold
//   { "attribute": "genre", "isOneOf": ["Comedy", "Drama"] }
//   { "attribute": "year", "atLeast": 1990, "below": 2000 }   bounds: above, atLeast, below, atMost
//   { "attribute": "year", "missing": true }
//   { "and": [...] }   { "or": [...] }   { "not": ... }
//
// A condition holds or does not; there is no third value. An item without a value fulfils only `missing: true`, `isNot`, and the
// negation of the others.

import { UserError } from "../../core/errors.js";
import { nearestName } from "../../core/nearest.js";

export type FilterValue = string | number | boolean;

/** A condition on one attribute: one of `is`, `isNot`, `isOneOf` and `missing`, or bounds (numbers and dates). */
export interface Condition {
  readonly attribute: string;
  readonly is?: FilterValue;
  readonly isNot?: FilterValue;
  readonly isOneOf?: readonly FilterValue[];
  /** Whether the item has no value. */
  readonly missing?: boolean;
  readonly above?: number | string;
  readonly atLeast?: number | string;
  readonly below?: number | string;
  readonly atMost?: number | string;
}

/** A condition, or a combination of filters. */
export type Filter =
  | Condition
  | { readonly and: readonly Filter[] }
  | { readonly or: readonly Filter[] }
  | { readonly not: Filter };

/** The maximum depth of combinations, and the maximum number of conditions and of values in a filter. */
export const MOST_DEPTH = 50;
export const MOST_CONDITIONS = 1000;
export const MOST_VALUES = 10_000;

export const bounds = ["above", "atLeast", "below", "atMost"] as const;
export type Bound = (typeof bounds)[number];
const tests = ["is", "isNot", "isOneOf", "missing"] as const;

/** What is wrong with a filter, and where: the path of fields below it. */
export interface FilterProblem {
  readonly path: readonly (string | number)[];
  readonly problem: string;
  readonly expected?: string;
  readonly remedy?: string;
}

const combinations = "and, or, not, or attribute with a condition";

/** The first problem of a value that should be a filter, or undefined. Attributes are not looked up. */
export function filterProblem(value: unknown): FilterProblem | undefined {
  let conditions = 0;
  let values = 0;

  function combination(given: unknown, path: readonly (string | number)[]): FilterProblem | undefined {
    if (path.length > 2 * MOST_DEPTH)
      return { path, problem: `is nested more than ${MOST_DEPTH} levels deep` };
    if (typeof given !== "object" || given === null || Array.isArray(given))
      return { path, problem: `${shown(given)} is not a filter`, expected: `an object with ${combinations}` };
    const keys = Object.keys(given).filter((key) => Reflect.get(given, key) !== undefined);
    const [kind, ...others] = keys;
    if (kind === "and" || kind === "or" || kind === "not") {
      if (others.length > 0)
        return {
          path,
          problem: `"${kind}" and "${others[0]}" are in one object`,
          remedy: `Combine them: {"and": [{"${kind}": ...}, ...]}`,
        };
      const part: unknown = Reflect.get(given, kind);
      if (kind === "not") return combination(part, [...path, kind]);
      if (!Array.isArray(part))
        return {
          path: [...path, kind],
          problem: `${shown(part)} is not a list`,
          expected: "a list of filters",
        };
      for (const [p, one] of part.entries()) {
        const problem = combination(one, [...path, kind, p]);
        if (problem) return problem;
      }
      return undefined;
    }
    return condition(given, keys, path);
  }

  function condition(
    given: object,
    keys: readonly string[],
    path: readonly (string | number)[],
  ): FilterProblem | undefined {
    const field = (name: string): unknown => Reflect.get(given, name);
    if (!keys.includes("attribute")) {
      const [key] = keys;
      const near = key === undefined ? undefined : nearestName(key, ["and", "or", "not", "attribute"]);
      return {
        path,
        problem: key === undefined ? "is empty" : `has no "attribute"`,
        expected: combinations,
        remedy: near === undefined ? undefined : `Did you mean "${near}"?`,
      };
    }
    if (typeof field("attribute") !== "string")
      return {
        path: [...path, "attribute"],
        problem: `${shown(field("attribute"))} is not a name`,
        expected: "the name of an attribute",
      };
    const known = ["attribute", ...tests, ...bounds];
    const unknown = keys.find((key) => !known.includes(key));
    if (unknown !== undefined) {
      const near = nearestName(unknown, known);
      return {
        path: [...path, unknown],
        problem: "is not a condition",
        expected: known.slice(1).join(", "),
        remedy: near === undefined ? undefined : `Did you mean "${near}"?`,
      };
    }
    if (++conditions > MOST_CONDITIONS)
      return { path, problem: `the filter has more than ${MOST_CONDITIONS} conditions` };
    const test = keys.filter((key) => tests.some((name) => name === key));
    const limits = keys.filter((key) => bounds.some((name) => name === key));
    if (test.length + Math.min(1, limits.length) !== 1)
      return {
        path,
        problem:
          test.length + limits.length === 0
            ? "has no condition"
            : `has several conditions: ${[...test, ...limits].join(", ")}`,
        expected: `one of ${tests.join(", ")}, or bounds (${bounds.join(", ")})`,
        remedy: test.length + limits.length === 0 ? undefined : 'Combine them with {"and": [...]}',
      };
    for (const two of [bounds.slice(0, 2), bounds.slice(2)])
      if (two.every((name) => limits.includes(name)))
        return { path, problem: `has both ${two.join(" and ")}`, expected: "one of them" };
    for (const name of limits)
      if (!(typeof field(name) === "string" || isNumber(field(name))))
        return {
          path: [...path, name],
          problem: `${shown(field(name))} is not a bound`,
          expected: "a number or a date",
        };
    if (test[0] === "missing" && typeof field("missing") !== "boolean")
      return {
        path: [...path, "missing"],
        problem: `${shown(field("missing"))} is neither true nor false`,
      };
    if (test[0] === "is" || test[0] === "isNot") return valueProblem(field(test[0]), [...path, test[0]]);
    if (test[0] === "isOneOf") {
      const list = field("isOneOf");
      if (!Array.isArray(list))
        return {
          path: [...path, "isOneOf"],
          problem: `${shown(list)} is not a list`,
          expected: "a list of values",
        };
      values += list.length;
      if (values > MOST_VALUES)
        return { path: [...path, "isOneOf"], problem: `the filter has more than ${MOST_VALUES} values` };
      for (const [v, one] of list.entries()) {
        const problem = valueProblem(one, [...path, "isOneOf", v]);
        if (problem) return problem;
      }
    }
    return undefined;
  }

  return combination(value, []);
}

/** Throws UserError, naming the field below `place`, if the value is not a filter. Attributes are not looked up. */
export function requireFilter(value: unknown, place: string): asserts value is Filter {
  const found = filterProblem(value);
  if (!found) return;
  const { path, problem, expected, remedy } = found;
  throw new UserError({ place: pathText(place, path), problem, expected, remedy });
}

/** "filter.and[1].is" */
export function pathText(place: string, path: readonly (string | number)[]): string {
  return path.reduce<string>((text, key) => text + (typeof key === "number" ? `[${key}]` : `.${key}`), place);
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

function valueProblem(value: unknown, path: readonly (string | number)[]): FilterProblem | undefined {
  if (typeof value === "string" || typeof value === "boolean" || isNumber(value)) return undefined;
  return { path, problem: `${shown(value)} is not a value`, expected: "text, a number, true or false" };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
