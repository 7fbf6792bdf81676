import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TextTable } from "../../src/core/text-table.js";

describe("a table of texts", () => {
  it("finds what a map finds, the last first", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 3 })),
        fc.array(fc.string({ maxLength: 3 })),
        (texts, asked) => {
          const table = new TextTable(texts.length, (entry) => texts[entry]);
          for (const entry of texts.keys()) table.add(entry);
          for (const text of [...texts, ...asked]) {
            const all = [...texts.keys()].filter((entry) => texts[entry] === text).reverse();
            expect(table.all(text)).toEqual(all);
            expect(table.last(text)).toBe(all[0]);
          }
        },
      ),
    );
  });

  it("finds only entries that were added", () => {
    const table = new TextTable(2, () => "same");
    expect(table.last("same")).toBeUndefined();
    table.add(1);
    expect(table.all("same")).toEqual([1]);
  });
});
