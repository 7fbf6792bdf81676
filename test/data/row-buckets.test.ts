import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupRows, looked, PresentCodes, presentCodes, RowBuckets } from "../../src/data/row-buckets.js";

/** The code of each row below a number of codes, and the rows wanted in a bucket. */
const cases = fc
  .record({ codes: fc.integer({ min: 1, max: 90 }), perBucket: fc.integer({ min: 1, max: 40 }) })
  .chain(({ codes, perBucket }) =>
    fc.record({
      codeOf: fc.array(fc.nat(codes - 1), { maxLength: 200 }).map((values) => Uint32Array.from(values)),
      codes: fc.constant(codes),
      perBucket: fc.constant(perBucket),
    }),
  );

describe("rows in buckets", () => {
  it("hold every row once, in ascending order and by ranges of codes", () =>
    fc.assert(
      fc.property(cases, ({ codeOf, codes, perBucket }) => {
        const buckets = new RowBuckets(codeOf, codes, { perBucket });
        const { begins, size, codesPerBucket } = buckets;
        const divided = buckets.rows();
        expect([...divided].sort((a, b) => a - b)).toEqual([...codeOf.keys()]);
        expect([...buckets.codes()]).toEqual(Array.from(divided, (row) => codeOf[row]));
        expect([begins[0], begins[size]]).toEqual([0, codeOf.length]);
        for (let bucket = 0; bucket < size; bucket++) {
          const rows = [...divided.subarray(begins[bucket], begins[bucket + 1])];
          expect(rows).toEqual([...rows].sort((a, b) => a - b));
          for (const row of rows) expect(Math.floor(codeOf[row] / codesPerBucket)).toBe(bucket);
        }
      }),
    ));

  it("take a column along, and bring it back into the order of the rows", () =>
    fc.assert(
      fc.property(cases, ({ codeOf, codes, perBucket }) => {
        const buckets = new RowBuckets(codeOf, codes, { perBucket });
        const column = codeOf.map((_, row) => 255 - row);
        const divided = buckets.divide(column);
        expect([...divided]).toEqual(Array.from(buckets.rows(), (row) => column[row]));
        expect([...buckets.inRowOrder(divided)]).toEqual([...column]);
        expect([...buckets.bytesInRowOrder(Uint8Array.from(divided))]).toEqual([...column]);
      }),
    ));

  it("look up a number of each code", () =>
    fc.assert(
      fc.property(cases, ({ codeOf, codes, perBucket }) => {
        const table = Uint32Array.from({ length: codes }, (_, code) => code * code + 1);
        expect([...looked(codeOf, table, { perBucket })]).toEqual(Array.from(codeOf, (code) => table[code]));
      }),
    ));

  it.each([1, 8, 2047, 2048, 2049, 4095, 4096, 4097])(
    "are as many as rows / %i, at most 2,048",
    (perBucket) => {
      const codeOf = Uint32Array.from({ length: 4096 }, (_, row) => row);
      const { size } = new RowBuckets(codeOf, 4096, { perBucket });
      expect(size).toBe(Math.min(1024, Math.max(1, Math.floor(4096 / perBucket))));
    },
  );
});

describe("rows grouped by their code", () => {
  it("are those of each code, in their order", () =>
    fc.assert(
      fc.property(cases, ({ codeOf, codes, perBucket }) => {
        const { offsets, rows } = groupRows(codeOf, codes, { perBucket });
        for (let code = 0; code < codes; code++)
          expect([...rows.subarray(offsets[code], offsets[code + 1])]).toEqual(
            [...codeOf.keys()].filter((row) => codeOf[row] === code),
          );
      }),
    ));
});

describe("codes that have rows", () => {
  const distinct = (codeOf: Uint32Array) => [...new Set(codeOf)].sort((a, b) => a - b);

  it("are the distinct ones, ascending, and each has its place among them", () =>
    fc.assert(
      fc.property(cases, ({ codeOf, codes }) => {
        expect([...presentCodes(codeOf, codes)]).toEqual(distinct(codeOf));
        const ranks = codeOf.slice();
        const present = new PresentCodes(codeOf, codes);
        present.rank(ranks);
        expect(present.size).toBe(new Set(codeOf).size);
        expect([...ranks]).toEqual(Array.from(codeOf, (code) => distinct(codeOf).indexOf(code)));
      }),
    ));

  it.each([31, 32, 33, 63, 64, 65])("may be all of %i", (codes) => {
    const all = Uint32Array.from({ length: codes }, (_, code) => code);
    expect([...presentCodes(all, codes)]).toEqual([...all]);
  });
});
