// What makes a column of an item file a number, a date, a boolean or a list. All values decide: a single other value makes it text.
//
//   boolean  true or false, in any case
//   number   plain decimal notation, such as 7, -0.5 or 1e6; not with leading zeros ("007" is an id), and whole numbers must be
//            exact in float64
//   date     2009-09-13 or 2009/09/13, with or without a time and an offset, or 13-Sep-2009
//   list     JSON arrays; or values separated by "|" without blanks next to it, one of which also occurs for another item, so that
//            a sentence with a "|" does not make a list
//
// A blank value is missing, and so is "nan" among numbers.

import { UserError } from "../../core/errors.js";

export const attributeTypes = ["text", "number", "date", "boolean", "list"] as const;
export type AttributeType = (typeof attributeTypes)[number];

/** The type of a column as a user states it; a list can have a separator other than "|". */
export interface StatedType {
  readonly type: AttributeType;
  readonly separator?: string;
}

/** Types by column, as a caller states them: "text", "number", "date", "boolean", "list", or "list" and a separator ("list;"). */
export type StatedTypes = Readonly<Record<string, string>>;

const DEFAULT_SEPARATOR = "|";

/** Parses a stated type. Throws UserError, naming the place. */
export function parseType(stated: string, place: string): StatedType {
  const known = attributeTypes.find((type) => type === stated);
  if (known) return { type: known };
  const [, separator] = /^list(.+)$/s.exec(stated) ?? [];
  if (separator !== undefined && !/[\p{L}\p{N}\s]/u.test(separator)) return { type: "list", separator };
  throw new UserError({
    place,
    problem: `unknown type "${stated}"`,
    expected: `${attributeTypes.join(", ")}, or list followed by the separator of its values, such as list;`,
  });
}

/** The type of a column with these values (null = missing). */
export function inferType(values: readonly (string | null)[]): StatedType {
  const present = values.map((value) => value?.trim() ?? "").filter((text) => text !== "");
  const known = present.filter((text) => !isNan(text));
  if (known.length === 0) return { type: "text" };
  const all = (texts: readonly string[], read: (text: string) => unknown) =>
    texts.every((text) => read(text) !== undefined);
  if (all(present, booleanOf)) return { type: "boolean" };
  if (all(known, numberOf)) return { type: "number" };
  if (all(present, dateOf)) return { type: "date" };
  if (all(present, jsonList) || isSeparated(present)) return { type: "list" };
  return { type: "text" };
}

/** Whether the texts are values separated by "|", of which one occurs in two texts. */
function isSeparated(texts: readonly string[]): boolean {
  const separated = texts.filter((text) => text.includes(DEFAULT_SEPARATOR));
  if (separated.length === 0 || texts.some((text) => /(?:^|\s)\||\|(?:\s|\||$)/.test(text))) return false;
  const parts = new Set(separated.flatMap((text) => text.split(DEFAULT_SEPARATOR)));
  const seen = new Set<string>();
  return texts.some((text) =>
    [...new Set(text.split(DEFAULT_SEPARATOR))].some((part) => {
      if (seen.has(part)) return true;
      if (parts.has(part)) seen.add(part);
      return false;
    }),
  );
}

const isNan = (text: string): boolean => /^nan$/i.test(text);

/** The value of a text, or undefined. The same for the functions below. */
export function booleanOf(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return lower === "true" ? true : lower === "false" ? false : undefined;
}

const plainNumber = /^-?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$/;

/** NaN for "nan". */
export function numberOf(text: string): number | undefined {
  if (isNan(text)) return Number.NaN;
  if (!plainNumber.test(text)) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value)) return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) && /^-?\d+$/.test(text) ? undefined : value;
}

const isoDate =
  /^(\d{4})([-/])(\d{2})\2(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$/i;
const namedMonth = /^(\d{1,2})-(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-(\d{4})$/i;
const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");

/** Milliseconds since 1970 (UTC, unless the text has an offset), and how long the day, minute, second or millisecond is. */
export function dateOf(text: string): { at: number; length: number } | undefined {
  const named = namedMonth.exec(text);
  if (named) return dayOf(Number(named[3]), months.indexOf(named[2].toLowerCase()) + 1, Number(named[1]));
  const match = isoDate.exec(text);
  if (!match) return undefined;
  const [, year, , month, day, hour, minute, second, fraction, zone] = match;
  const date = dayOf(Number(year), Number(month), Number(day));
  if (!date || hour === undefined) return date;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 59) return undefined;
  const offset = offsetOf(zone);
  if (offset === undefined) return undefined;
  const within = (Number(hour) * 60 + Number(minute) - offset) * 60_000 + Number(second ?? 0) * 1000;
  const milliseconds = fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * 1000);
  const length = second === undefined ? 60_000 : fraction === undefined ? 1000 : 1;
  return { at: date.at + within + milliseconds, length };
}

const DAY = 86_400_000;

function dayOf(year: number, month: number, day: number): { at: number; length: number } | undefined {
  const at = new Date(0).setUTCFullYear(year, month - 1, day);
  const found = new Date(at);
  return found.getUTCMonth() === month - 1 && found.getUTCDate() === day ? { at, length: DAY } : undefined;
}

/** Minutes east of Greenwich. */
function offsetOf(zone: string | undefined): number | undefined {
  if (zone === undefined || /^(?:Z|UTC)$/i.test(zone)) return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3).replace(":", "") || 0)];
  if (hours > 15 || minutes > 59) return undefined;
  return (zone.startsWith("-") ? -1 : 1) * (60 * hours + minutes);
}

/** A date as text, without a time if it is midnight. */
export function dateText(at: number): string {
  return new Date(at).toISOString().replace(/T00:00:00\.000Z$/, "");
}

/** The values of a list, each once; undefined if one of them is blank. */
export function listOf(text: string, separator = DEFAULT_SEPARATOR): string[] | undefined {
  const parts = jsonList(text) ?? text.split(separator).map((part) => part.trim());
  return parts.includes("") ? undefined : [...new Set(parts)];
}

/** The texts of a JSON array of texts, numbers and booleans. */
function jsonList(text: string): string[] | undefined {
  if (!(text.startsWith("[") && text.endsWith("]"))) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isScalar = (value: unknown) => ["string", "number", "boolean"].includes(typeof value);
  if (!Array.isArray(parsed) || !parsed.every((value) => value === null || isScalar(value))) return undefined;
  return parsed.filter((value) => value !== null).map((value) => String(value).trim());
}
