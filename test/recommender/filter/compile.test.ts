// The items that a filter admits: a plain evaluation of the same filter, item by item, finds the same.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ItemAttributes } from "../../../src/data/attributes/attributes.js";
import { encodeColumn } from "../../../src/data/attributes/encode.js";
import { Vocabulary } from "../../../src/data/vocabulary.js";
import { itemsMatching } from "../../../src/recommender/filter/compile.js";
import type { Filter } from "../../../src/recommender/filter/filter.js";
import { parseWhere } from "../../../src/recommender/filter/where.js";
import { admits, drawnFilter, drawnItems, itemsOf, textOf } from "../../support/filters.js";

const items = (records: Parameters<typeof itemsOf>[0]) => itemsOf(records);
const admitted = async (catalogue: Vocabulary, filter: Filter) => {
  const set = await itemsMatching(catalogue, filter);
  return catalogue.ids.filter((_, item) => set.has(item));
};

describe("a filter", () => {
  it("admits the items that a plain evaluation admits, as JSON and as text", async () => {
    await fc.assert(
      fc.asyncProperty(drawnItems, drawnFilter, async (records, filter) => {
        const catalogue = items(records);
        const expected = catalogue.ids.filter((_, item) => admits(filter, records[item]));
        expect(await admitted(catalogue, filter)).toEqual(expected);
        expect(await admitted(catalogue, parseWhere(textOf(filter)))).toEqual(expected);
        expect((await itemsMatching(catalogue, filter)).count).toBe(expected.length);
      }),
      { numRuns: 300 },
    );
  });

  const films = items([
    { genre: ["Comedy", "Drama"], year: 1990, released: "2009-09-13", colour: "red", inStock: true },
    { genre: ["Drama"], year: 2000.5, released: "2009-12-31T23:59", colour: "7", inStock: false },
    { genre: [], year: null, released: null, colour: null, inStock: null },
  ]);
  const of = async (filter: Filter) => (await admitted(films, filter)).join(" ");
  const where = (text: string) => of(parseWhere(text));

  it("treats a missing value as fulfilling only `missing` and negations", async () => {
    expect(await where("year = 1990")).toBe("item0");
    expect(await where("year != 1990")).toBe("item1 item2");
    expect(await where("not year = 1990")).toBe("item1 item2");
    expect(await where("year >= 0")).toBe("item0 item1");
    expect(await where("not year >= 0")).toBe("item2");
    expect(await where("year is missing")).toBe("item2");
    expect(await where("genre is missing")).toBe("item2");
    expect(await where("genre is not missing")).toBe("item0 item1");
  });

  it("takes = of a list as contains", async () => {
    expect(await where("genre = Drama")).toBe("item0 item1");
    expect(await where("genre != Comedy")).toBe("item1 item2");
    expect(await where("genre in (Comedy, Western)")).toBe("item0");
    expect(await where("genre not in (Comedy, Drama)")).toBe("item2");
  });

  it("takes a year, a month or a day as the whole of it", async () => {
    expect(await where("released = 2009")).toBe("item0 item1");
    expect(await where("released = 2009-09")).toBe("item0");
    expect(await where("released > 2009-09-13")).toBe("item1");
    expect(await where("released >= 2009-09-13")).toBe("item0 item1");
    expect(await where("released <= 2009-12-31")).toBe("item0 item1");
    expect(await where("released < 2009-12-31")).toBe("item0");
    expect(await where("released > 2009")).toBe("");
    expect(await where("released in (2008, 2009-12)")).toBe("item1");
  });

  it("takes values in the type of the attribute", async () => {
    expect(await where("colour = 7")).toBe("item1");
    expect(await where("colour = '7'")).toBe("item1");
    expect(await where("year = '1990'")).toBe("item0");
    expect(await where("inStock = FALSE")).toBe("item1");
    expect(await where("inStock != true")).toBe("item1 item2");
    expect(await where("colour = red")).toBe("item0");
    expect(await where("colour = Red")).toBe("");
  });

  it("has bounds that combine, and includes equal numbers as asked", async () => {
    expect(await of({ attribute: "year", atLeast: 1990, below: 2000.5 })).toBe("item0");
    expect(await of({ attribute: "year", above: 1990, atMost: 2000.5 })).toBe("item1");
    expect(await of({ attribute: "year", above: -1e308, atMost: 1e308 })).toBe("item0 item1");
  });

  it("without parts is all or none", async () => {
    expect(await of({ and: [] })).toBe("item0 item1 item2");
    expect(await of({ or: [] })).toBe("");
  });

  it.each<[unknown, string | RegExp]>([
    ["genre = Comedy", /^filter: "genre = Comedy" is not a filter \(expected an object with and, or, not/],
    [{}, /^filter: is empty/],
    [{ AND: [] }, /^filter: has no "attribute" .*Did you mean "and"\?/],
    [{ and: {} }, /^filter\.and: \{\} is not a list/],
    [{ and: [{ attribute: "year" }] }, /^filter\.and\[0\]: has no condition \(expected one of is, isNot/],
    [{ not: { attribute: 5, is: 1 } }, /^filter\.not\.attribute: 5 is not a name/],
    [{ attribute: "year", atLeats: 5 }, /^filter\.atLeats: is not a condition .*Did you mean "atLeast"\?/],
    [{ attribute: "year", is: 1, below: 2 }, /has several conditions: is, below/],
    [{ attribute: "year", above: 1, atLeast: 2 }, /has both above and atLeast/],
    [{ attribute: "year", is: [1] }, /^filter\.is: \[1\] is not a value/],
    [{ attribute: "year", isOneOf: [1, null] }, /^filter\.isOneOf\[1\]: null is not a value/],
    [{ attribute: "year", missing: "no" }, /^filter\.missing: "no" is neither true nor false/],
    [{ attribute: "year", above: Number.NaN }, /^filter\.above: null is not a bound/],
    [{ and: [], or: [] }, /"and" and "or" are in one object/],
    [{ attribute: "yaer", is: 1 }, /^filter: the items have no attribute "yaer" .*Did you mean "year"\?/],
    [
      { or: [{ attribute: "year", atLeast: "abc" }] },
      /^filter\.or\[0\]: "abc" is not a value of "year", which is a number \(expected a number; some of its values: 1990, 2000\.5\)/,
    ],
    [{ attribute: "released", is: "soon" }, /which is a date .*2009-09-13/],
    [{ attribute: "released", is: "2009-13" }, /which is a date/],
    [{ attribute: "inStock", is: "yes" }, /which is a boolean \(expected true or false/],
    [
      { attribute: "genre", above: "A" },
      /which is a list \(expected =, != or in, because only numbers and dates/,
    ],
    [{ attribute: "year", isOneOf: Array(10_001).fill(1) }, /more than 10000 values/],
    [{ and: Array(1001).fill({ attribute: "year", is: 1 }) }, /more than 1000 conditions/],
  ])("%j is refused, naming the place", async (filter, message) => {
    await expect(itemsMatching(films, filter as Filter)).rejects.toThrow(message);
  });

  it("that is nested too deeply is refused", async () => {
    let deep: Filter = { attribute: "year", is: 1 };
    for (let level = 0; level < 100_000; level++) deep = { not: deep };
    await expect(itemsMatching(films, deep)).rejects.toThrow(/nested more than 50 levels deep/);
  });

  it("in text names the position of an unknown attribute or a wrong value", async () => {
    await expect(where("genre = Drama and yaer = 1")).rejects.toThrow(
      /^where, position 19: the items have no attribute "yaer"/,
    );
    await expect(where("genre = Drama and year > x")).rejects.toThrow(
      /^where, position 19: "x" is not a value/,
    );
  });

  it("needs attributes", async () => {
    const none = new Vocabulary(["a"]);
    await expect(itemsMatching(none, { and: [] })).rejects.toThrow(
      /^filter: the model has no item attributes\. Prepare the dataset with an items file/,
    );
  });

  it("is computed once", async () => {
    const filter: Filter = { and: [{ attribute: "genre", is: "Drama" }] };
    expect(await itemsMatching(films, filter)).toBe(await itemsMatching(films, structuredClone(filter)));
  });

  it("keeps no more sets than fit", async () => {
    const size = 1 << 20;
    const values = Array.from({ length: size }, (_, item) => String(item % 1000));
    const column = encodeColumn({ name: "x", values }, { type: "text" }, String);
    const large = new Vocabulary(
      values.map((_, item) => String(item)),
      undefined,
      ItemAttributes.of(size, [column]),
    );
    const first = await itemsMatching(large, { attribute: "x", is: "0" });
    // A set has 128 KiB: 256 of them are 32 MiB.
    for (let x = 1; x < 100; x++) await itemsMatching(large, { attribute: "x", is: String(x) });
    expect(await itemsMatching(large, { attribute: "x", is: "0" })).toBe(first);
    for (let x = 1; x < 300; x++) await itemsMatching(large, { attribute: "x", is: String(x) });
    const again = await itemsMatching(large, { attribute: "x", is: "0" });
    expect(again).not.toBe(first);
    expect(again.words).toEqual(first.words);
  });
});
