import { describe, expect, it } from "vitest";
import { findTable, onlyPlaceOf, wrongQuery } from "../../../src/data/queries/query.js";

describe("the place of a fault in a query", () => {
  it("is a line and a column, counted from 1", () => {
    const at = (place: number) => wrongQuery("db", "a\nbc\n", "wrong", { at: place }).message;
    expect([0, 1, 2, 4, 5].map((place) => /line \d, column \d/.exec(at(place))?.[0])).toEqual([
      ...["line 1, column 1", "line 1, column 2", "line 2, column 1", "line 2, column 3", "line 3, column 1"],
    ]);
  });

  it("is that of a whole word, if it occurs once", () => {
    expect(onlyPlaceOf("id", "SELECT user_id, id FROM t")).toBe(16);
    expect(onlyPlaceOf("id", "SELECT id, id FROM t")).toBeUndefined();
    expect(onlyPlaceOf("id", "SELECT 1")).toBeUndefined();
    expect(onlyPlaceOf("", "SELECT 1")).toBeUndefined();
  });
});

describe("a table", () => {
  const tables = [
    { schema: "public", name: "clicks", visible: true },
    { schema: "old", name: "clicks", visible: false },
    { schema: "old", name: "films", visible: false },
    { schema: "one", name: "orders", visible: false },
    { schema: "two", name: "orders", visible: false },
  ];
  it("is the visible one of its name, the one of the named schema, or the only one", () => {
    expect(findTable("db", "clicks", tables).schema).toBe("public");
    expect(findTable("db", "old.clicks", tables).schema).toBe("old");
    expect(findTable("db", "films", tables).schema).toBe("old");
  });

  it("is refused if it is missing or in several schemas", () => {
    expect(() => findTable("db", "orders", tables)).toThrow(/several schemas.*one\.orders, two\.orders/);
    expect(() => findTable("db", "clicsk", tables)).toThrow(/no table "clicsk"\. Did you mean "clicks"\?/);
    expect(() => findTable("db", "Films", tables)).toThrow(/Did you mean "old\.films"\?/);
    expect(() => findTable("db", "x", [])).toThrow(/no tables that can be read/);
  });
});
