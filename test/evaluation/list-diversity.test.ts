import fc from "fast-check";
import { expect, it } from "vitest";
import { ListDiversity } from "../../src/evaluation/list-diversity.js";
import { fromRows } from "../../src/sparse/csr.js";

it("is the mean over all pairs of 1 minus the cosine of their columns", () => {
  const list = fc.uniqueArray(fc.nat({ max: 7 }), { minLength: 2, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(fc.nat({ max: 7 })), { maxLength: 15 }), list, (rows, items) => {
      const dissimilarity = (i: number, j: number) => {
        const having = (...of: number[]) =>
          rows.filter((row) => of.every((item) => row.includes(item))).length;
        const size = Math.sqrt(having(i) * having(j));
        return size === 0 ? 1 : 1 - having(i, j) / size;
      };
      const pairs = items.flatMap((i, a) => items.slice(a + 1).map((j) => dissimilarity(i, j)));
      const mean = pairs.reduce((sum, value) => sum + value, 0) / pairs.length;
      expect(new ListDiversity(fromRows(8, rows)).of(Uint32Array.from(items))).toBeCloseTo(mean, 12);
    }),
  );
});
