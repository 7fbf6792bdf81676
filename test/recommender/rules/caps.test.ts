import { describe, expect, it } from "vitest";
import { ItemAttributes } from "../../../src/data/attributes/attributes.js";
import { Caps } from "../../../src/recommender/rules/caps.js";
import { itemsOf } from "../../support/filters.js";

const none = { released: null, colour: null, inStock: null };
const films = itemsOf([
  { ...none, genre: ["Comedy", "Drama"], year: 1990 },
  { ...none, genre: ["Comedy"], year: 2000 },
  { ...none, genre: ["Drama"], year: 1990 },
  { ...none, genre: [], year: null },
]);
const column = (name: string) => (films.attributes ?? ItemAttributes.of(0, [])).column(name);

describe("at most n items per value", () => {
  it("count an item for each of its values, and items without a value never", async () => {
    const caps = new Caps([{ column: await column("genre"), most: 1 }]);
    const admitted = () => [0, 1, 2, 3].map((item) => caps.admits(item));
    expect(admitted()).toEqual([true, true, true, true]);
    caps.add(3);
    caps.add(1);
    expect(admitted()).toEqual([false, false, true, true]);
    caps.add(2);
    expect(admitted()).toEqual([false, false, false, true]);
  });

  it("of several attributes hold together; numbers count as values", async () => {
    const caps = new Caps([
      { column: await column("genre"), most: 2 },
      { column: await column("year"), most: 1 },
    ]);
    caps.add(0);
    expect([1, 2, 3].map((item) => caps.admits(item))).toEqual([true, false, true]);
    caps.add(1);
    expect([2, 3].map((item) => caps.admits(item))).toEqual([false, true]);
  });
});
