// The types that columns of an items file are given.

import { describe, expect, it } from "vitest";
import {
  dateOf,
  dateText,
  inferType,
  listOf,
  numberOf,
  parseType,
} from "../../../src/data/attributes/types.js";

describe("the type of a column", () => {
  it.each<[string, readonly (string | null)[]]>([
    ["number", ["1990", " 7 ", "-0.5", "1e6", ".5", null, ""]],
    ["number", ["1", "nan", "NaN"]],
    ["boolean", ["true", "False", "TRUE", null]],
    ["date", ["2009-09-13", "2009-09-13T21:30:00+02:00", "2009/09/13 21:30", "1-Jan-1995"]],
    ["list", ["Comedy|Drama", "Drama", "Sci-Fi"]],
    ["list", ['["a","b"]', "[]", "[1, 2]"]],
    ["text", ["Comedy", "Drama"]],
    // Ids with leading zeros, and numbers that float64 cannot hold.
    ["text", ["007", "12"]],
    ["text", ["12345678901234567890"]],
    // One other value is enough.
    ["text", ["1990", "1991", "unknown"]],
    ["text", ["true", "yes"]],
    ["text", ["2009-09-13", "soon"]],
    ["text", ["2009-02-30"]],
    // Sentences with a vertical bar, and values that never repeat.
    ["text", ["A film | a life", "Another | one", "A film"]],
    ["text", ["Left|Right", "Up", "Down"]],
    ["text", ["Comedy||Drama", "Drama|Comedy"]],
    ["text", []],
    ["text", [null, " ", "nan"]],
  ])("is %s for %j", (type, values) => {
    expect(inferType(values)).toEqual({ type });
  });

  it("can be stated, for lists with the separator", () => {
    expect(parseType("date", "x")).toEqual({ type: "date" });
    expect(parseType("list;", "x")).toEqual({ type: "list", separator: ";" });
    expect(() => parseType("Number", "item type year")).toThrow(
      /item type year: unknown type "Number" \(expected text, number, date, boolean, list, or list followed by/,
    );
  });
});

describe("a value", () => {
  it.each([
    ["2009-09-13", "2009-09-13T00:00:00.000Z", 86_400_000],
    ["2009-09-13 21:30", "2009-09-13T21:30:00.000Z", 60_000],
    ["2009-09-13T21:30:00+02:00", "2009-09-13T19:30:00.000Z", 1000],
    ["2009-09-13T00:30:00.25-0130", "2009-09-13T02:00:00.250Z", 1],
    ["13-Sep-2009", "2009-09-13T00:00:00.000Z", 86_400_000],
    ["1600-02-29", "1600-02-29T00:00:00.000Z", 86_400_000],
  ])("%s is the date %s", (text, iso, length) => {
    expect(dateOf(text)).toEqual({ at: Date.parse(iso), length });
  });

  it.each(["2009-13-01", "2009-02-29", "2009-09-13T24:00", "09-13-2009", "2009-09/13", "20090913"])(
    "%s is not a date",
    (text) => expect(dateOf(text)).toBeUndefined(),
  );

  it("of a date is shown without a time at midnight", () => {
    expect(dateText(Date.parse("2009-09-13"))).toBe("2009-09-13");
    expect(dateText(Date.parse("2009-09-13T01:00Z"))).toBe("2009-09-13T01:00:00.000Z");
  });

  it.each(["1_000", "1,000", "0x10", "+5", "Infinity", "1e999", "٣"])("%s is not a number", (text) =>
    expect(numberOf(text)).toBeUndefined(),
  );

  it("of a list is trimmed and appears once", () => {
    expect(listOf(" a | b|a ")).toEqual(["a", "b"]);
    expect(listOf('["a ", 1, true, null]')).toEqual(["a", "1", "true"]);
    expect(listOf("a;b", ";")).toEqual(["a", "b"]);
    expect(listOf("a||b")).toBeUndefined();
  });
});
