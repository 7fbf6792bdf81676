// Items with attributes of every type, filters on them, and a plain evaluation of filters, item by item.

import fc from "fast-check";
import { ItemAttributes } from "../../src/data/attributes/attributes.js";
import { encodeColumn } from "../../src/data/attributes/encode.js";
import { Vocabulary } from "../../src/data/vocabulary.js";
import type { Condition, Filter } from "../../src/recommender/filter/filter.js";

/** An item's attributes; null and [] = missing. */
export interface DrawnItem {
  readonly genre: readonly string[];
  readonly year: number | null;
  /** A day, or a minute. */
  readonly released: string | null;
  readonly colour: string | null;
  readonly inStock: boolean | null;
}

const genres = ["Comedy", "Drama", "Sci Fi", "Children's", 'Say "x"', "and"];
const years = [1989, 1990, 1990.5, 2000, -3];
const dates = ["2009-09-13", "2009-09-30", "2009-10-01", "2010-01-01"];
const colours = ["red", "blue", "7", "007", "true"];

const drawnItem: fc.Arbitrary<DrawnItem> = fc.record({
  genre: fc.uniqueArray(fc.constantFrom(...genres), { maxLength: 3 }),
  year: fc.option(fc.constantFrom(...years)),
  released: fc.option(fc.constantFrom(...dates)),
  colour: fc.option(fc.constantFrom(...colours)),
  inStock: fc.option(fc.boolean()),
});
export const drawnItems = fc.array(drawnItem, { minLength: 1, maxLength: 80 });

const attribute = (name: keyof DrawnItem) => fc.constant(name);
const bounded = (name: keyof DrawnItem, value: fc.Arbitrary<number | string>) =>
  fc
    .record({
      attribute: attribute(name),
      lower: fc.constantFrom(undefined, "above", "atLeast"),
      upper: fc.constantFrom("below", "atMost"),
      low: value,
      high: value,
    })
    .map(({ attribute, lower, upper, low, high }) => ({
      attribute,
      ...(lower && { [lower]: low }),
      [upper]: high,
    }));
const ofValues = (name: keyof DrawnItem, value: fc.Arbitrary<string | number | boolean>) =>
  fc.oneof(
    fc.record({ attribute: attribute(name), is: value }),
    fc.record({ attribute: attribute(name), isNot: value }),
    fc.record({ attribute: attribute(name), isOneOf: fc.array(value, { minLength: 1, maxLength: 3 }) }),
    fc.record({ attribute: attribute(name), missing: fc.boolean() }),
  );
const drawnCondition: fc.Arbitrary<Condition> = fc.oneof(
  ofValues("genre", fc.constantFrom(...genres, "Western")),
  ofValues("year", fc.constantFrom(...years, 5)),
  ofValues("released", fc.constantFrom(...dates, "2009-09", "2009", "2010")),
  ofValues("colour", fc.constantFrom(...colours, "green")),
  ofValues("inStock", fc.boolean()),
  bounded("year", fc.constantFrom(...years, 5)),
  bounded("released", fc.constantFrom(...dates, "2009-09", "2009")),
);
export const drawnFilter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4 },
    drawnCondition,
    fc.record({ and: fc.array(tie("filter"), { minLength: 2, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie("filter"), { minLength: 2, maxLength: 3 }) }),
    fc.record({ not: tie("filter") }),
  ),
})).filter;

/** A catalogue of these items, with their attributes. */
export function itemsOf(records: readonly DrawnItem[]): Vocabulary {
  const text = (value: number | string | boolean | null) => (value === null ? null : String(value));
  const column = (
    name: keyof DrawnItem,
    type: "text" | "number" | "date" | "boolean" | "list",
    textIn: (item: DrawnItem) => string | null,
  ) => encodeColumn({ name, values: records.map(textIn) }, { type }, String);
  return new Vocabulary(
    records.map((_, item) => `item${item}`),
    undefined,
    ItemAttributes.of(records.length, [
      column("genre", "list", ({ genre }) => JSON.stringify(genre)),
      column("year", "number", ({ year }) => text(year)),
      column("released", "date", ({ released }) => released),
      column("colour", "text", ({ colour }) => colour),
      column("inStock", "boolean", ({ inStock }) => text(inStock)),
    ]),
  );
}

/** Whether a filter admits an item, evaluated as its definition says. */
export function admits(filter: Filter, item: DrawnItem): boolean {
  if ("and" in filter) return filter.and.every((part) => admits(part, item));
  if ("or" in filter) return filter.or.some((part) => admits(part, item));
  if ("not" in filter) return !admits(filter.not, item);
  const value = item[filter.attribute as keyof DrawnItem];
  const values = (Array.isArray(value) ? value : [value]).filter((one) => one !== null);
  if (filter.missing !== undefined) return filter.missing === (values.length === 0);
  const matches = (wanted: string | number | boolean) =>
    values.some((one) =>
      filter.attribute === "released"
        ? String(one).startsWith(String(wanted))
        : String(one) === String(wanted),
    );
  if (filter.is !== undefined) return matches(filter.is);
  if (filter.isNot !== undefined) return !matches(filter.isNot);
  if (filter.isOneOf) return filter.isOneOf.some(matches);
  const { above, atLeast, below, atMost } = filter;
  return (
    values.every((one) => {
      // Texts of days compare as their dates do; a month or a year includes its days.
      const prefix = (bound: string) => String(one).slice(0, bound.length);
      const compare = (bound: string | number) =>
        typeof one === "number"
          ? one - Number(bound)
          : prefix(String(bound)).localeCompare(String(bound), "en");
      return (
        (above === undefined || compare(above) > 0) &&
        (atLeast === undefined || compare(atLeast) >= 0) &&
        (below === undefined || compare(below) < 0) &&
        (atMost === undefined || compare(atMost) <= 0)
      );
    }) && values.length > 0
  );
}

const quoted = (value: string) => (value.includes("'") ? `"${value.replaceAll('"', '""')}"` : `'${value}'`);
const shown = (value: string | number | boolean | undefined) =>
  typeof value === "string" ? quoted(value) : String(value);

/** The text form of a filter. */
export function textOf(filter: Filter): string {
  if ("and" in filter) return filter.and.map((part) => `(${textOf(part)})`).join(" and ");
  if ("or" in filter) return filter.or.map((part) => `(${textOf(part)})`).join(" or ");
  if ("not" in filter) return `not (${textOf(filter.not)})`;
  const { attribute, is, isNot, isOneOf, missing } = filter;
  if (missing !== undefined) return `${attribute} is ${missing ? "" : "not "}missing`;
  if (is !== undefined) return `${attribute} = ${shown(is)}`;
  if (isNot !== undefined) return `${attribute} != ${shown(isNot)}`;
  if (isOneOf) return `${attribute} in (${isOneOf.map(shown).join(", ")})`;
  const signs = { above: ">", atLeast: ">=", below: "<", atMost: "<=" } as const;
  return (Object.keys(signs) as (keyof typeof signs)[])
    .filter((bound) => filter[bound] !== undefined)
    .map((bound) => `${attribute} ${signs[bound]} ${shown(filter[bound])}`)
    .join(" and ");
}
