// A model's options as users give them: checked against the schema, with one clear message (and the nearest name) for the
// first error; and described, for `foldin models`.

import { z } from "zod";
import { UserError } from "../core/errors.js";
import { suggestion } from "../core/nearest.js";
import type { Algorithm } from "../recommender/algorithm.js";
import type { Tuned } from "./tuned.js";

/** The description of one option. */
export interface OptionDescription {
  name: string;
  /** "number", "number[]", ... */
  type: string;
  /** The default as JSON; undefined = unset. */
  default: unknown;
  /** Its meaning, and the source of the default. */
  description: string;
  /** The range in which `tune` searches it; absent = it is not searched. */
  tuned?: Tuned;
}

/** The options of an algorithm in the order of its schema; an option of a group is named "<group>.<option>". */
export function describeOptions(algorithm: Algorithm): OptionDescription[] {
  return [...schemaOf(algorithm).options].map(([name, property]) => ({
    name,
    type: typeName(property),
    default: property.default,
    description: property.description ?? "",
    ...(property.tuned && { tuned: property.tuned }),
  }));
}

/**
 * Options by the names of `describeOptions`. They may be given by these names, a group as an object, or an option of a group by
 * its own name, as in earlier versions. Later layers override earlier ones, option by option. Nothing is checked.
 */
export function layeredOptions(
  algorithm: Pick<Algorithm, "options">,
  ...layers: readonly (Record<string, unknown> | undefined)[]
): Record<string, unknown> {
  const schema = schemaOf(algorithm);
  const entries = layers.flatMap((layer = {}) =>
    Object.entries(layer).flatMap(([name, value]): [string, unknown][] =>
      schema.groups.has(name) && isObject(value)
        ? Object.entries(value).map(([inner, one]) => [`${name}.${inner}`, one])
        : [[nameOf(schema, name), value]],
    ),
  );
  return Object.fromEntries(entries);
}

/** The name of an option in `describeOptions`, from its former name before it belonged to a group; otherwise the name itself. */
export function optionName(algorithm: Pick<Algorithm, "options">, name: string): string {
  return nameOf(schemaOf(algorithm), name);
}

/**
 * Fills in the defaults and checks every option, given in any form that `layeredOptions` accepts. Throws UserError, naming the
 * option, for an unknown option (with the nearest name) and for an invalid value.
 */
export function parseOptions<Options>(
  algorithm: Algorithm<Options>,
  given: Record<string, unknown> = {},
): Options {
  const { options, groups } = schemaOf(algorithm);
  const flat = layeredOptions(algorithm, given);
  const names = [...options.keys()];
  for (const name of Object.keys(flat))
    if (!options.has(name) && !groups.has(name))
      throw new UserError({
        place: name,
        problem: `${algorithm.name} has no such option`,
        remedy: names.length === 0 ? "This model has no options" : suggestion(name, names),
      });
  const result = algorithm.options.safeParse(grouped(flat, groups));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue.path.map(String);
  const name = groups.has(path[0]) ? path.slice(0, 2).join(".") : path[0];
  if (name === undefined) throw new UserError({ place: algorithm.name, problem: issue.message });
  const property = options.get(name);
  throw new UserError({
    place: name,
    problem: `${JSON.stringify(flat[name])} is not valid: ${issue.message}`,
    expected: property ? `${typeName(property)}: ${property.description}` : "an object of options",
  });
}

/**
 * Options given as text, "name=value" each, as for the CLI's `--set`: values are parsed as JSON if possible, otherwise taken as
 * text; a comma makes a list ("hidden=600,300"), and so does a single value if the option is a list. Returns them by the names of
 * `describeOptions`. Throws like `parseOptions`.
 */
export function parseSettings(algorithm: Algorithm, settings: readonly string[]): Record<string, unknown> {
  const schema = schemaOf(algorithm);
  const given: [string, unknown][] = settings.map((setting) => {
    const at = setting.indexOf("=");
    if (at < 1)
      throw new UserError({
        place: `--set ${setting}`,
        problem: "is not a setting",
        expected: "name=value",
        remedy: `Options of ${algorithm.name}: ${[...schema.options.keys()].join(", ") || "none"}`,
      });
    const name = nameOf(schema, setting.slice(0, at).trim());
    return [name, valueFrom(schema.options.get(name), setting.slice(at + 1).trim())];
  });
  const options = layeredOptions(algorithm, Object.fromEntries(given));
  parseOptions(algorithm, options);
  return options;
}

/** The value of an option given as text, as in `--set name=text`; not checked. */
export function parseSetting(algorithm: Algorithm, name: string, text: string): unknown {
  const schema = schemaOf(algorithm);
  return valueFrom(schema.options.get(nameOf(schema, name)), text);
}

function nameOf({ options, groups }: OptionsSchema, name: string): string {
  if (options.has(name)) return name;
  const inGroup = [...groups].map((group) => `${group}.${name}`).find((full) => options.has(full));
  return inGroup ?? name;
}

/** The options with each group as an object, as in the schema. */
function grouped(flat: Record<string, unknown>, groups: ReadonlySet<string>): Record<string, unknown> {
  const own: [string, unknown][] = [];
  const inner = new Map<string, [string, unknown][]>();
  for (const [name, value] of Object.entries(flat)) {
    const dot = name.indexOf(".");
    const group = name.slice(0, Math.max(0, dot));
    if (groups.has(group)) inner.set(group, [...(inner.get(group) ?? []), [name.slice(dot + 1), value]]);
    else own.push([name, value]);
  }
  return Object.fromEntries([
    ...own,
    ...[...inner].map(([group, entries]) => [group, Object.fromEntries(entries)] as const),
  ]);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function valueFrom(property: JsonSchema | undefined, text: string): unknown {
  const isList = property !== undefined && typeName(property).endsWith("[]");
  if (isList && !text.startsWith("["))
    return text === "" ? [] : text.split(",").map((part) => fromText(part.trim()));
  return fromText(text);
}

function fromText(text: string): unknown {
  // JSON does not allow numbers such as .5, but users write them.
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
  tuned?: Tuned;
  properties?: Record<string, JsonSchema>;
}

/** The options of a model by name, and the names of its groups. */
interface OptionsSchema {
  readonly options: ReadonlyMap<string, JsonSchema>;
  readonly groups: ReadonlySet<string>;
}

function schemaOf({ options }: Pick<Algorithm, "options">): OptionsSchema {
  const { properties = {} } = z.toJSONSchema(options, { io: "input" }) as JsonSchema;
  const groups = Object.entries(properties).filter(([, property]) => property.properties);
  return {
    options: new Map(
      Object.entries(properties).flatMap(([name, property]) =>
        property.properties
          ? Object.entries(property.properties).map(([inner, one]) => [`${name}.${inner}`, one] as const)
          : [[name, property] as const],
      ),
    ),
    groups: new Set(groups.map(([name]) => name)),
  };
}

function typeName({ type, items, enum: values, anyOf }: JsonSchema): string {
  if (values) return values.map((value) => JSON.stringify(value)).join(" | ");
  if (anyOf) return anyOf.map(typeName).join(" | ");
  if (type === "array") return `${typeName(items ?? {})}[]`;
  return type === "integer" ? "whole number" : (type ?? "any");
}
