// The values of a condition in the type of its attribute. A date such as 2009 or 2009-09 stands for the whole year or month.

import { UserError } from "../../core/errors.js";
import { type AttributeColumn, valuesOf } from "../../data/attributes/attributes.js";
import { booleanOf, dateOf, dateText, numberOf } from "../../data/attributes/types.js";
import type { FilterValue } from "./filter.js";

/** The numbers that a number or a date stands for: [from, to), or the number itself if both are equal. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The text of a value of a text, boolean or list attribute. Throws UserError if it is not one. */
export function textValue(column: AttributeColumn, value: FilterValue, place: string): string {
  const text = String(value);
  if (column.type !== "boolean") return text;
  const flag = booleanOf(text.trim());
  if (flag === undefined) throw wrongType(column, value, place, "true or false");
  return String(flag);
}

/** The numbers that a value of a number or date attribute stands for. Throws UserError if it is not one. */
export function spanOf(column: AttributeColumn, value: FilterValue, place: string): Span {
  if (column.type === "number") {
    const number = typeof value === "number" ? value : Number(numberIn(value) ?? Number.NaN);
    if (Number.isNaN(number)) throw wrongType(column, value, place, "a number");
    return { from: number, to: number };
  }
  const period = typeof value === "boolean" ? undefined : periodOf(String(value).trim());
  if (!period) throw wrongType(column, value, place, "a date such as 2009, 2009-09 or 2009-09-13");
  return period;
}

/** A number in text; leading zeros are ignored. */
function numberIn(value: FilterValue): number | undefined {
  return typeof value === "string" ? numberOf(value.trim().replace(/^(-?)0+(?=\d)/, "$1")) : undefined;
}

function periodOf(text: string): Span | undefined {
  const [, year, month] = /^(\d{4})(?:-(\d{2}))?$/.exec(text) ?? [];
  if (year === undefined) {
    const date = dateOf(text);
    return date && { from: date.at, to: date.at + date.length };
  }
  if (month !== undefined && !(Number(month) >= 1 && Number(month) <= 12)) return undefined;
  const start = (y: number, m: number) => new Date(0).setUTCFullYear(y, m, 1);
  const [y, m] = [Number(year), Number(month ?? 1) - 1];
  return { from: start(y, m), to: month === undefined ? start(y + 1, 0) : start(y, m + 1) };
}

/** The error for a value of another type, with examples of values. */
export function wrongType(
  column: AttributeColumn,
  value: FilterValue,
  place: string,
  expected: string,
): UserError {
  const examples = examplesOf(column);
  return new UserError({
    place,
    problem: `${JSON.stringify(value)} is not a value of "${column.name}", which is a ${column.type}`,
    expected: examples.length === 0 ? expected : `${expected}; some of its values: ${examples.join(", ")}`,
  });
}

/** The first few different values of an attribute, for messages. */
function examplesOf(column: AttributeColumn, most = 3): string[] {
  const found = new Set<string>();
  const items =
    "numbers" in column
      ? column.numbers.length
      : column.type === "list"
        ? column.offsets.length - 1
        : column.codes.length;
  for (let item = 0; item < Math.min(items, 1000) && found.size < most; item++)
    for (const value of valuesOf(column, item))
      if (found.size < most)
        found.add(column.type === "date" ? dateText(Number(value)) : String(value).slice(0, 60));
  return [...found];
}
