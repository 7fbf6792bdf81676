// Columns of text as attributes: their values come back, and values of another type are refused.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../src/core/errors.js";
import { ItemAttributes, joinedAttributes, valuesOf } from "../../../src/data/attributes/attributes.js";
import { TextDictionary } from "../../../src/data/attributes/dictionary.js";
import { encodeColumn } from "../../../src/data/attributes/encode.js";

const itemOf = (place: number) => `item${place}`;
const word = fc
  .string({ unit: "grapheme", minLength: 1 })
  .filter((text) => text.trim() === text && text !== "");

describe("a dictionary", () => {
  it("finds each text by its code and each code by its text", () => {
    fc.assert(
      fc.property(fc.array(word), word, (texts, other) => {
        const dictionary = TextDictionary.of(texts);
        expect([...dictionary]).toEqual([...new Set(texts)].sort());
        for (const text of texts) expect(dictionary.at(dictionary.find(text) as number)).toBe(text);
        if (!texts.includes(other)) expect(dictionary.find(other)).toBeUndefined();
      }),
    );
  });
});

describe("a column", () => {
  it("of text keeps every value", () => {
    fc.assert(
      fc.property(fc.array(fc.option(word)), (values) => {
        const column = encodeColumn({ name: "x", values }, { type: "text" }, itemOf);
        expect(values.map((_, item) => valuesOf(column, item))).toEqual(
          values.map((value) => (value === null ? [] : [value])),
        );
      }),
    );
  });

  it("of lists keeps the values of each item in their order", () => {
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(word)), (lists) => {
        const values = lists.map((list) => JSON.stringify(list));
        const column = encodeColumn({ name: "x", values }, { type: "list" }, itemOf);
        expect(lists.map((_, item) => valuesOf(column, item))).toEqual(lists);
      }),
    );
  });

  it("of numbers, dates and booleans is typed; blanks are missing", () => {
    const of = (type: "number" | "date" | "boolean", values: (string | null)[]) => {
      const column = encodeColumn({ name: "x", values }, { type }, itemOf);
      return values.map((_, item) => valuesOf(column, item));
    };
    expect(of("number", ["1990", " ", null, "-.5", "nan"])).toEqual([[1990], [], [], [-0.5], []]);
    expect(of("date", ["1970-01-02", ""])).toEqual([[86_400_000], []]);
    expect(of("boolean", ["TRUE", "", "false"])).toEqual([["true"], [], ["false"]]);
  });

  it("refuses a value of another type, naming column, value and item", () => {
    const year = () =>
      encodeColumn({ name: "year", values: ["1990", "soon"] }, { type: "number" }, itemOf, "items.csv");
    expect(year).toThrow(UserError);
    expect(year).toThrow(
      /items\.csv: column "year" is "soon" for the item item1 \(expected a number such as 7 or 0\.5\)\. .*--item-type 'year=text'/,
    );
  });
});

describe("attributes of two catalogues", () => {
  it("follow each other; an attribute that one lacks is missing there", async () => {
    const text = encodeColumn({ name: "colour", values: ["red", null] }, { type: "text" }, itemOf);
    const list = encodeColumn({ name: "tags", values: ["b|a", ""] }, { type: "list" }, itemOf);
    const other = encodeColumn({ name: "colour", values: ["blue"] }, { type: "text" }, itemOf);
    const price = encodeColumn({ name: "price", values: ["7"] }, { type: "number" }, itemOf);
    const both = joinedAttributes(ItemAttributes.of(2, [text, list]), ItemAttributes.of(1, [other, price]));
    expect(both.described.map(({ name }) => name)).toEqual(["colour", "tags", "price"]);
    const columns = await both.columns();
    expect([0, 1, 2].map((item) => columns.map((column) => valuesOf(column, item)))).toEqual([
      [["red"], ["b", "a"], []],
      [[], [], []],
      [["blue"], [], [7]],
    ]);
  });

  it("of different types are refused", async () => {
    const one = encodeColumn({ name: "x", values: ["1"] }, { type: "number" }, itemOf);
    const other = encodeColumn({ name: "x", values: ["a"] }, { type: "text" }, itemOf);
    const both = joinedAttributes(ItemAttributes.of(1, [one]), ItemAttributes.of(1, [other]));
    await expect(both.column("x")).rejects.toThrow(
      /attribute x: it is a text for the new items, and a number/,
    );
  });
});

describe("an attribute", () => {
  it("is found by its name in any case, and an unknown one by the nearest name", () => {
    const column = (name: string) => encodeColumn({ name, values: ["1"] }, { type: "text" }, itemOf);
    const attributes = ItemAttributes.of(1, [column("Genre"), column("year"), column("Year")]);
    expect(attributes.find("genre").name).toBe("Genre");
    expect(attributes.find("Year").name).toBe("Year");
    expect(() => attributes.find("YEAR")).toThrow(/no attribute "YEAR"/);
    expect(() => attributes.find("gener", "filter.and[0]")).toThrow(
      /filter\.and\[0\]: the items have no attribute "gener" \(expected Genre, year, Year\)\. Did you mean "Genre"\?/,
    );
  });
});
