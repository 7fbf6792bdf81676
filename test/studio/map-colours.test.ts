import { describe, expect, it } from "vitest";
import { ItemAttributes } from "../../src/data/attributes/attributes.js";
import { NO_VALUE, TextDictionary } from "../../src/data/attributes/dictionary.js";
import { colourBy, coloursOf } from "../../src/studio/map-colours.js";

const items = Uint32Array.of(0, 1, 3, 4);
const genres = {
  ...{ name: "genre", type: "list" as const },
  // Sorted: comedy, drama, war.
  values: TextDictionary.of(["drama", "comedy", "war"]),
  offsets: Uint32Array.of(0, 2, 3, 4, 4, 6),
  codes: Uint32Array.of(2, 1, 1, 0, 2, 0),
};
const year = {
  name: "year",
  type: "number" as const,
  numbers: Float64Array.of(1990, 1990, 5, Number.NaN, 2000),
};

describe("colours of a map", () => {
  it("are those of the most frequent value of an item; none if it has no value", () => {
    // War, drama and comedy occur twice each; ties are in the order of the dictionary.
    expect(colourBy(genres, items)).toEqual({
      ...{ attribute: "genre", labels: ["comedy", "drama", "war"], codes: [1, 1, -1, 0] },
    });
    const text = { ...genres, type: "text" as const, codes: Uint32Array.of(1, NO_VALUE, 0, 1, 2) };
    expect(colourBy(text, items).codes).toEqual([0, -1, 0, 2]);
  });

  it("of numbers are ranges of the items on the map", () => {
    expect(colourBy(year, items)).toEqual({
      ...{ attribute: "year", labels: ["1990", "2000"], codes: [0, 0, -1, 1] },
    });
    const numbers = Float64Array.from({ length: 60 }, (_, item) => item);
    const many = colourBy({ ...year, numbers }, Uint32Array.from(numbers.keys()));
    expect(many.labels).toEqual(["0 to 9", "10 to 19", "20 to 29", "30 to 39", "40 to 49", "50 to 59"]);
    expect(many.codes).toEqual(Array.from(numbers, (value) => Math.floor(value / 10)));
    const dates = Float64Array.of(0, 86_400_000);
    expect(colourBy({ name: "at", type: "date", numbers: dates }, Uint32Array.of(0, 1)).labels).toEqual([
      ...["1970-01-01", "1970-01-02"],
    ]);
  });

  it("leave out attributes that do not tell items apart", async () => {
    const same = { name: "same", type: "number" as const, numbers: new Float64Array(5) };
    const found = await coloursOf(ItemAttributes.of(5, [same, year, genres]), items);
    expect(found.map(({ attribute }) => attribute)).toEqual(["year", "genre"]);
    expect(await coloursOf(undefined, items)).toEqual([]);
  });
});
