import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LargeMap } from "../../src/core/large-map.js";

describe("a map of several maps", () => {
  it("behaves like one map, for any entries, any order and any size of its parts", () => {
    const entry = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer());
    fc.assert(
      fc.property(fc.array(entry), fc.integer({ min: 1, max: 6 }), (entries, most) => {
        const [large, map] = [new LargeMap<number, number>([], most), new Map<number, number>()];
        for (const [key, value] of entries) {
          large.set(key, value);
          map.set(key, value);
          expect(large.size).toBe(map.size);
        }
        for (let key = 0; key <= 20; key++) {
          expect(large.get(key)).toBe(map.get(key));
          expect(large.has(key)).toBe(map.has(key));
        }
        expect([...large]).toEqual([...map]);
        expect([...large.keys()]).toEqual([...map.keys()]);
      }),
    );
  });
});
