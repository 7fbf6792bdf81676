import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { philoxBlock } from "../../src/core/philox.js";
import { type CsrMatrix, fromRows, rowIndices } from "../../src/sparse/csr.js";
import { halvesOf } from "../../src/training/halves.js";

const lists = (matrix: CsrMatrix) =>
  Array.from({ length: matrix.rows }, (_, r) => [...rowIndices(matrix, r)]);
const histories = fc.array(fc.uniqueArray(fc.nat(29), { maxLength: 12 }), { minLength: 1, maxLength: 9 });
const key = { seed: 5, step: 3, stream: 7 };

describe("halves of histories", () => {
  it("are disjoint, together the history in its order, and differ by at most one item", () => {
    fc.assert(
      fc.property(histories, (rows) => {
        const users = Uint32Array.from(rows.keys());
        const { larger, smaller } = halvesOf(fromRows(30, rows), users, key);
        for (const [r, row] of rows.entries()) {
          const [a, b] = [lists(larger)[r], lists(smaller)[r]];
          expect(a.length - b.length).toBe(row.length % 2);
          expect([...a, ...b].sort()).toEqual([...row].sort());
          expect(row.filter((item) => a.includes(item))).toEqual(a);
          expect(row.filter((item) => b.includes(item))).toEqual(b);
        }
      }),
    );
  });

  it("have the items with the smallest random words of their places in the matrix", () => {
    const matrix = fromRows(30, [
      [4, 9],
      [1, 2, 3, 20, 21],
    ]);
    // The second history has the places 2 to 6.
    const words = new Uint32Array(8);
    for (const block of [0, 1]) philoxBlock(words, 4 * block, block, 0, key.step, key.stream, key.seed, 0);
    const ranked = [1, 2, 3, 20, 21].map((item, i) => [words[2 + i], item]).sort(([a], [b]) => a - b);
    const { larger } = halvesOf(matrix, Uint32Array.of(1), key);
    expect(lists(larger)[0]).toEqual(
      ranked
        .slice(0, 3)
        .map(([, item]) => item)
        .sort((a, b) => a - b),
    );
  });

  it("do not depend on the batch, but on the key", () => {
    const rows = Array.from({ length: 20 }, (_, r) => Array.from({ length: 15 }, (_, k) => (r + k) % 30));
    const matrix = fromRows(30, rows);
    const all = lists(halvesOf(matrix, Uint32Array.from(rows.keys()), key).larger);
    expect(lists(halvesOf(matrix, Uint32Array.of(17, 3), key).larger)).toEqual([all[17], all[3]]);
    const other = halvesOf(matrix, Uint32Array.from(rows.keys()), { ...key, step: 4 });
    expect(lists(other.larger)).not.toEqual(all);
  });

  it("put every item into the larger half about as often as into the smaller one", () => {
    const matrix = fromRows(10, [Array.from({ length: 10 }, (_, item) => item)]);
    const counts = new Array<number>(10).fill(0);
    for (let step = 1; step <= 2000; step++)
      for (const item of lists(halvesOf(matrix, Uint32Array.of(0), { ...key, step }).larger)[0])
        counts[item]++;
    // 1,000 with a standard deviation of 22.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(100);
  });

  it("keep the values of the entries", () => {
    const matrix = { ...fromRows(5, [[0, 1, 2, 3, 4]]), values: Float32Array.of(10, 11, 12, 13, 14) };
    const { larger, smaller } = halvesOf(matrix, Uint32Array.of(0), key);
    for (const half of [larger, smaller])
      expect([...(half.values ?? [])]).toEqual([...half.indices].map((item) => 10 + item));
  });
});
