// A model's options from the outside: checked against its schema, with one clear message (and the nearest name) for the
// first that is wrong; and described, for `foldin models`.

import { z } from "zod";
import { UserError } from "../core/errors.js";
import { suggestion } from "../core/nearest.js";
import type { Algorithm } from "../recommender/algorithm.js";

/** One option, for people. */
export interface OptionDescription {
  name: string;
  /** "number", "number[]", ... */
  type: string;
  /** The default as JSON; undefined = unset. */
  default: unknown;
  /** What it means, and where the default comes from. */
  description: string;
}

/** The options of an algorithm in the order of its schema. */
export function describeOptions(algorithm: Algorithm): OptionDescription[] {
  const { properties = {} } = schemaOf(algorithm);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    type: typeName(property),
    default: property.default,
    description: property.description ?? "",
  }));
}

/**
 * Fills in the defaults and checks every option. Throws UserError, naming the option, for an unknown one (with the
 * nearest name) and for a value that does not fit.
 */
export function parseOptions<Options>(
  algorithm: Algorithm<Options>,
  given: Record<string, unknown> = {},
): Options {
  const { properties = {} } = schemaOf(algorithm);
  const names = Object.keys(properties);
  for (const name of Object.keys(given))
    if (!names.includes(name))
      throw new UserError({
        place: name,
        problem: `${algorithm.name} has no such option`,
        remedy: names.length === 0 ? "It has no options at all" : suggestion(name, names),
      });
  const result = algorithm.options.safeParse(given);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const [name] = issue.path.map(String);
  throw new UserError({
    place: name ?? algorithm.name,
    problem:
      name === undefined ? issue.message : `${JSON.stringify(given[name])} does not fit: ${issue.message}`,
    expected:
      name === undefined ? undefined : `${typeName(properties[name])}: ${properties[name]?.description}`,
  });
}

/**
 * Options given as text, "name=value" each, as the CLI's `--set` has them: values are JSON where they can be, else text;
 * a comma makes a list ("hidden=600,300"), and so does a single value where the option is a list. Throws as `parseOptions`.
 */
export function parseSettings(algorithm: Algorithm, settings: readonly string[]): Record<string, unknown> {
  const { properties = {} } = schemaOf(algorithm);
  const given: [string, unknown][] = settings.map((setting) => {
    const at = setting.indexOf("=");
    if (at < 1)
      throw new UserError({
        place: `--set ${setting}`,
        problem: "is no setting",
        expected: "name=value",
        remedy: `Options of ${algorithm.name}: ${Object.keys(properties).join(", ") || "none"}`,
      });
    const name = setting.slice(0, at).trim();
    return [name, valueFrom(properties[name], setting.slice(at + 1).trim())];
  });
  const options = Object.fromEntries(given);
  parseOptions(algorithm, options);
  return options;
}

/** One value of an option given as text, as in `--set name=text`; not checked. */
export function parseSetting(algorithm: Algorithm, name: string, text: string): unknown {
  return valueFrom(schemaOf(algorithm).properties?.[name], text);
}

function valueFrom(property: JsonSchema | undefined, text: string): unknown {
  const isList = property !== undefined && typeName(property).endsWith("[]");
  if (isList && !text.startsWith("["))
    return text === "" ? [] : text.split(",").map((part) => fromText(part.trim()));
  return fromText(text);
}

function fromText(text: string): unknown {
  // People write .5, which JSON does not have.
  if (/^-?\.\d+$/.test(text)) return Number(text);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

interface JsonSchema {
  type?: string;
  items?: JsonSchema;
  enum?: unknown[];
  anyOf?: JsonSchema[];
  default?: unknown;
  description?: string;
  properties?: Record<string, JsonSchema>;
}

function schemaOf(algorithm: Pick<Algorithm, "options">): JsonSchema {
  return z.toJSONSchema(algorithm.options, { io: "input" }) as JsonSchema;
}

function typeName({ type, items, enum: values, anyOf }: JsonSchema): string {
  if (values) return values.map((value) => JSON.stringify(value)).join(" | ");
  if (anyOf) return anyOf.map(typeName).join(" | ");
  if (type === "array") return `${typeName(items ?? {})}[]`;
  return type === "integer" ? "whole number" : (type ?? "any");
}
